"""What a scan says for its labels, whatever its contrast and without any model."""

from dataclasses import replace

import numpy as np
import pytest
from cmcseg.core.grid import Grid
from cmcseg.learn.boundary_evidence import _fits, _shells, evidence
from hypothesis import given, settings
from hypothesis import strategies as st

GRID = Grid(shape=(40, 36, 24), affine=np.diag([5.0, 5.0, 5.0, 1.0]))


def organs(offset=(0, 0, 0)):
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    for value, corner in enumerate(((22, 10, 8), (8, 12, 6)), 1):
        x, y, z = np.array(corner) + offset
        labels[x : x + 10, y : y + 12, z : z + 9] = value
    return labels


def scan(labels, contrast=(0.0, 1.0, 0.6), noise=0.4, seed=0):
    """Organs brighter than what lies around them, which is not even."""
    rng = np.random.default_rng(seed)
    waves = np.sin(np.arange(GRID.shape[0]) / 3)[:, None, None] * 0.3
    return np.choose(labels, contrast) + waves + rng.normal(0, noise, GRID.shape)


def test_true_labels_fit_in_their_place():
    found = evidence(scan(organs()), organs(), GRID)
    assert found.lead > 8
    assert found.away == 0


@given(st.floats(0.2, 5.0), st.floats(-100, 100), st.booleans())
@settings(max_examples=5, deadline=None)
def test_what_is_bright_and_what_is_dark_says_nothing(gain, offset, inverted):
    plain = scan(organs())
    other = (-plain if inverted else plain) * gain + offset
    one, two = (evidence(image, organs(), GRID) for image in (plain, other))
    assert two.away == one.away
    assert two.lead == pytest.approx(one.lead, rel=0.05)


def test_moved_labels_fit_better_where_they_came_from():
    found = evidence(scan(organs()), organs((4, 0, 0)), GRID)
    assert found.lead < 2
    assert found.best > 6
    assert found.away == pytest.approx(20, abs=5)


def test_every_organ_speaks_for_itself():
    labels = organs()
    labels[labels == 2] = 0
    labels[organs((0, 4, 0)) == 2] = 2
    found = evidence(scan(organs()), labels, GRID)
    assert found.organs[1].away == 0
    assert found.organs[1].lead > 5
    assert found.organs[2].away == pytest.approx(20, abs=3)
    assert found.organs[2].lead < 3


def test_where_nothing_is_to_be_seen_no_place_is_better():
    noise = np.random.default_rng(1).normal(size=GRID.shape)
    found = evidence(noise, organs(), GRID)
    assert found.lead < 4
    assert found.best < 6


def test_even_intensities_and_missing_borders_are_no_error():
    assert evidence(np.zeros(GRID.shape), organs(), GRID).lead == 0
    assert evidence(scan(organs()), np.zeros(GRID.shape, np.uint8), GRID) is None
    strokes = np.full(GRID.shape, 255, np.uint8)
    strokes[25, 12:20, 10] = 1
    assert evidence(scan(organs()), strokes, GRID) is None


def test_the_end_of_a_mark_is_no_border():
    labels = np.full(GRID.shape, 255, np.uint8)
    labels[22:32, 10:22, 8:17] = 1
    labels[22:32, 10:22, 17:20] = 0  # background was marked on one side alone
    assert evidence(scan(organs()), labels, GRID) is None


def test_one_voxel_that_nobody_looked_at_does_not_silence_the_scan():
    labels = organs((4, 0, 0))
    labels[0, 0, 0] = 255
    found = evidence(scan(organs()), labels, GRID)
    assert found.best > 6


def test_the_fit_is_the_mutual_information_of_side_and_intensity():
    """Against the sum over sides and levels, written out for every move."""
    levels = np.random.default_rng(0).integers(0, 16, GRID.shape).astype(np.int16)
    shells = _shells(organs(), 1)
    moves = np.array([[0, 0, 0], [3, -2, 1], [12, 0, 0]])  # the last one leads out of the scan
    found = _fits(levels, shells, moves)
    for fit, move in zip(found, moves, strict=True):
        joint = np.zeros((2, 16))
        for side, spots in enumerate(shells):
            met = [levels[tuple(s)] for s in spots + move if (s < levels.shape).all()]
            joint[side] = np.bincount(met, minlength=16) / len(met) / 2
        slow = sum(
            joint[side, v] * np.log2(joint[side, v] / (0.5 * joint[:, v].sum()))
            for side in range(2)
            for v in range(16)
            if joint[side, v]
        )
        assert fit == pytest.approx(slow)


def test_thick_slices_are_moved_by_whole_slices():
    thick = replace(GRID, affine=np.diag([5.0, 5.0, 20.0, 1.0]))
    assert evidence(scan(organs()), organs(), thick).away == 0
