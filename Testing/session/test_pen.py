"""From a line of a hand to the voxels that it runs through."""

import numpy as np
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.mark import MOST_VOXELS
from cmcseg.session.pen import mark_of

GRID = Grid(shape=(300, 300, 2), affine=np.eye(4))


def scribble(rows):
    """To and fro over a slice, 280 voxels a row."""
    ends = [(x, y, 0.0) for y in range(rows) for x in ((0, 279) if y % 2 == 0 else (279, 0))]
    return np.array(ends, dtype=float)


def marked(rows):
    return mark_of(scribble(rows), GRID, "CT", 1, is_organ=True, seconds=1.0)


def test_the_longest_stroke_is_taken_and_a_row_more_is_told_with_its_length():
    most = MOST_VOXELS // 280
    assert len(marked(most).voxels) == 280 * most
    told = f"A stroke of {280 * (most + 1)} voxels is too long; draw several shorter ones."
    with pytest.raises(BadInput, match=told):
        marked(most + 1)
