"""Does a segmentation stand what scanners and users do to a scan?

    python bench/robustness.py heart-bssfp-lge --cohort heart.json --out robustness.csv

Every labelled validation scan is altered in one way at a time, segmented alone and compared with
its truth on its own grid. Shifting by half a window and cropping change where the organs lie
between windows; what is cropped away or missing is left out of the comparison. `bench/results.py`
makes the table.
"""

import argparse
import csv
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.core.grid import Grid
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.volume import Volume
from cmcseg.data.cohort import read_cohort
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.imaging.resample import resample
from cmcseg.learn.scores import dice
from cmcseg.predict.segment import segment

AS_IT_IS = "as it is"
PLACE, LOOK = 0.01, 0.03  # how much of the mean Dice a change of place and of look may cost
Altered = tuple[Volume, np.ndarray]
Way = Callable[[Volume, np.ndarray, tuple[float, ...]], Altered]


def shifted(scan: Volume, truth: np.ndarray, window_mm: tuple[float, ...]) -> Altered:
    """Half a window of air is added before the first axis that is not the slices'."""
    axis = int(np.argmin(scan.grid.spacing))
    wide = [(0, 0)] * 3
    wide[axis] = (round(window_mm[axis] / 2 / scan.grid.spacing[axis]), 0)
    array = np.pad(scan.array, wide, constant_values=scan.array.min())
    corner = -np.array([before for before, _ in wide])
    return _cut(scan, array, corner), np.pad(truth, wide)


def cropped(scan: Volume, truth: np.ndarray, _window_mm: tuple[float, ...]) -> Altered:
    """Only the organs and 10 mm around them are left."""
    where = np.argwhere(truth)
    margin = np.ceil(10 / np.array(scan.grid.spacing)).astype(int)
    low = np.maximum(where.min(axis=0) - margin, 0)
    high = np.minimum(where.max(axis=0) + 1 + margin, truth.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    return _cut(scan, scan.array[box], low), truth[box]


def turned(scan: Volume, truth: np.ndarray, _window_mm: tuple[float, ...]) -> Altered:
    """The patient turned by 20 degrees about the slices' normal, within the same field of view."""
    grid = scan.grid
    normal = grid.direction[:, int(np.argmax(grid.spacing))]
    angle = np.radians(20.0)
    turn = np.eye(4)
    turn[:3, :3] = (
        np.cos(angle) * np.eye(3)
        - np.sin(angle) * np.cross(np.eye(3), normal)
        + (1 - np.cos(angle)) * np.outer(normal, normal)
    )
    turn[:3, 3] = grid.center - turn[:3, :3] @ grid.center
    low = float(scan.array.min())
    array = resample(scan.array, grid, grid, matrix=turn, fill=low)
    shares = [resample(truth == k, grid, grid, matrix=turn) for k in range(1, int(truth.max()) + 1)]
    organs = np.stack([np.full(truth.shape, 0.5, np.float32), *shares])
    return replace(scan, array=array), organs.argmax(axis=0).astype(np.uint8)


def with_sphere(scan: Volume, truth: np.ndarray, _window_mm: tuple[float, ...]) -> Altered:
    """A sphere of 25 mm, three times as bright as the brightest, in the corner of the body."""
    world = scan.grid.world(np.stack(np.indices(truth.shape), axis=-1))
    first = scan.grid.world(np.argwhere(truth).min(axis=0))
    away = np.linalg.norm(world - first, axis=-1)
    low, high = np.percentile(scan.array, (0.5, 99.5))
    array = scan.array.astype(np.float32)
    array[(away < 25) & (truth == 0)] = low + 3 * (high - low)
    return replace(scan, array=array), truth


def thinned(scan: Volume, truth: np.ndarray, _window_mm: tuple[float, ...]) -> Altered:
    """Three of ten slices, never the first or the last, show their neighbour instead."""
    axis = int(np.argmax(scan.grid.spacing))
    count = truth.shape[axis]
    chance = np.random.default_rng(0)
    lost = chance.choice(np.arange(1, count - 1), size=int(0.3 * count), replace=False)
    kept = np.setdiff1d(np.arange(count), lost)
    source = kept[np.abs(np.arange(count)[:, None] - kept).argmin(axis=1)]
    known = truth.copy()
    np.moveaxis(known, axis, 0)[lost] = 255
    return replace(scan, array=np.take(scan.array, source, axis=axis)), known


def uneven(scan: Volume, truth: np.ndarray, _window_mm: tuple[float, ...]) -> Altered:
    """A coil on one side: the gain falls from 1.4 to 0.6 along the first axis."""
    gain = np.linspace(1.4, 0.6, truth.shape[0], dtype=np.float32)[:, None, None]
    low = float(scan.array.min())
    return replace(scan, array=(scan.array - low) * gain + low), truth


def with_gamma(power: float) -> Way:
    def altered(scan: Volume, truth: np.ndarray, _window_mm: tuple[float, ...]) -> Altered:
        low, high = np.percentile(scan.array, (0.0, 99.8))
        unit = np.clip((scan.array.astype(np.float32) - low) / (high - low), 0, 1)
        return replace(scan, array=unit**power * (high - low) + low), truth

    return altered


WAYS: dict[str, tuple[Way, float]] = {
    "shifted by half a window": (shifted, PLACE),
    "cropped to 10 mm around the organs": (cropped, PLACE),
    "turned by 20 degrees": (turned, PLACE),
    "a bright sphere": (with_sphere, LOOK),
    "30 % of the slices missing": (thinned, LOOK),
    "uneven coil": (uneven, LOOK),
    "gamma 0.7": (with_gamma(0.7), LOOK),
    "gamma 1.4": (with_gamma(1.4), LOOK),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int, help="so many validation cases only")
    parser.add_argument("--ways", nargs="*", default=list(WAYS))
    wanted = parser.parse_args()
    bundle = load_bundle(default_store().find(wanted.model))
    cohort = read_cohort(wanted.cohort, bundle.card)
    with wanted.out.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(("case", "role", "way", "allowed", "dice"))
        for pair in islice(cohort.validation, wanted.cases):
            for role, scan in pair.scans.items():
                if scan.labels is None:
                    continue
                volume = read_volume(scan.image)
                truth = read_label_map(scan.labels, cohort.table, cohort.unannotated).array
                for way, score in scores(bundle, role, volume, truth, wanted.ways):
                    allowed = WAYS[way][1] if way in WAYS else ""
                    writer.writerow((pair.id, role, way, allowed, f"{score:.4f}"))
                    handle.flush()


def scores(bundle, role, volume, truth, ways):
    """Mean Dice of the scan as it is, and of every way of altering it."""
    grid = bundle.card.grid
    window_mm = tuple(np.array(grid.window) * grid.spacing)
    plain: Way = lambda scan, labels, _: (scan, labels)  # noqa: E731
    for way in (AS_IT_IS, *ways):
        alter = plain if way == AS_IT_IS else WAYS[way][0]
        scan, labels = alter(volume, truth, window_mm)
        found = segment({role: scan}, bundle, SegmentSettings()).labels[role].array
        organs = [dice(found, labels, label.value) for label in bundle.card.table]
        yield way, float(np.nanmean(organs))


def _cut(scan: Volume, array: np.ndarray, corner: np.ndarray) -> Volume:
    affine = scan.grid.affine.copy()
    affine[:3, 3] = scan.grid.world(corner)
    return replace(scan, array=array, grid=Grid(shape=array.shape, affine=affine))


if __name__ == "__main__":
    main()
