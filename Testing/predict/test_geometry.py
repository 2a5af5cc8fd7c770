"""The same patient, stored in another way, is segmented in the same places.

A phantom's MR is stored anew and segmented by the shipped model; the result is brought back to
the first scan's grid by its own header and compared there.
"""

import numpy as np
import pytest
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import shipped_folder, task_card
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.volume import Volume
from cmcseg.data.synthesis import make_pair
from cmcseg.imaging.resample import resample, resample_labels
from cmcseg.predict.segment import segment


@pytest.fixture(scope="module")
def a_bundle():
    torch.set_num_threads(2)
    return load_bundle(shipped_folder() / "abdomen-ct-mr")


@pytest.fixture(scope="module")
def a_scan():
    """The phantom's MR, thinned in-plane so that the tests are quick."""
    scan = make_pair("abdomen", task_card("abdomen").table, seed=1)["mr"].volume
    affine = scan.grid.affine @ np.diag([2.0, 2.0, 1.0, 1.0])
    return Volume(
        array=scan.array[::2, ::2], grid=Grid(shape=(128, 128, scan.grid.shape[2]), affine=affine)
    )


@pytest.fixture(scope="module")
def expected(a_bundle, a_scan):
    labels = labelled(a_bundle, a_scan)
    assert min(labels.volumes_ml().values()) > 40  # every organ is found
    return labels


def labelled(bundle, volume) -> LabelMap:
    return segment({"mr": volume}, bundle, SegmentSettings(device="cpu")).labels["mr"]


def reordered(volume, order, flips=()):
    """The same voxels with their axes in another order and some of them reversed."""
    affine = volume.grid.affine.copy()
    affine[:, :3] = affine[:, list(order)]
    array = volume.array.transpose(order)
    for axis in flips:
        affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
        affine[:3, axis] *= -1
        array = np.flip(array, axis)
    return Volume(array=np.ascontiguousarray(array), grid=Grid(shape=array.shape, affine=affine))


def cut(volume, low, high):
    """The voxels from ``low`` up to ``high``."""
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.world(np.asarray(low))
    array = volume.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return Volume(array=np.ascontiguousarray(array), grid=Grid(shape=array.shape, affine=affine))


def sampled(volume, grid):
    """The same patient on another grid."""
    return Volume(array=resample(volume.array.astype(np.float32), volume.grid, grid), grid=grid)


def agreement(found: LabelMap, expected: LabelMap) -> dict[str, float]:
    """Dice per organ on the grid of ``expected``, where ``found`` saw anything."""
    back = resample_labels(found, expected.grid)
    scores = {}
    for label in expected.table:
        a, b = back == label.value, expected.array == label.value
        scores[label.name] = 2 * (a & b).sum() / (a.sum() + b.sum())
    return scores


@pytest.mark.parametrize(
    ("order", "flips"),
    [((0, 1, 2), (0,)), ((0, 1, 2), (1, 2)), ((0, 2, 1), ()), ((2, 0, 1), (0, 1))],
    ids=["left-handed", "upside down", "coronal stack", "sagittal stack"],
)
def test_the_order_and_direction_of_axes_do_not_matter(a_bundle, a_scan, expected, order, flips):
    stored = reordered(a_scan, order, flips)
    found = labelled(a_bundle, stored)
    assert min(agreement(found, expected).values()) > 0.995


def test_a_tilted_stack_shows_the_same_organs(a_bundle, a_scan, expected):
    angle = np.radians(12)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    center = a_scan.grid.center
    turn[:3, 3] = center - turn[:3, :3] @ center
    found = labelled(a_bundle, sampled(a_scan, a_scan.grid.moved(turn)))
    assert min(agreement(found, expected).values()) > 0.85


def test_other_voxels_show_the_same_organs(a_bundle, a_scan, expected):
    shape = (110, 110, 60)
    affine = a_scan.grid.affine @ np.diag([128 / 110, 128 / 110, a_scan.grid.shape[2] / 60, 1.0])
    found = labelled(a_bundle, sampled(a_scan, Grid(shape=shape, affine=affine)))
    assert min(agreement(found, expected).values()) > 0.9


def test_a_smaller_view_shows_the_same_organs(a_bundle, a_scan, expected):
    places = np.argwhere(expected.array > 0)
    low = np.maximum(places.min(axis=0) - np.array([10, 10, 3]), 0)
    high = np.minimum(places.max(axis=0) + np.array([11, 11, 4]), a_scan.grid.shape)
    part = cut(a_scan, low, high)
    assert part.array.size < 0.8 * a_scan.array.size
    found = labelled(a_bundle, part)
    assert min(agreement(found, expected).values()) > 0.9


def test_a_short_axis_stack_may_be_stored_backwards():
    bundle = load_bundle(shipped_folder() / "heart-bssfp-lge")
    whole = make_pair("heart", task_card("heart").table, seed=1)["bssfp"].volume
    scan = cut(whole, (56, 56, 0), (200, 200, whole.grid.shape[2]))
    settings = SegmentSettings(device="cpu")
    expected = segment({"bssfp": scan}, bundle, settings).labels["bssfp"]
    stored = reordered(scan, (1, 0, 2), (0, 2))
    found = segment({"bssfp": stored}, bundle, settings).labels["bssfp"]
    assert min(expected.volumes_ml().values()) > 10
    assert min(agreement(found, expected).values()) > 0.995
