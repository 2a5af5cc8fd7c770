"""Mistakes that are no corrections, and corrections that are no mistakes."""

from types import SimpleNamespace

import numpy as np
import pytest
from cmcseg.bundle.store import task_card
from cmcseg.core.grid import Grid
from cmcseg.learn.finetune import _left_out
from cmcseg.learn.label_checks import implausible
from cmcseg.learn.predictions import Answer

TABLE = task_card("abdomen").table
GRID = Grid(shape=(60, 50, 40), affine=np.diag([5.0, 5.0, 5.0, 1.0]))
KNOWN = (True,) * 5
NOTHING = np.zeros(GRID.shape, dtype=np.uint8)


@pytest.fixture
def truth():
    """Liver and right kidney on the patient's right, left kidney and spleen on the left."""
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[32:55, 10:35, 15:35] = 1
    labels[34:44, 36:46, 5:18] = 2
    labels[12:22, 36:46, 5:18] = 3
    labels[4:14, 15:30, 18:32] = 4
    return labels


def scan_of(labels, seed=0):
    """Brighter organs in a body that is not even."""
    rng = np.random.default_rng(seed)
    waves = np.sin(np.arange(GRID.shape[0]) / 4)[:, None, None] * 20
    return np.choose(labels, (0, 60, 100, 100, 80)) + waves + rng.normal(0, 25, GRID.shape)


def why(corrected, found, image, known=KNOWN, grid=GRID):
    return implausible(image, corrected, found, grid, TABLE, known)


def test_a_moved_border_is_a_correction(truth):
    found = truth.copy()
    found[53:55, 10:35, 15:35] = 0
    found[34:36, 36:46, 5:18] = 0
    assert why(truth, found, scan_of(truth)) == ""


def test_an_organ_that_the_model_missed_is_a_correction(truth):
    missed = np.where(truth == 3, 0, truth).astype(np.uint8)
    assert why(truth, missed, scan_of(truth)) == ""


def test_one_organ_that_was_taken_out_is_a_correction(truth):
    nephrectomy = np.where(truth == 2, 0, truth).astype(np.uint8)
    assert why(nephrectomy, truth, scan_of(nephrectomy)) == ""


def test_true_labels_are_true_however_poor_the_model(truth):
    image = scan_of(truth)
    noise = np.random.default_rng(0).integers(0, 5, truth.shape).astype(np.uint8)
    upside_down = np.ascontiguousarray(truth[:, ::-1, ::-1])
    swapped = np.choose(truth, (0, 1, 3, 2, 4)).astype(np.uint8)
    for found in (NOTHING, noise, upside_down, swapped):
        assert why(truth, found, image) == ""


def test_swapped_kidneys_are_a_mistake_even_where_the_model_swaps_them(truth):
    swapped = np.choose(truth, (0, 1, 3, 2, 4)).astype(np.uint8)
    for found in (truth, swapped, NOTHING):
        sentence = why(swapped, found, scan_of(truth))
        assert sentence == "right kidney and left kidney look swapped"


def test_one_kidney_under_the_others_name_is_a_mistake(truth):
    crossed = np.where(truth == 2, 0, np.where(truth == 3, 2, truth)).astype(np.uint8)
    sentence = why(crossed, truth, scan_of(truth))
    assert sentence == "right kidney and left kidney look swapped"


def test_sides_are_the_patients_not_the_arrays(truth):
    lps = Grid(shape=GRID.shape, affine=np.diag([-5.0, -5.0, 5.0, 1.0]))
    turned = np.ascontiguousarray(truth[::-1, ::-1])
    assert why(turned, NOTHING, scan_of(turned), grid=lps) == ""
    assert why(truth, NOTHING, scan_of(truth), grid=lps).endswith("look swapped")


@pytest.mark.parametrize("axis", range(3))
def test_labels_that_were_shifted_by_20_mm_are_a_mistake(truth, axis):
    moved = np.roll(truth, 4, axis=axis)
    for found in (truth, moved, NOTHING):
        assert "fits the scan better about 2" in why(moved, found, scan_of(truth))


@pytest.mark.parametrize("value", range(1, 5))
def test_one_organ_that_was_shifted_by_20_mm_is_a_mistake(truth, value):
    moved = np.where(truth == value, 0, truth).astype(np.uint8)
    moved[np.roll(truth == value, 4, axis=1)] = value
    name = list(TABLE)[value - 1].name
    assert why(moved, truth, scan_of(truth)) == f"the {name} fits the scan better about 20 mm away"


def test_emptied_labels_are_a_mistake(truth):
    for found in (truth, NOTHING):
        assert "were emptied" in why(NOTHING, found, scan_of(truth))
    liver_only = np.where(truth == 1, 1, 0).astype(np.uint8)
    assert "were emptied" in why(liver_only, truth, scan_of(truth))
    no_liver = np.where(truth == 1, 0, truth).astype(np.uint8)
    assert why(no_liver, np.where(truth == 1, 1, 0), scan_of(truth)) == "the liver was emptied"


@pytest.mark.parametrize("seed", range(3))
def test_random_labels_are_a_mistake(truth, seed):
    noise = np.random.default_rng(seed).integers(0, 5, truth.shape).astype(np.uint8)
    for found in (truth, NOTHING):
        assert why(noise, found, scan_of(truth)) != ""


def test_labels_of_another_patient_are_a_mistake_though_they_overlap(truth):
    other = np.zeros_like(truth)
    other[30:50, 14:42, 11:29] = 1
    other[31:42, 33:41, 2:16] = 2
    other[15:26, 40:48, 7:22] = 3
    other[7:19, 12:25, 16:26] = 4
    shared = 2 * ((other == truth) & (truth > 0)).sum() / ((other > 0).sum() + (truth > 0).sum())
    assert shared > 0.4
    for found in (truth, NOTHING):
        assert why(other, found, scan_of(truth)) != ""


def test_where_nothing_is_to_be_seen_agreement_with_the_model_is_enough(truth):
    noise = np.random.default_rng(0).normal(size=truth.shape)
    assert why(truth, truth, noise) == ""
    sentence = "the organs fit the scan no better than after moving them at random"
    assert why(truth, NOTHING, noise) == sentence


def test_places_where_nobody_looked_say_nothing(truth):
    partly = np.full_like(truth, 255)
    partly[:, :, 10:20] = truth[:, :, 10:20]
    assert why(partly, truth, scan_of(truth)) == ""
    moved = np.where(partly == 255, 255, np.roll(truth, 4, axis=0)).astype(np.uint8)
    assert why(moved, truth, scan_of(truth)) != ""


def test_one_organ_that_is_not_there_is_no_mistake(truth):
    known = (True, False, True, False, False)
    assert why(NOTHING, NOTHING, scan_of(truth), known) == ""


def test_single_strokes_are_no_mistake(truth):
    strokes = np.full_like(truth, 255)
    for corner, value in (((40, 20, 25), 1), ((38, 40, 10), 2), ((2, 2, 2), 0)):
        x, y, z = corner
        strokes[x : x + 5, y, z] = value
    for found in (truth, NOTHING):
        assert why(strokes, found, scan_of(truth)) == ""


def test_organs_that_nobody_looked_at_say_nothing(truth):
    liver_only = np.where(truth == 1, 1, 0).astype(np.uint8)
    known = (True, True, False, False, False)
    assert why(liver_only, truth, scan_of(truth), known) == ""


def test_a_model_has_no_say_about_organs_that_it_has_not_learned(truth, tmp_path):
    """What an untrained one sees is noise, and one organ of four may be drawn first."""
    np.save(tmp_path / "image.npy", scan_of(truth))
    np.save(tmp_path / "labels.npy", np.where(truth == 1, truth, 0))
    scan = SimpleNamespace(pair="a", role="ct", phantom=False, known=KNOWN, grid=GRID)
    scan.image, scan.labels = tmp_path / "image.npy", tmp_path / "labels.npy"
    said = {("a", "ct"): Answer(labels=truth, sureness=np.ones(GRID.shape))}
    card = task_card("abdomen")
    assert "were emptied" in _left_out([scan], said, card, frozenset())["a"]
    assert _left_out([scan], said, card, frozenset((1, 2, 3, 4))) == {}
