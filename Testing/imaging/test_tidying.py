"""Intensities, pieces and holes, and scans that do not look like their role."""

from dataclasses import replace

import numpy as np
import pytest
from cmcseg.bundle.store import task_card
from cmcseg.core.card import CleaningRule, InputSpec
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging.components import clean, filled, largest_piece, touching
from cmcseg.imaging.intensity import CLIP, normalise
from cmcseg.imaging.role_checks import name_warnings, role_warnings
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

GRID = Grid(shape=(10, 10, 10), affine=np.eye(4))
ABDOMEN = task_card("abdomen")
HEART = task_card("heart")
MASKS = arrays(np.bool_, st.tuples(*[st.integers(1, 6)] * 3))
FACES = [v for v in np.ndindex(3, 3, 3) if sum(abs(x - 1) for x in v) == 1]


def volume(array, **facts):
    return Volume(
        array=np.asarray(array), grid=Grid(shape=array.shape, affine=np.eye(4)), facts=facts
    )


def slow_piece(mask, seed):
    """All voxels that a walk over faces reaches."""
    reached, edge = {seed}, [seed]
    while edge:
        place = edge.pop()
        for step in FACES:
            other = tuple(p + s - 1 for p, s in zip(place, step, strict=True))
            inside = all(0 <= o < n for o, n in zip(other, mask.shape, strict=True))
            if inside and mask[other] and other not in reached:
                reached.add(other)
                edge.append(other)
    return reached


@given(MASKS)
@settings(max_examples=60, deadline=None)
def test_the_largest_piece_is_what_a_walk_over_faces_reaches(mask):
    found = largest_piece(mask)
    pieces = [slow_piece(mask, tuple(place)) for place in np.argwhere(mask).tolist()]
    places = set(map(tuple, np.argwhere(found).tolist()))
    assert len(places) == max(map(len, pieces), default=0)
    assert not places or places in pieces


def test_of_organs_that_touch_only_the_piece_that_holds_most_is_kept():
    """A false left ventricle far away is larger than the true one, but has no heart around it."""
    array = np.zeros((10, 10, 10), dtype=np.uint8)
    array[1:5, 1:5, 1:5] = 2
    array[2:4, 2:4, 2:4] = 3
    array[5:7, 1:5, 1:5] = 1
    heart = array.copy()
    array[7:10, 7:10, 7:10] = 3
    names = ("right ventricle", "myocardium", "left ventricle")
    table = task_card("heart").table
    each = array.copy()
    clean(array, table, CleaningRule(joined=names))
    assert np.array_equal(array, heart)
    clean(each, table, CleaningRule(largest=names))
    assert (each == 3).sum() == 27  # the false one


@given(MASKS, st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_what_touches_a_seed_is_what_a_walk_from_it_reaches(mask, seed):
    seeds = np.random.default_rng(seed).random(mask.shape) < 0.1
    reached = {p for at in np.argwhere(mask & seeds).tolist() for p in slow_piece(mask, tuple(at))}
    assert set(map(tuple, np.argwhere(touching(mask, seeds)).tolist())) == reached


@given(MASKS)
@settings(max_examples=60, deadline=None)
def test_what_is_filled_cannot_be_reached_from_outside(mask):
    air = np.pad(~mask, 1, constant_values=True)
    outside = np.zeros_like(air)
    outside[tuple(np.array(sorted(slow_piece(air, (0, 0, 0)))).T)] = True
    assert np.array_equal(filled(mask), ~outside[1:-1, 1:-1, 1:-1])


@pytest.mark.parametrize("order", ["C", "F"])
def test_cleaning_touches_only_what_the_card_names(order):
    array = np.zeros(GRID.shape, np.uint8)
    array[0:5, 0:5, 0:5] = 1
    array[2, 2, 2] = 0  # a hole in the liver
    array[9, 9, 9] = 1  # a stray piece of it
    array[7:9, 0:2, 0:2] = 4
    array[7:9, 8:10, 0:2] = 4  # a second piece of spleen, of which the rule says nothing
    found = array.copy(order)
    clean(found, ABDOMEN.table, CleaningRule(largest=("liver",), fill_holes=("liver",)))
    assert found[2, 2, 2] == 1
    assert found[9, 9, 9] == 0
    assert np.array_equal(found == 4, array == 4)


def test_a_filled_hole_takes_nothing_from_another_organ():
    array = np.zeros(GRID.shape, np.uint8)
    array[2:8, 2:8, 2:8] = 1
    array[4:6, 4:6, 4:6] = 2
    rule = CleaningRule(largest=(), fill_holes=("liver",))
    found = array.copy()
    clean(found, ABDOMEN.table, rule)
    assert np.array_equal(found, array)


CT = InputSpec(role="ct", title="CT", modality="CT", intensity="window", window=(-160.0, 240.0))
MR = InputSpec(role="mr", title="MR", modality="MR", intensity="standardise")


def test_a_window_maps_its_ends_to_minus_one_and_one():
    array = np.array([-1000, -160, 40, 240, 3000], np.int16).reshape(5, 1, 1)
    found = normalise(volume(array), CT).ravel()
    np.testing.assert_allclose(found, [-1, -1, 0, 1, 1], atol=1e-6)
    assert found.dtype == np.float32


@given(st.floats(0.01, 50), st.floats(-200, 900), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_standardised_scan_forgets_its_scale_and_offset(gain, offset, seed):
    array = np.random.default_rng(seed).gamma(2.0, 50.0, (12, 12, 6))
    first = normalise(volume(array.astype(np.float32)), MR)
    again = normalise(volume((gain * array + offset).astype(np.float32)), MR)
    np.testing.assert_allclose(first, again, atol=0.02)
    assert CLIP[0] <= first.min()
    assert first.max() <= CLIP[1]


def a_body(fluid):
    """Tissue of 100 to 500 in air, and a sphere of fluid brighter than all of it."""
    chance = np.random.default_rng(0)
    array = chance.normal(0, 5, (40, 40, 24)).astype(np.float32)
    body = (slice(6, 34), slice(6, 34))
    array[body] = np.clip(chance.gamma(4.0, 60.0, array[body].shape), 100, 500)
    away = np.linalg.norm(
        np.indices(array.shape) - np.array([20, 20, 12])[:, None, None, None], axis=0
    )
    return np.where(away < 6, fluid, array).astype(np.float32)


def test_a_bright_fluid_does_not_darken_the_rest():
    limited = replace(MR, brightest=3.1)
    tissue = a_body(300) < 299

    def seen(fluid, spec):
        return normalise(volume(a_body(fluid)), spec)[tissue]

    dark = np.abs(seen(5000, MR) - seen(1000, MR)).mean()
    assert np.abs(seen(5000, limited) - seen(1000, limited)).mean() < 0.2 * dark


def test_the_limit_changes_nothing_in_a_scan_without_bright_fluid():
    plain = volume(a_body(300))
    np.testing.assert_array_equal(
        normalise(plain, MR), normalise(plain, replace(MR, brightest=3.1))
    )


@pytest.mark.parametrize("margin", [2, 12])
def test_the_share_of_air_in_the_view_changes_little(margin):
    body = np.random.default_rng(0).normal(400, 60, (20, 20, 20)).astype(np.float32)

    def seen(air):
        noise = np.random.default_rng(1).normal(0, 2, [20 + 2 * air] * 3).astype(np.float32)
        inner = (slice(air, air + 20),) * 3
        return normalise(volume(np.pad(body, air) + noise), MR)[inner]

    found, expected = seen(margin), seen(5)
    assert found.mean() == pytest.approx(expected.mean(), abs=0.02)
    assert found.std() == pytest.approx(expected.std(), abs=0.02)


def a_ct(**facts):
    return volume(np.random.default_rng(0).integers(-1000, 300, (8, 8, 8)), **facts)


def an_mr(**facts):
    return volume(np.random.default_rng(0).integers(0, 900, (8, 8, 8)), **facts)


def test_a_label_map_in_a_scan_s_place_is_doubted():
    labels = volume(np.random.default_rng(0).integers(0, 4, (8, 8, 8)))
    (sentence,) = role_warnings({"mr": labels}, ABDOMEN)
    assert sentence == (
        "The scan given as MR holds a handful of whole numbers only, as label maps do. Is it the "
        "scan itself?"
    )


def test_names_that_speak_of_the_other_role_are_doubted():
    right = {"bssfp": "01_bSSFP.nii.gz", "lge": "01-LGE.nii.gz"}
    assert name_warnings(right, HEART) == []
    assert name_warnings({"ct": "mr.nii.gz", "mr": "ct.nii.gz"}, ABDOMEN) == []  # values tell
    assert name_warnings({"bssfp": "a.nii.gz", "lge": "lge_on_cine.nii.gz"}, HEART) == []
    told = name_warnings({"bssfp": right["lge"], "lge": "cine.nii.gz"}, HEART)
    assert told == [
        "The scan given as bSSFP is called 01-LGE.nii.gz, as if it were LGE. Are the roles "
        "swapped?",
        "The scan given as LGE is called cine.nii.gz, as if it were bSSFP. Are the roles swapped?",
    ]


def test_scans_that_look_like_their_roles_raise_no_doubt():
    assert role_warnings({"ct": a_ct(modality="CT"), "mr": an_mr(modality="MR")}, ABDOMEN) == []


@pytest.mark.parametrize(
    ("scans", "words"),
    [
        ({"ct": an_mr()}, "The scan given as CT has hardly any negative values, as CT has for fat"),
        ({"mr": a_ct()}, "The scan given as MR has many strongly negative values, as CT has"),
        ({"ct": a_ct(modality="MR")}, "The scan given as CT says it is MR."),
    ],
)
def test_scans_that_do_not_look_like_their_roles_are_doubted(scans, words):
    (sentence,) = role_warnings(scans, ABDOMEN)
    assert sentence.startswith(words)
    assert sentence.endswith("Are the roles swapped?")
