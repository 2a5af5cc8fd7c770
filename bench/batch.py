"""A folder of rendered pairs through `cmcseg batch`: pace by jobs, and a cluster that loses nodes.

    python bench/batch.py pace --work FOLDER [--pairs 100] [--jobs 1 2]
    python bench/batch.py kills --work FOLDER [--pairs 100] [--kills 10]

`pace` runs the same folder with so many jobs, each into a folder of its own, and prints pairs a
minute, the start of the processes left out. `kills` starts Ray's own test cluster of two nodes,
ends one of them without warning at random moments while a batch runs, starts another in its place,
and then looks whether every pair is done, once, and whole.
"""

import argparse
import csv
import random
import shutil
import threading
import time
from pathlib import Path

import numpy as np
from cmcseg.batch.processes import Processes
from cmcseg.batch.run import run_batch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.core.grid import Grid
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.volume import Volume
from cmcseg.data.synthesis import make_pair
from cmcseg.imaging.files import read_volume, write_volume

MODEL, COARSER = "abdomen-ct-mr", 3
SETTINGS = SegmentSettings(align="none", device="cpu")


def make_folder(folder, count):
    """One rendered pair on coarser voxels, with other noise for each pair."""
    if folder.exists() and len(list(folder.iterdir())) == 2 * count:
        return
    folder.mkdir(parents=True, exist_ok=True)
    table = load_bundle(default_store().find(MODEL)).card.table
    chance = np.random.default_rng(0)
    for role, scan in make_pair("abdomen", table, seed=0).items():
        grid = scan.volume.grid
        array = scan.volume.array[::COARSER, ::COARSER]
        affine = grid.affine @ np.diag([COARSER, COARSER, 1.0, 1.0])
        small = Grid(shape=array.shape, affine=affine)
        for number in range(count):
            noisy = array + np.rint(chance.normal(scale=8, size=array.shape)).astype(np.int16)
            write_volume(Volume(array=noisy, grid=small), folder / f"{number:03d}_{role}.nii.gz")


def batch(folder, out, engine, report):
    bundle = load_bundle(default_store().find(MODEL))
    return run_batch(
        folder, out, bundle.folder, bundle.card, SETTINGS, engine, threads=1, report=report
    )


def pace(options):
    print("| jobs | pairs a minute | against one job |")
    print("|---|---|---|")
    first = None
    for jobs in options.jobs:
        out = options.work / f"jobs-{jobs}"
        shutil.rmtree(out, ignore_errors=True)
        ends = []
        batch(
            options.work / "scans",
            out,
            Processes(jobs),
            lambda _, e=ends: e.append(time.monotonic()),
        )
        # The first pair of each process waits for its start and for the model.
        rate = 60 * (len(ends) - jobs) / (ends[-1] - ends[jobs - 1])
        first = first or rate
        print(f"| {jobs} | {rate:.1f} | {rate / first:.2f} |", flush=True)


def kills(options):
    import ray
    from cmcseg.batch.cluster import Cluster
    from ray.cluster_utils import Cluster as Machines

    out, chance = options.work / "ray", random.Random(options.seed)
    shutil.rmtree(out, ignore_errors=True)
    machines = Machines(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [machines.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=machines.address, log_to_driver=False, logging_level="ERROR")
    ended, running = [], threading.Event()

    def lose():
        running.wait()
        while len(ended) < options.kills:
            time.sleep(chance.uniform(*options.every))
            node = nodes.pop(chance.randrange(2))
            machines.remove_node(node, allow_graceful=False)
            nodes.append(machines.add_node(num_cpus=1))
            ended.append(time.monotonic())
            print(f"ended node {len(ended)}", flush=True)

    threading.Thread(target=lose, daemon=True).start()
    began = time.monotonic()
    table = batch(options.work / "scans", out, Cluster("auto", 1, 0.0), lambda _: running.set())
    with (out / "batch.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [row["pair"] for row in rows]
    whole = sum(read_volume(out / name / "ct_labels.nii.gz").array.any() for name in names)
    drafts = [p for p in out.iterdir() if p.name.startswith(".") and p.is_dir()]
    print(
        f"{len(names)} lines, {len(set(names))} pairs, {len(table.failed)} failed, {whole} results "
        f"that can be read, {len(drafts)} drafts left, {len(ended)} nodes ended, "
        f"{time.monotonic() - began:.0f} s"
    )
    ray.shutdown()
    machines.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("pace", "kills"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--every", type=float, nargs=2, default=(2.0, 12.0), help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    make_folder(options.work / "scans", options.pairs)
    {"pace": pace, "kills": kills}[options.what](options)


if __name__ == "__main__":
    main()
