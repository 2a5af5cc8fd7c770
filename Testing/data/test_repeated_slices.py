"""Slices whose truth was drawn on the slice beside them are found, and nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED
from cmcseg.data.cache import open_cache
from cmcseg.data.cohort import read_cohort
from cmcseg.data.prepare import prepare
from cmcseg.data.repeated_slices import repeated_slices, without
from cmcseg.imaging.files import read_label_map, read_volume, write_label_map, write_volume
from tiny import tiny_card, tiny_pairs

STACK = Grid(shape=(16, 16, 8), affine=np.diag([1.5, 1.5, 8.0, 1.0]))


@pytest.fixture
def a_truth():
    """A disk that grows from slice to slice."""
    x, y, z = np.indices(STACK.shape)
    return ((x - 8) ** 2 + (y - 8) ** 2 < (2 + 0.7 * z) ** 2).astype(np.uint8)


@pytest.fixture
def a_scan(a_truth):
    return a_truth * 100.0 + np.arange(8) * 10.0


def test_a_truth_that_changes_with_its_scan_repeats_nothing(a_truth, a_scan):
    assert repeated_slices(a_truth, a_scan, STACK) == ()


def test_of_equal_slices_all_but_the_middle_one_are_repeats(a_truth, a_scan):
    a_truth[..., 3] = a_truth[..., 2]
    a_truth[..., 6] = a_truth[..., 7] = a_truth[..., 5]
    assert repeated_slices(a_truth, a_scan, STACK) == (3, 5, 7)


def test_slices_without_organs_and_slices_whose_image_repeats_too_are_left_alone(a_truth, a_scan):
    a_truth[..., :3] = 0
    a_truth[..., 6], a_scan[..., 6] = a_truth[..., 5], a_scan[..., 5]
    assert repeated_slices(a_truth, a_scan, STACK) == ()


def test_it_does_not_matter_along_which_axis_the_slices_are_stored(a_truth, a_scan):
    a_truth[..., 3] = a_truth[..., 2]
    turned = Grid(shape=(8, 16, 16), affine=np.diag([8.0, 1.5, 1.5, 1.0]))
    labels, image = (np.moveaxis(a, 2, 0) for a in (a_truth, a_scan))
    assert repeated_slices(labels, image, turned) == (3,)
    left = without(labels, (3,), turned)
    assert (left[3] == UNANNOTATED).all()
    np.testing.assert_array_equal(np.delete(left, 3, 0), np.delete(labels, 3, 0))


def test_a_scan_of_cubes_has_no_slices_to_repeat(a_truth, a_scan):
    a_truth[..., 3] = a_truth[..., 2]
    cubes = replace(STACK, affine=np.diag([2.0, 2.0, 2.0, 1.0]))
    assert repeated_slices(a_truth, a_scan, cubes) == ()


def test_the_cache_gives_them_no_weight_in_training_and_counts_them(tmp_path):
    card = tiny_card()
    cases = tiny_pairs(tmp_path, 2)
    for case in cases:
        volume = read_volume(tmp_path / case["mr"])
        truth = read_label_map(tmp_path / case["mr_labels"], card.table)
        volume.array[..., 10] += 40
        affine = volume.grid.affine @ np.diag([1, 1, 1.5, 1])
        grid = replace(volume.grid, affine=affine)
        write_volume(replace(volume, grid=grid), tmp_path / case["mr"])
        write_label_map(replace(truth, grid=grid), tmp_path / case["mr_labels"])
        del case["ct"], case["ct_labels"]
    content = {"training": cases[:1], "validation": cases[1:]}
    (tmp_path / "cohort.json").write_text(json.dumps(content))
    cohort = read_cohort(tmp_path / "cohort.json", card)
    prepare(cohort, card, tmp_path / "cache")
    train, validation = open_cache(tmp_path / "cache").scans
    assert (train.repeated, validation.repeated) == (1, 1)
    share = [(np.load(scan.labels) == UNANNOTATED).mean() for scan in (train, validation)]
    assert share[0] > share[1]
