"""What a cache holds of a truth: nothing where nobody drew."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cmcseg.core.labelmap import UNANNOTATED
from cmcseg.data.cache import open_cache
from cmcseg.data.cohort import read_cohort
from cmcseg.data.prepare import prepare
from cmcseg.imaging.files import read_label_map, read_volume, write_label_map, write_volume
from tiny import tiny_card, tiny_pairs


def prepared(folder, step_mm):
    """The caches of one MR whose slices lie so far apart, to train on and to validate on."""
    card = tiny_card()
    cases = tiny_pairs(folder, 2)
    for case in cases:
        volume = read_volume(folder / case["mr"])
        truth = read_label_map(folder / case["mr_labels"], card.table)
        affine = volume.grid.affine @ np.diag([1, 1, step_mm / volume.grid.spacing[2], 1])
        grid = replace(volume.grid, affine=affine)
        write_volume(replace(volume, grid=grid), folder / case["mr"])
        write_label_map(replace(truth, grid=grid), folder / case["mr_labels"])
        del case["ct"], case["ct_labels"]
    content = {"training": cases[:1], "validation": cases[1:]}
    (folder / "cohort.json").write_text(json.dumps(content))
    prepare(read_cohort(folder / "cohort.json", card), card, folder / "cache")
    labels = [np.load(scan.labels) for scan in open_cache(folder / "cache").scans]
    return [(one != UNANNOTATED).any(axis=(0, 1)) for one in labels], card.grid.spacing[2]


def test_nothing_is_learned_in_the_gap_between_slices_that_lie_far_apart(tmp_path):
    (train, validation), step = prepared(tmp_path, 23.0)
    assert validation.mean() > 0.9
    assert train.mean() == pytest.approx(step / 23.0, abs=0.03)


def test_slices_close_enough_say_what_lies_between_them(tmp_path):
    (train, _), _ = prepared(tmp_path, 9.0)
    assert train.mean() > 0.9
