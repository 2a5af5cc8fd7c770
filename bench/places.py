"""Whether a place of doubt deserves a look: what is wrong there, by what its doubt says.

    python bench/places.py MODEL IMAGE LABELS ROLE [IMAGE LABELS ROLE ...]

Segments scans whose truth is known and prints, for places by the volume that is probably wrong in
them (size times mean doubt), how many there are and how much is wrong in truth; then, scan by
scan, how many places a review stops at.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.core.review_places import BLOCK_MM, LARGEST_ML, LEAST_ML, find_places, pooled, stops
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.predict.segment import segment

STEPS = (0.0, 0.3, 0.6, 1.0, 2.0, 5.0, np.inf)  # mL


def main():
    """Parse the arguments, segment, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("scans", nargs="+")
    arguments = parser.parse_args()
    bundle = load_bundle(default_store().find(arguments.model))
    rows = []
    for image, labels, role in zip(*[iter(arguments.scans)] * 3, strict=True):
        truth = read_label_map(Path(labels), bundle.card.table)
        prediction = segment({role: read_volume(Path(image))}, bundle)
        found = list(places(prediction, role, truth))
        rows += found
        print(f"{Path(image).name}: {len(found)} places, {len(find_places(prediction))} stops")
    print("probably wrong mL | places | sum of it | wrong in truth")
    for low, high in pairwise(STEPS):
        expected, wrong = np.array([row for row in rows if low <= row[0] < high] or [(0, 0)]).T
        print(f"{low} to {high} | {len(expected)} | {expected.sum():.1f} | {wrong.sum():.1f}")


def places(prediction, role, truth):
    """``(probably wrong, wrong)`` in mL, for every region of doubt."""
    labels, doubt = prediction.labels[role], prediction.doubt[role]
    steps = tuple(max(1, round(BLOCK_MM / s)) for s in labels.grid.spacing)
    blocks, wrong = pooled(doubt.array, steps), pooled(labels.array != truth.array, steps)
    block_ml = labels.grid.voxel_ml * float(np.prod(steps))
    for region in stops(blocks, LARGEST_ML / block_ml):
        cells, ml = tuple(region.T), len(region) * block_ml
        if ml >= LEAST_ML:
            yield ml * float(blocks[cells].mean()), ml * float(wrong[cells].mean())


if __name__ == "__main__":
    main()
