"""Mistakes that are no corrections, and corrections that are no mistakes."""

import numpy as np
import pytest
from cmcseg.bundle.store import task_card
from cmcseg.core.grid import Grid
from cmcseg.learn.plausible import implausible

TABLE = task_card("abdomen").table
GRID = Grid(shape=(60, 50, 40), affine=np.diag([5.0, 5.0, 5.0, 1.0]))
KNOWN = (True,) * 5


@pytest.fixture
def found():
    """Liver and right kidney on one side, left kidney and spleen on the other."""
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[32:55, 10:35, 15:35] = 1
    labels[34:44, 36:46, 5:18] = 2
    labels[12:22, 36:46, 5:18] = 3
    labels[4:14, 15:30, 18:32] = 4
    return labels


def why(corrected, found, known=KNOWN):
    return implausible(corrected, found, GRID, TABLE, known)


def test_a_moved_border_is_a_correction(found):
    corrected = found.copy()
    corrected[55:58, 10:35, 15:35] = 1
    corrected[34:36, 36:46, 5:18] = 0
    assert why(corrected, found) == ""


def test_an_organ_that_the_model_missed_is_a_correction(found):
    missed = np.where(found == 3, 0, found).astype(np.uint8)
    assert why(found, missed) == ""


def test_one_organ_that_was_taken_out_is_a_correction(found):
    nephrectomy = np.where(found == 2, 0, found).astype(np.uint8)
    assert why(nephrectomy, found) == ""


def test_swapped_kidneys_are_a_mistake(found):
    swapped = found.copy()
    swapped[found == 2], swapped[found == 3] = 3, 2
    assert why(swapped, found) == "right kidney and left kidney look swapped"


def test_labels_that_were_shifted_by_20_mm_are_a_mistake(found):
    assert why(np.roll(found, 4, axis=1), found) == "all labels look shifted by 20 mm"


def test_a_model_that_sees_islands_and_too_many_slices_is_corrected_not_believed(found):
    poor = found.copy()
    poor[2:6, 2:6, 2:6] = 1  # an island far from the liver
    poor[34:44, 36:46, 0:5] = 2  # slices that are no kidney any more
    poor[12:22, 36:46, 18:22] = 3
    assert why(found, poor) == ""


def test_emptied_labels_are_a_mistake(found):
    assert "were emptied" in why(np.zeros_like(found), found)


@pytest.mark.parametrize("seed", range(3))
def test_random_labels_are_a_mistake(found, seed):
    noise = np.random.default_rng(seed).integers(0, 5, found.shape).astype(np.uint8)
    assert "lie elsewhere" in why(noise, found)


def test_labels_of_another_patient_are_a_mistake(found):
    other = np.roll(found[::-1], 6, axis=2)
    other = np.where(other == 2, 3, np.where(other == 3, 2, other)).astype(np.uint8)
    assert why(other, found) != ""


def test_places_where_nobody_looked_say_nothing(found):
    partly = np.full_like(found, 255)
    partly[:, :, 10:20] = found[:, :, 10:20]
    assert why(partly, found) == ""


def test_organs_that_nobody_looked_at_say_nothing(found):
    liver_only = np.where(found == 1, 1, 0).astype(np.uint8)
    assert why(liver_only, found, (True, True, False, False, False)) == ""
