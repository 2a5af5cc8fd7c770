"""A folder of rendered pairs through `cmcseg batch`: pace by jobs, and a cluster that loses nodes.

    python bench/batch.py pace --work FOLDER [--pairs 100] [--jobs 1 2]
    python bench/batch.py kills --work FOLDER [--pairs 100] [--kills 10]

`pace` runs the same folder with so many jobs, each into a folder of its own, and prints pairs a
minute, the start of the processes left out; `--rounds` does so several times in turn. `kills`
starts Ray's own test cluster of two nodes, lets `cmcseg batch --ray` work on it, ends a node
without warning at random moments, starts another in its place, and then looks whether every pair is
done, once, and whole.
"""

import argparse
import csv
import os
import random
import resource
import shutil
import subprocess
import sys
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
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}


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
    print("| jobs | pairs a minute | against one job | CPU seconds a pair | load |")
    print("|---|---|---|---|---|")
    first = None
    for jobs in options.jobs * options.rounds:
        out, ends = options.work / f"jobs-{jobs}", []
        shutil.rmtree(out, ignore_errors=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        batch(
            options.work / "scans",
            out,
            Processes(jobs),
            lambda _, e=ends: e.append(time.monotonic()),
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        # The first pair of each process waits for its start and for the model.
        rate = 60 * (len(ends) - jobs) / (ends[-1] - ends[jobs - 1])
        first = first or rate
        print(
            f"| {jobs} | {rate:.1f} | {rate / first:.2f} | {cpu / len(ends):.2f} | "
            f"{os.getloadavg()[0]:.0f} |",
            flush=True,
        )


def kills(options):
    from ray.cluster_utils import Cluster as Machines

    scans, out, chance = options.work / "scans", options.work / "ray", random.Random(options.seed)
    shutil.rmtree(out, ignore_errors=True)
    machines = Machines(initialize_head=True, head_node_args={**NODE, "num_cpus": 0})
    nodes, ended, left = [machines.add_node(**NODE) for _ in range(2)], 0, 0
    began, words = time.monotonic(), ["--model", MODEL, "--align", "none", "--device", "cpu"]
    command = [sys.executable, "-m", "cmcseg", "batch", scans, *words]
    running = subprocess.Popen([*command, "--out", out, "--ray", machines.address])
    while not written(out):
        time.sleep(0.2)
    while ended < options.kills and running.poll() is None:
        time.sleep(chance.uniform(*options.every))
        machines.remove_node(nodes.pop(chance.randrange(2)), allow_graceful=False)
        ended, left = ended + 1, left + len(drafts(out))
        print(f"node {ended} ended after {len(written(out))} pairs", flush=True)
        nodes.append(machines.add_node(**NODE))
    code, seconds, asked = running.wait(), time.monotonic() - began, []
    machines.shutdown()
    names = [row["pair"] for row in written(out)]
    failed = sum(row["state"] != "done" for row in written(out))
    whole = sum(read_volume(out / name / "ct_labels.nii.gz").array.any() for name in names)
    sets = {tuple(sorted(path.name for path in (out / name).iterdir())) for name in names}
    batch(scans, out, lambda tasks: (asked.append(task) for task in tasks), lambda _: None)
    print(
        f"exit {code}: {len(names)} lines, {len(set(names))} pairs, {failed} failed, {whole} "
        f"results that can be read, {len(sets)} set of files in them, {len(asked)} asked for "
        f"again; {ended} nodes ended, {left} drafts found then, {len(drafts(out))} at the end; "
        f"{seconds:.0f} s, load {os.getloadavg()[1]:.0f}"
    )


def written(out):
    """The lines of the table so far."""
    try:
        with (out / "batch.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []


def drafts(out):
    """What a process that was ended had begun to write."""
    return [path for path in out.iterdir() if path.name.startswith(".") and path.is_dir()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("pace", "kills"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--every", type=float, nargs=2, default=(2.0, 25.0), help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    make_folder(options.work / "scans", options.pairs)
    {"pace": pace, "kills": kills}[options.what](options)


if __name__ == "__main__":
    main()
