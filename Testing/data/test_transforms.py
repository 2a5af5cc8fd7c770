"""Augmentation: where windows lie."""

import numpy as np
import pytest
import torch
from cmcseg.data.transforms import draw_look, draw_placement, known_placement, relight
from hypothesis import given
from hypothesis import strategies as st

SPACING = (1.5, 1.5, 5.0)


def in_mm(matrix):
    """The matrix between millimetres instead of voxels."""
    return np.diag(SPACING) @ matrix @ np.diag(1 / np.array(SPACING))


@given(
    seed=st.integers(0, 2**31), shift=st.floats(0, 40), turn=st.floats(0, 90), bend=st.floats(0, 9)
)
def test_a_known_motion_is_as_large_as_asked(seed, shift, turn, bend):
    rng = np.random.default_rng(seed)
    at = known_placement(
        rng, np.array([9.0, 8.0, 7.0]), SPACING, shift_mm=shift, turn_degrees=turn, bend_mm=bend
    )
    way = (at.center - [9, 8, 7]) * SPACING
    assert np.linalg.norm(way) == pytest.approx(shift, abs=1e-9)
    turned = in_mm(at.matrix)
    assert np.allclose(turned @ turned.T, np.eye(3))
    assert np.trace(turned) == pytest.approx(1 + 2 * np.cos(np.radians(turn)))
    spread = (at.bumps * np.array(SPACING)[:, None, None, None]).std(ddof=1)
    assert spread == pytest.approx(bend, rel=0.25, abs=1e-12)


def test_a_stack_of_slices_hardly_leaves_its_plane():
    """Turns in the plane may be large, turns out of it are not: no scan mixes its slices."""
    tilts, turns = [], []
    for seed in range(300):
        matrix = in_mm(
            draw_placement(
                np.random.default_rng(seed), np.zeros(3), SPACING, degrees=(4.0, 4.0, 20.0)
            ).matrix
        )
        unit = matrix / np.linalg.norm(matrix, axis=0)
        tilts.append(np.degrees(np.arccos(unit[2, 2])))
        turns.append(abs(np.degrees(np.arctan2(unit[1, 0], unit[0, 0]))))
    assert max(tilts) < 6
    assert max(turns) > 15


def test_without_strength_a_window_is_cut_and_lit_as_it_is():
    rng = np.random.default_rng(0)
    at = draw_placement(
        rng, np.array([9.0, 8.0, 7.0]), SPACING, degrees=(0.0, 0.0, 0.0), strength=0.0
    )
    assert np.allclose(at.matrix, np.eye(3))
    assert not at.bumps.any()
    window = torch.randn(6, 5, 4, generator=torch.Generator().manual_seed(0))
    for seed in range(50):
        look = draw_look(np.random.default_rng(seed), strength=0.0)
        assert torch.equal(relight(window, look), window)


def test_half_the_strength_changes_half_as_often():
    changed = {
        strength: sum(
            draw_look(np.random.default_rng(seed), strength=strength).gamma != 1.0
            for seed in range(1000)
        )
        for strength in (0.5, 1.0)
    }
    assert changed[0.5] == pytest.approx(changed[1.0] / 2, rel=0.15)
