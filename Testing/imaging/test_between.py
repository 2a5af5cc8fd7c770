"""Empty slices between drawn ones."""

import numpy as np
from cmcseg.imaging.between import filled_between

SPACING = (1.0, 2.0, 5.0)


def disc(radius, middle=(20, 10), shape=(40, 20)):
    i, j = np.indices(shape)
    return np.hypot((i - middle[0]) * SPACING[0], (j - middle[1]) * SPACING[1]) < radius


def cone(planes, radii, size=9):
    mask = np.zeros((40, 20, size), dtype=bool)
    for k, radius in zip(planes, radii, strict=True):
        mask[:, :, k] = disc(radius)
    return mask


def test_a_cone_drawn_at_its_ends_is_a_cone():
    filled = filled_between(cone((1, 7), (6, 12)), SPACING)
    whole = cone(range(1, 8), range(6, 13))
    assert (filled != whole).mean() < 0.01
    assert not filled[:, :, 0].any()


def test_drawn_slices_stay_as_they_are_and_a_whole_organ_changes_nothing():
    drawn = cone((1, 3, 7), (6, 12, 6))
    filled = filled_between(drawn, SPACING)
    for k in (1, 3, 7):
        assert (filled[:, :, k] == drawn[:, :, k]).all()
    whole = cone(range(2, 6), (5, 6, 7, 8))
    assert filled_between(whole, SPACING) is whole
    assert not filled_between(np.zeros((3, 3, 3), dtype=bool), SPACING).any()


def test_slices_of_any_direction_are_filled():
    drawn = cone((1, 5), (8, 8), size=7)
    turned = filled_between(drawn.transpose(2, 0, 1), (SPACING[2], SPACING[0], SPACING[1]))
    assert (turned == filled_between(drawn, SPACING).transpose(2, 0, 1)).all()
    assert turned[3].any()
