"""Ways to run a model on validation scans: what each costs, and what Dice it gives.

    python bench/inference_ways.py heart-bssfp-lge --coarse 2 2 1 --data HEART --cases 01 --pairs
    python bench/inference_ways.py abdomen-ct-mr --data ABDOMEN --names ct=ct_16 mr=mr_22

The ways: `float32`, everything in single precision; `everything`, as `nets.device.inference_type`
says; `coarse`, the same after a coarse look. The folder holds `images/NAME.nii.gz` and
`labels/NAME.nii.gz`, where NAME is CASE_ROLE or as given. Every scan is segmented alone, and with
`--pairs` the scans of a case together as well. Dice is the mean over the organs, on the scans' own
grids, after cleaning; voxels are those of all windows that the network looked at.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.learn.scores import dice
from cmcseg.nets import sliding_window
from cmcseg.nets.device import inference_type
from cmcseg.predict import segment as predictor

WAYS = ("float32", "everything", "coarse")


class Counting(torch.nn.Module):
    """The network, counting windows and the voxels in them."""

    def __init__(self, network):
        super().__init__()
        self.network, self.windows, self.voxels = network, 0, 0

    def forward(self, images, trust):
        self.windows += 1
        self.voxels += sum(image.numel() for image in images.values())
        return self.network(images, trust)


def one(bundle, way, options, volumes, truths):
    """Dice by role, CPU seconds of the network and of all, windows and voxels of one way."""
    counting = Counting(bundle.network)
    coarse = tuple(options.coarse) if way == "coarse" else (1, 1, 1)
    grid = replace(bundle.card.grid, coarse=coarse)
    bundle = replace(bundle, card=replace(bundle.card, grid=grid))
    plain = torch.float32 if way == "float32" else inference_type(torch.device("cpu"))
    sliding_window.inference_type = lambda _: plain
    predictor.time = SimpleNamespace(monotonic=time.process_time)
    found = predictor.segment(volumes, replace(bundle, network=counting))
    scores = {
        role: np.nanmean(
            [dice(found.labels[role].array, truth, o.value) for o in bundle.card.table]
        )
        for role, truth in truths.items()
    }
    seconds = found.seconds
    return scores, seconds["network"], sum(seconds.values()), counting.windows, counting.voxels


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cases", nargs="*", default=[])
    parser.add_argument("--names", nargs="*", default=[], metavar="ROLE=NAME")
    parser.add_argument("--coarse", type=int, nargs=3, default=[2, 2, 2])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--pairs", action="store_true")
    options = parser.parse_args()
    bundle = load_bundle(default_store().find(options.model))
    cases = {case: {r: f"{case}_{r}" for r in bundle.card.roles} for case in options.cases}
    cases |= {n: {r: n} for r, n in (name.split("=") for name in options.names)}
    print("| case | scans | way | windows | M voxels | network CPU s | all CPU s | Dice |")
    print("|---|---|---|---|---|---|---|---|")
    sums = {}
    for case, names in cases.items():
        files = {r: options.data / "images" / f"{n}.nii.gz" for r, n in names.items()}
        volumes = {r: read_volume(file) for r, file in files.items() if file.exists()}
        truths = {
            r: read_label_map(file, bundle.card.table).array
            for r in volumes
            if (file := options.data / "labels" / files[r].name).exists()
        }
        sets = [(role,) for role in volumes]
        sets += [tuple(volumes)] if options.pairs and len(volumes) > 1 else []
        for roles in sets:
            chosen = {role: volumes[role] for role in roles}
            known = {role: truths[role] for role in roles if role in truths}
            for way in options.ways:
                scores, network, every, windows, voxels = one(bundle, way, options, chosen, known)
                shown = ", ".join(f"{role} {score:.4f}" for role, score in scores.items())
                print(
                    f"| {case} | {' + '.join(roles)} | {way} | {windows} | {voxels / 1e6:.2f} | "
                    f"{network:.2f} | {every:.2f} | {shown} |",
                    flush=True,
                )
                for role, score in scores.items():
                    key = (" + ".join(roles), way, role)
                    sums.setdefault(key, []).append((score, network, every, voxels))
    print("\n| scans | way | Dice of | mean Dice | network CPU s | all CPU s | M voxels |")
    print("|---|---|---|---|---|---|---|")
    for (roles, way, role), rows in sums.items():
        score, network, every, voxels = np.mean(rows, axis=0)
        print(
            f"| {roles} | {way} | {role} | {score:.4f} | {network:.2f} | {every:.2f} | "
            f"{voxels / 1e6:.2f} |"
        )
    kind = str(inference_type(torch.device("cpu"))).removeprefix("torch.")
    print(f"\ntorch {torch.__version__}, {kind}, {torch.get_num_threads()} thread(s)")


if __name__ == "__main__":
    main()
