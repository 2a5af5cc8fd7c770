"""What a large CT costs: memory over time, and CPU seconds by stage.

    python bench/large_scans.py --work FOLDER [--before CHECKOUT] [--slices 800 150]

A rendered abdominal CT is stretched to 512 x 512 x N voxels and written once as NIfTI. A fresh
process per scan reads it, segments it, and writes files and report, as `cmcseg segment` does.
CHECKOUT is an older state of this project (`git worktree add`); it sees the same scans in the same
run. Prints a table and adds to `FOLDER/large-scans.json`; `--plot FILE` draws memory over time,
and `--write` puts the table into docs/speed.md, with the load of the machine beside it.

A virtual machine is handed memory by its host when it is written to for the first time, and those
seconds, about two a gigabyte, would count as the program's. So another process writes to
`--touched` gigabytes and gives them back before each scan; 0 leaves that out.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from results import filled

PAGE = Path(__file__).resolve().parents[1] / "docs" / "speed.md"
MODEL, SIDE, NOISE = "abdomen-ct-mr", 512, 8.0
STAGES = ("read", "resample", "network", "write back", "files", "report")
HERE = Path(__file__).resolve().parents[1]


def make_scan(path, slices):
    """A rendered CT on finer voxels, with noise, so that it packs as a real one does."""
    import numpy as np
    from cmcseg.bundle.load import load_bundle
    from cmcseg.bundle.store import default_store
    from cmcseg.core.grid import Grid
    from cmcseg.core.volume import Volume
    from cmcseg.data.synthesis import make_pair
    from cmcseg.imaging.files import write_volume
    from cmcseg.imaging.resample import resample

    table = load_bundle(default_store().find(MODEL)).card.table
    small = make_pair("abdomen", table, seed=0)["ct"].volume
    shape = (SIDE, SIDE, slices)
    share = np.array(small.grid.shape) / shape
    affine = small.grid.affine @ np.diag([*share, 1.0])
    affine[:3, 3] = small.grid.world(0.5 * share - 0.5)
    large = Grid(shape=shape, affine=affine)
    array = resample(small.array, small.grid, large, fill=-1024.0)
    array += np.random.default_rng(0).normal(scale=NOISE, size=shape).astype(np.float32)
    write_volume(Volume(array=np.rint(array).astype(np.int16), grid=large), path)


class Meter(threading.Thread):
    """Resident memory of this process over time, and CPU seconds by stage."""

    def __init__(self):
        super().__init__(daemon=True)
        self.began, self.points, self.cpu, self.marks = time.monotonic(), [], {}, []
        self.page = os.sysconf("SC_PAGE_SIZE")

    def run(self):
        while True:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.points.append((time.monotonic() - self.began, pages * self.page / 2**20))
            time.sleep(0.05)

    def stage(self, name, work, *arguments, **named):
        self.marks.append((time.monotonic() - self.began, name))
        before = time.process_time()
        found = work(*arguments, **named)
        self.cpu[name] = self.cpu.get(name, 0.0) + time.process_time() - before
        return found


def measure(path, out):
    """What `cmcseg segment` does, in this process, timed."""
    from types import SimpleNamespace

    from cmcseg.bundle.load import load_bundle
    from cmcseg.bundle.store import default_store
    from cmcseg.imaging.files import read_volume
    from cmcseg.predict import segment as predictor
    from cmcseg.predict.write import write_prediction
    from cmcseg.report.page import write_report

    bundle = load_bundle(default_store().find(MODEL))
    meter = Meter()
    meter.start()
    # The stages of the prediction in CPU seconds, since other work may run beside it.
    predictor.time = SimpleNamespace(monotonic=time.process_time)
    volumes = {"ct": meter.stage("read", read_volume, path)}
    found = meter.stage("segment", predictor.segment, volumes, bundle)
    meter.stage("files", write_prediction, found, volumes, {"ct": path}, out)
    page, names = out / "report.html", {"ct": path.name}
    meter.stage(
        "report", write_report, page, card=bundle.card, volumes=volumes, prediction=found,
        scans=names,
    )  # fmt: skip
    # Of this process alone: what `getrusage` tells may be that of the one that started it.
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    cpu = {**meter.cpu, **found.seconds}
    told = {"peak_mb": peak, "cpu": cpu, "points": meter.points, "marks": meter.marks}
    print(json.dumps({**told, "precision": found.precision}))


def touch(gigabytes):
    """Have the machine hand out so much memory, and give it back."""
    if gigabytes:
        code = f"import numpy; kept = [numpy.ones(2**27) for _ in range({gigabytes})]"
        subprocess.run([sys.executable, "-c", code], check=True)


def alone(code, path, out):
    """``measure`` in a fresh process that imports the package from ``code``."""
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "--measure", str(path), str(out)]
    package = str(code / "CMCSegmentation")
    environment = {**os.environ, "PYTHONPATH": package, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{path.name} with {code} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def plot(rows, file):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    largest = max(row["slices"] for row in rows)
    figure, axes = pyplot.subplots(figsize=(8, 4.2), layout="constrained")
    colors = {"before": "#d55e00", "now": "#0072b2"}
    for row in (row for row in rows if row["slices"] == largest):
        times, sizes = zip(*row["points"], strict=True)
        axes.plot(times, [size / 1024 for size in sizes], color=colors[row["when"]])
        axes.annotate(
            f"{row['when']}: {row['peak_mb'] / 1024:.1f} GiB",
            (times[-1], sizes[-1] / 1024), xytext=(4, 0), textcoords="offset points",
            va="center", color=colors[row["when"]],
        )  # fmt: skip
    axes.set(
        xlabel="seconds", ylabel="resident memory, GiB", ylim=(0, None),
        title=f"A CT of {SIDE} x {SIDE} x {largest} voxels, from file to report",
    )  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.16)
    axes.set_xlim(0, None)
    figure.savefig(file, dpi=110)


def table(rows):
    stages = " | ".join(STAGES)
    ratio = "resampling and writing back / network"
    yield f"| slices | | load | peak MiB | {stages} | all | {ratio} |"
    yield "|---" * (len(STAGES) + 6) + "|"
    for row in rows:
        cpu = [row["cpu"].get(stage, 0.0) for stage in STAGES]
        ratio = (row["cpu"]["resample"] + row["cpu"]["write back"]) / row["cpu"]["network"]
        yield (
            f"| {row['slices']} | {row['when']} | {row['load']:.0f} | {row['peak_mb']:.0f} | "
            f"{' | '.join(f'{seconds:.1f}' for seconds in cpu)} | {sum(cpu):.1f} | {ratio:.2f} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="folder for scans and results")
    parser.add_argument("--before", type=Path, help="checkout of an older state")
    parser.add_argument("--slices", type=int, nargs="+", default=[800, 150])
    parser.add_argument("--touched", type=int, default=6, metavar="GB")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--write", action="store_true", help="put the table into docs/speed.md")
    parser.add_argument("--measure", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure)
        return
    options.work.mkdir(parents=True, exist_ok=True)
    kept = options.work / "large-scans.json"
    rows = json.loads(kept.read_text()) if kept.exists() else []
    known = {(row["slices"], row["when"]): row for row in rows}
    for slices in options.slices:
        path = options.work / f"ct-{slices}.nii.gz"
        if not path.exists():
            make_scan(path, slices)
        states = {"before": options.before, "now": HERE}
        for when, code in states.items():
            if code is not None:
                touch(options.touched)
                found = alone(code.resolve(), path, options.work / when / str(slices))
                load = os.getloadavg()[0]
                known[slices, when] = {"slices": slices, "when": when, "load": load, **found}
    rows = [known[key] for key in sorted(known)]
    print("\n".join(table(rows)))
    kept.write_text(json.dumps(rows))
    if options.write:
        text = filled(PAGE.read_text("utf-8"), "large", "\n".join(table(rows)), "large_scans.py")
        PAGE.write_text(text, encoding="utf-8")
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
