"""A number with its noun."""

import pytest
from cmcseg.core.counted import counted


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 pairs"), (1, "1 pair"), (2, "2 pairs"), (1200, "1200 pairs")]
)
def test_one_is_told_in_the_singular(number, told):
    assert counted(number, "pair") == told


def test_a_noun_without_an_s_is_given():
    assert counted(1, "entry is", "entries are") == "1 entry is"
    assert counted(3, "entry is", "entries are") == "3 entries are"
