"""The official network and ours on the same pair and machine.

    git clone https://github.com/med-air/CMC
    python bench/peer.py abdomen-ct-mr --peer CMC ct=ct.nii.gz mr=mr.nii.gz

The official network is imported from the checkout and has random weights, which cost as much as
trained ones. It sees what its test script shows it: both scans squeezed to 128 x 128 x 128. Ours
reads the same files, registers them and covers both whole scans. Seconds are those of the network's
forward passes alone; beside other work the CPU seconds say more. Each runs in a process of its own,
so that the largest memory is its own too.
"""

import argparse
import importlib
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.core.settings import SegmentSettings
from cmcseg.imaging.files import read_volume
from cmcseg.nets.device import pick_device
from cmcseg.predict.segment import segment
from torch.utils.flop_counter import FlopCounterMode

MODULE, CLASS = "model.Semi_SM_model_MIA", "Semi_SM_model"  # what its test script builds
SIDE, CLASSES = 128, 14  # its defaults


class Watch:
    """Adds up the time that a network's forward passes take, and nothing around them."""

    def __init__(self, network, device):
        self.device, self.seconds, self.cpu_seconds = device, 0.0, 0.0
        network.register_forward_pre_hook(self.start)
        network.register_forward_hook(self.stop)

    def start(self, *_):
        self.wait()
        self.began = time.monotonic(), time.process_time()

    def stop(self, *_):
        self.wait()
        self.seconds += time.monotonic() - self.began[0]
        self.cpu_seconds += time.process_time() - self.began[1]

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def theirs(checkout, volumes, device):
    sys.path.insert(0, str(checkout))
    build = getattr(importlib.import_module(MODULE), CLASS)
    network = build(img_size=SIDE, n_class=CLASSES).to(device).eval()
    watch = Watch(network, device)
    with torch.no_grad():
        network(*(squeezed(volume).to(device) for volume in volumes.values()))
    found = numbers(network, watch)
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        build(img_size=SIDE, n_class=CLASSES)(*(torch.empty(1, 1, *[SIDE] * 3) for _ in volumes))
    return {**found, "tflop": counter.get_total_flops() / 1e12}


def squeezed(volume):
    image = torch.from_numpy(volume.array.astype("float32"))[None, None]
    low, high = image.min(), image.max()
    cube = torch.nn.functional.interpolate(image, size=[SIDE] * 3, mode="trilinear")
    return (cube - low) / (high - low)


def ours(model, volumes, device):
    bundle = load_bundle(default_store().find(model))
    settings = SegmentSettings(device=str(device))
    watch = Watch(bundle.network, device)
    segment(volumes, bundle, settings)
    found = numbers(bundle.network, watch)
    with FlopCounterMode(display=False) as counter:
        segment(volumes, bundle, settings)
    return {**found, "tflop": counter.get_total_flops() / 1e12}


def numbers(network, watch):
    """What was measured up to now; the memory is the process's, or the GPU's."""
    on_cuda = watch.device.type == "cuda"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "seconds": watch.seconds,
        "cpu_seconds": watch.cpu_seconds,
        "peak_mb": torch.cuda.max_memory_allocated(watch.device) / 2**20 if on_cuda else peak,
        "device": torch.cuda.get_device_name(watch.device) if on_cuda else "CPU",
        "threads": torch.get_num_threads(),
    }


def alone(who):
    """The same command in a fresh process that measures one of the two."""
    command = [sys.executable, __file__, *sys.argv[1:], "--only", who]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{who} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("scans", nargs=2, metavar="ROLE=FILE")
    parser.add_argument("--peer", type=Path, required=True, help="checkout of the official code")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", choices=("theirs", "ours"), help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args()
    device = pick_device(options.device)
    if options.only:
        scans = dict(scan.split("=", 1) for scan in options.scans)
        volumes = {role: read_volume(Path(file)) for role, file in scans.items()}
        subject = options.peer.resolve() if options.only == "theirs" else options.model
        print(json.dumps((theirs if options.only == "theirs" else ours)(subject, volumes, device)))
        return
    print("| network | parameters | TFLOP a pair | seconds | CPU seconds | peak MiB |")
    print("|---|---|---|---|---|---|")
    for name, found in (("official", alone("theirs")), (options.model, alone("ours"))):
        print(
            f"| {name} | {found['parameters'] / 1e6:.2f} M | {found['tflop']:.2f} | "
            f"{found['seconds']:.1f} | {found['cpu_seconds']:.1f} | {found['peak_mb']:.0f} |"
        )
    print(f"\n{found['device']}, {found['threads']} thread(s), torch {torch.__version__}")


if __name__ == "__main__":
    main()
