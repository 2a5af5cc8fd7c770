"""The trunk of an adult, scanned for the abdomen (CT and MR) or the heart (bSSFP and LGE)."""

import numpy as np

from cmcseg.core.grid import Grid
from cmcseg.data.phantoms.build import SHORT_AXES, Build, draw_build
from cmcseg.data.phantoms.geometry import place_tissues
from cmcseg.data.phantoms.phantom_kind import Faults, PhantomKind, grid_around, rotation
from cmcseg.data.phantoms.solids import Rng
from cmcseg.data.phantoms.tissue_contrast import bssfp, lge, portal_venous_ct, t2_spir

_STEP = (2.0, 2.0, 2.5)  # mm; fine enough for thin walls


def _abdomen_middle(rng: Rng) -> np.ndarray:
    """Patients lie as they like."""
    return rng.uniform(-1, 1, size=3) * (60, 40, 80)


def _heart_middle(rng: Rng) -> np.ndarray:
    return np.array([0.0, 5.0, -165.0]) + rng.uniform(-1, 1, size=3) * (10, 15, 50)


def _abdomen_pivot(build: Build) -> np.ndarray:
    return np.array([0.0, build.front, 40.0])


def _heart_pivot(build: Build) -> np.ndarray:
    return build.heart_base - 0.5 * build.heart_length * SHORT_AXES[:, 2]


def _abdomen_views(build: Build, middle: np.ndarray, rng: Rng) -> dict[str, Grid]:
    front, width, depth = build.front, build.half_width, build.half_depth
    axes = np.diag([-1.0, 1.0, 1.0])
    view = 2 * width * 1.04 + rng.uniform(4, 40)
    pixel = float(np.clip(view / 257, 1.2, 1.6))
    slab = float(rng.choice([3.0, 3.0, 3.0, 4.0, 5.0]))
    top, length = build.dome + rng.uniform(8, 35), rng.uniform(260, 400)
    tall = 2 * depth + rng.uniform(15, 50)
    shape = (257, int(tall / pixel), int(length / slab))
    center = middle + np.array([rng.normal(0, 5), front - 8, top - length / 2])
    ct = grid_around(center, axes, (pixel, pixel, slab), shape)
    slices = int(rng.integers(31, 39))
    offset = rng.normal(0, (8, 8, 6))
    center = middle + offset + np.array([0, front, build.dome + 15 - slices * 3.85])
    return {"ct": ct, "mr": grid_around(center, axes, (1.25, 1.25, 7.7), (256, 256, slices))}


def _heart_views(build: Build, middle: np.ndarray, rng: Rng) -> dict[str, Grid]:
    center = middle + _heart_pivot(build)
    tilt = rotation(rng.normal(size=3), rng.normal(0, 0.1)) @ SHORT_AXES
    offset = tilt @ rng.normal((-10, 0, 6), 8)
    slices = int(rng.integers(12, 16))
    cine = grid_around(center + offset, tilt, (1.25, 1.25, 8.0), (256, 256, slices))
    pixels, view = ((480, 350.0), (512, 384.0), (432, 324.0))[int(rng.integers(3))]
    offset = offset + tilt @ rng.normal(0, (6, 6, 2), size=3)
    spacing = (view / pixels, view / pixels, 5.0)
    shape = (pixels, pixels, int(rng.integers(15, 20)))
    return {"bssfp": cine, "lge": grid_around(center + offset, tilt, spacing, shape)}


def _abdomen_space(build: Build, middle: np.ndarray, views: dict[str, Grid]) -> Grid:
    # The second view must not run out of body; the first one must not depend on the motion.
    low, high = _bounds(views, np.eye(3), np.array([15.0, 15.0, 35.0]))
    half = np.array([build.half_width * 1.15 + 6, build.half_depth + 6, 1e3])
    center = middle + np.array([0, build.front, 0])
    low = np.maximum(low, center - half - (0, 20, 0))
    high = np.minimum(high, center + half)
    return _filled(low, high, np.eye(3))


def _heart_space(build: Build, middle: np.ndarray, views: dict[str, Grid]) -> Grid:  # noqa: ARG001
    axes = views["bssfp"].direction
    return _filled(*_bounds(views, axes, np.array([15.0, 15.0, 25.0])), axes)


def _bounds(
    views: dict[str, Grid], axes: np.ndarray, spare: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    corners = np.concatenate([grid.corners() for grid in views.values()]) @ axes
    return corners.min(axis=0) - spare, corners.max(axis=0) + spare


def _filled(low: np.ndarray, high: np.ndarray, axes: np.ndarray) -> Grid:
    shape = tuple(np.ceil((high - low) / _STEP).astype(int).tolist())
    return grid_around(axes @ (low + high) / 2, axes, _STEP, shape)


ABDOMEN = PhantomKind(
    organs=("liver", "right kidney", "left kidney", "spleen"),
    contrasts={"ct": portal_venous_ct, "mr": t2_spir},
    faults={"mr": Faults(bias=0.25, noise=(0.010, 0.035))},
    draw=draw_build,
    middle=_abdomen_middle,
    pivot=_abdomen_pivot,
    views=_abdomen_views,
    space=_abdomen_space,
    place_tissues=place_tissues,
)
HEART = PhantomKind(
    organs=("right ventricle", "myocardium", "left ventricle"),
    contrasts={"bssfp": bssfp, "lge": lge},
    faults={
        "bssfp": Faults(bias=0.2, noise=(0.02, 0.05), near_coil=True),
        "lge": Faults(bias=0.25, noise=(0.03, 0.09), near_coil=True),
    },
    draw=draw_build,
    middle=_heart_middle,
    pivot=_heart_pivot,
    views=_heart_views,
    space=_heart_space,
    place_tissues=place_tissues,
)
