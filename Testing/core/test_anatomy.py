"""Sentences about scans of another region and about patients in a mirror."""

from dataclasses import replace

import numpy as np
import pytest
from cmcseg.bundle.store import task_card
from cmcseg.core.anatomy import anatomy_warnings
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.volume import Volume

GRID = Grid(shape=(40, 30, 20), affine=np.diag([-8.0, -8.0, 8.0, 1.0]))
# First and last i, which runs to the left, and size along j.
PLACES = {
    "liver": (2, 14, 18),
    "right kidney": (4, 9, 6),
    "left kidney": (30, 34, 6),
    "spleen": (33, 38, 9),
}


@pytest.fixture
def an_abdomen():
    table = task_card("abdomen").table
    array = np.zeros(GRID.shape, np.uint8)
    for name, (first, last, size) in PLACES.items():
        j = 2 if "kidney" in name else 10
        array[first:last, j : j + size, 4:12] = table.named(name).value
    return LabelMap(array=array, grid=GRID, table=table)


def told(labels, level=0.0, mirrored=None):
    doubt = Volume(array=np.full(GRID.shape, level, np.float32), grid=GRID)
    return anatomy_warnings(labels, doubt, "ct", mirrored)


def test_organs_in_their_places_say_nothing(an_abdomen):
    assert told(an_abdomen) == []


def test_what_is_mostly_in_doubt_asks_for_the_region(an_abdomen):
    assert told(an_abdomen, 0.9) == [
        "100% of what was found in the ct scan is in doubt. Does it show the region the model is "
        "made for?"
    ]


def test_nothing_at_all_asks_for_the_region(an_abdomen):
    nothing = replace(an_abdomen, array=np.zeros(GRID.shape, np.uint8))
    assert told(nothing) == [
        "No organ was found in the ct scan. Does it show the region the model is made for?"
    ]


def test_organs_on_the_wrong_side_doubt_the_header(an_abdomen):
    mirrored = replace(an_abdomen, array=an_abdomen.array[::-1].copy())
    (sentence,) = told(mirrored)
    assert "lies to the left of the" in sentence
    assert sentence.endswith("Does its header mirror the patient?")


def test_a_spleen_larger_than_the_liver_doubts_the_header(an_abdomen):
    array, table = an_abdomen.array.copy(), an_abdomen.table
    liver = array == table.named("liver").value
    liver[:4] = False
    array[liver] = 0
    array[33:39, 8:29] = table.named("spleen").value
    large = replace(an_abdomen, array=array)
    asks = "In the ct scan the spleen is larger than the liver. Does its header mirror the patient?"
    assert told(large) == told(large, mirrored=(0.11, 0.09)) == [asks]
    assert told(large, mirrored=(0.06, 0.12)) == []  # an ill spleen: the mirror is no better


def test_far_less_doubt_in_a_mirror_doubts_the_header(an_abdomen):
    assert told(an_abdomen, mirrored=(0.25, 0.11)) == [
        "In the ct scan 25% of what was found is in doubt, and in a mirror 11% would be. Does its "
        "header mirror the patient?"
    ]
    assert told(an_abdomen, mirrored=(0.17, 0.13)) == []  # hardly less
    assert told(an_abdomen, mirrored=(0.46, 0.26)) == []  # it is no scan as the model knows them


def test_the_ventricles_have_sides_by_their_names():
    table = task_card("heart").table
    array = np.zeros(GRID.shape, np.uint8)
    array[10:15, 5:15, 5:10] = table.named("left ventricle").value
    array[20:25, 5:15, 5:10] = table.named("right ventricle").value
    (sentence,) = told(LabelMap(array=array, grid=GRID, table=table))
    assert "the right ventricle lies to the left of the left ventricle" in sentence
