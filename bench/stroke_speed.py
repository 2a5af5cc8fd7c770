"""What one stroke costs: seconds of wall and processor, and memory, on rendered scans.

    python bench/stroke_speed.py ct
    python bench/stroke_speed.py heart

`ct` is a rendered CT of 512 x 512 x 150 voxels, `heart` both scans of a rendered pair. Each runs in
a process of its own, as memory is told of the process. Strokes lie at the borders of organs. What
a window adds, reading and writing the drawn organs, is not in it.
"""

import argparse
import os
import resource
import time
from statistics import median

import numpy as np
import psutil
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.core.grid import Grid
from cmcseg.core.mark import Mark
from cmcseg.core.volume import Volume
from cmcseg.data.synthesis import make_pair
from cmcseg.imaging.resample import resample
from cmcseg.predict.propose import propose
from cmcseg.predict.scan_memory import look
from torch.nn.functional import max_pool2d

LARGE = (512, 512, 150)
MODELS = {"ct": "abdomen-ct-mr", "heart": "heart-bssfp-lge"}
STROKES, LONG = 20, 12  # how many, and voxels of one


def scans(what, table):
    """``(role, scan, labels)``."""
    if what == "heart":
        for role, scan in make_pair("heart", table, seed=0).items():
            yield role, scan.volume, scan.truth.array
        return
    scan = make_pair("abdomen", table, seed=0)["ct"]
    grid, share = scan.volume.grid, np.array(scan.volume.grid.shape) / LARGE
    affine = grid.affine @ np.diag([*share, 1.0])
    affine[:3, 3] = grid.world(0.5 * share - 0.5)
    large = Grid(shape=LARGE, affine=affine)
    array = resample(scan.volume.array.astype(np.float32), grid, large, fill=-1024.0)
    nearest = (
        np.clip(np.rint((np.arange(n) + 0.5) * part - 0.5).astype(int), 0, None)
        for n, part in zip(LARGE, share, strict=True)
    )
    yield "ct", Volume(array=array, grid=large), scan.truth.array[np.ix_(*nearest)]


def strokes(labels, table):
    """Lines along the outer rims of organs, in axial slices."""
    chance = np.random.default_rng(0)
    there = [label.value for label in table if (labels == label.value).any()]
    for number in range(STROKES):
        value = there[number % len(there)]
        k = chance.choice(np.flatnonzero((labels == value).any(axis=(0, 1))))
        organ = labels[:, :, k] == value
        wide = max_pool2d(torch.from_numpy(organ[None].astype(np.float32)), 7, 1, 3)[0].numpy()
        rim = np.argwhere((wide > 0) & ~organ)
        start = rim[chance.integers(len(rim))]
        near = rim[np.argsort(np.abs(rim - start).sum(axis=1))[:LONG]]
        yield Mark(value=value, is_organ=True, voxels=np.insert(near, 2, k, axis=1))


def measure(what):
    """Look at each scan once, then answer strokes; prints a row of the table for each."""
    bundle = load_bundle(default_store().find(MODELS[what]))
    process = psutil.Process()
    for role, volume, labels in scans(what, bundle.card.table):
        before, size = process.memory_info().rss, " x ".join(map(str, volume.grid.shape))
        memory, looked = timed(lambda: look(volume, role, bundle, "cpu"))  # noqa: B023
        kept = sum(a.nbytes for a in (memory.image, memory.probabilities, memory.features))
        walls, works = [], []
        for mark in strokes(labels, bundle.card.table):
            box = mark.box(volume.grid)
            part = np.ascontiguousarray(labels[box])
            _, (wall, work) = timed(lambda: propose(memory, part, box, mark))  # noqa: B023
            walls.append(wall)
            works.append(work)
        cells = [
            f"{role}, {size}",
            f"{looked[0]:.1f} ({looked[1]:.1f})",
            f"{median(walls):.2f} ({median(works):.2f})",
            f"{max(walls):.2f} ({max(works):.2f})",
            f"{kept / 2**20:.0f}",
            f"{(process.memory_info().rss - before) / 2**20:.0f}",
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f}",
            f"{os.getloadavg()[0]:.0f}",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


def timed(call):
    """What a call gives, and its seconds of wall and of processor."""
    wall, work = time.perf_counter(), time.process_time()
    made = call()
    return made, (time.perf_counter() - wall, time.process_time() - work)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=list(MODELS))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    measure(options.what)
