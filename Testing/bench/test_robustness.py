"""The ways of altering a scan keep scan and truth together, and a shift costs next to nothing."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import shipped_folder
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import read_label_map, read_volume

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "CMCSegmentation" / "Resources" / "SampleData"
spec = importlib.util.spec_from_file_location("robustness", ROOT / "bench" / "robustness.py")
robustness = importlib.util.module_from_spec(spec)
spec.loader.exec_module(robustness)

GRID = Grid(shape=(20, 24, 9), affine=np.diag([2.0, 2.0, 6.0, 1.0]))
PLACES = ("shifted by half a window", "cropped to 10 mm around the organs", "turned by 20 degrees")


@pytest.fixture
def a_truth():
    truth = np.zeros(GRID.shape, np.uint8)
    truth[8:14, 9:17, 3:7] = 1
    return truth


@pytest.mark.parametrize("way", PLACES)
def test_a_change_of_place_moves_the_truth_with_the_scan(a_truth, way):
    scan = Volume(array=a_truth * np.float32(100), grid=GRID)
    altered, labels = robustness.WAYS[way][0](scan, a_truth, (96.0, 96.0, 48.0))
    assert altered.grid.shape == altered.array.shape == labels.shape
    np.testing.assert_array_equal(altered.array > 50, labels == 1)
    moved = altered.grid.world(np.argwhere(labels).mean(axis=0))
    before = GRID.world(np.argwhere(a_truth).mean(axis=0))
    far = np.linalg.norm(moved - before)
    assert 0.5 < far < 15 if "turned" in way else far < 1e-6


def test_slices_that_are_missing_are_not_compared(a_truth):
    scan = Volume(array=np.broadcast_to(np.arange(9.0), GRID.shape).copy(), grid=GRID)
    altered, labels = robustness.thinned(scan, a_truth, ())
    gone = (labels == 255).all(axis=(0, 1))
    assert gone.sum() == 2
    assert (altered.array[0, 0, gone] != np.arange(9.0)[gone]).all()
    assert (altered.array[0, 0, ~gone] == np.arange(9.0)[~gone]).all()


def test_the_heart_is_found_alike_when_it_lies_half_a_window_aside():
    bundle = load_bundle(shipped_folder() / "heart-bssfp-lge")
    scan = read_volume(SAMPLES / "CMCSegHeart_bssfp.nii.gz")
    path = SAMPLES / "CMCSegHeart_bssfp_truth.nii.gz"
    truth = read_label_map(path, bundle.card.table).array
    found = dict(robustness.scores(bundle, "bssfp", scan, truth, PLACES[:1]))
    # One rendered heart; the mean over patients may fall by half as much.
    assert found[PLACES[0]] > found["as it is"] - 2 * robustness.PLACE
