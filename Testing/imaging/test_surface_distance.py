import itertools

import numpy as np
import pytest
from cmcseg.core.grid import Grid
from cmcseg.imaging.surface_distance import hausdorff95, surface_scores

GRID = Grid(shape=(14, 13, 12), affine=np.diag([1.0, 2.0, 3.5, 1.0]))


def blob(seed):
    """A few random boxes on the grid."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(GRID.shape, dtype=bool)
    for _ in range(3):
        start = rng.integers(0, 8, size=3)
        stop = start + rng.integers(1, 6, size=3)
        mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


def slow_twin(found, truth):
    """Every surface voxel against every other, one by one."""
    spacing = np.array(GRID.spacing)

    def surface(mask):
        places = {tuple(p) for p in np.argwhere(mask)}
        steps = [s for s in itertools.product((-1, 0, 1), repeat=3) if sum(map(abs, s)) == 1]
        return spacing * [
            p for p in sorted(places) if any(tuple(np.add(p, s)) not in places for s in steps)
        ]

    a, b = surface(found), surface(truth)
    gaps = np.linalg.norm(a[:, None] - b[None], axis=-1)
    return max(np.percentile(gaps.min(axis=1), 95), np.percentile(gaps.min(axis=0), 95))


@pytest.mark.parametrize("seed", range(6))
def test_it_equals_the_distance_of_every_voxel_to_every_other(seed):
    found, truth = blob(seed), blob(seed + 100)
    assert hausdorff95(found, truth, GRID) == pytest.approx(slow_twin(found, truth), abs=1e-4)


def test_a_mask_lies_on_itself():
    assert hausdorff95(blob(1), blob(1), GRID) == 0.0


def test_a_shift_is_measured_in_millimetres():
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[3:8, 3:8, 3:8] = True
    assert hausdorff95(np.roll(mask, 2, axis=2), mask, GRID) == pytest.approx(7.0)


def test_an_empty_mask_is_infinitely_far_and_two_have_no_distance():
    empty = np.zeros(GRID.shape, dtype=bool)
    assert hausdorff95(empty, blob(0), GRID) == np.inf
    assert np.isnan(hausdorff95(empty, empty, GRID))


def test_surfaces_a_step_apart_agree_from_that_tolerance_on():
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[4:8, 4:8, 4:8] = True
    moved = np.roll(mask, 2, axis=2)  # 7 mm
    assert surface_scores(mask, mask, GRID, 0.0) == (0.0, 1.0)
    shares = [surface_scores(moved, mask, GRID, tolerance)[1] for tolerance in (0.0, 3.5, 7.0)]
    assert shares == sorted(shares)
    assert shares[0] < 1
    assert shares[2] == 1.0
    assert surface_scores(mask, np.zeros_like(mask), GRID, 1.0) == (np.inf, 0.0)
