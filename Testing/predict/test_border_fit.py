"""Borders that a coarse grid left beside an edge of the scan go to the edge; others stay."""

import itertools

import numpy as np
import pytest
from cmcseg.core.card import CleaningRule
from cmcseg.data.synthesis import make_pair
from cmcseg.learn.scores import dice
from cmcseg.predict import border_fit as module
from cmcseg.predict.border_fit import FLAT, fit_borders
from tiny import tiny_card

MM = (1.7, 1.7, 3.0)


def as_it_is(values):
    return values.astype(np.float32)


def fitted(labels, image, spacing=MM, radius_mm=5.0):
    out = labels.copy(order="K")
    fit_borders(out, image, as_it_is, spacing, radius_mm)
    return out


def a_ball(shape=(26, 24, 14), middle=(12, 11, 6), radius_mm=14.0, spacing=MM):
    away = (np.indices(shape).T - middle) * spacing
    return (np.linalg.norm(away, axis=-1) < radius_mm).T.astype(np.uint8)


def slow(labels, image, radius):
    """The formulas of the paper, a voxel at a time."""
    shape = labels.shape

    def around(values, place):
        cuts = [slice(max(0, p - r), p + r + 1) for p, r in zip(place, radius, strict=True)]
        return values[tuple(cuts)].mean(dtype=np.float64)

    every = list(itertools.product(*map(range, shape)))
    image = image.astype(np.float64)
    joins = {}
    for value in set(labels[labels > 0].tolist()):
        mask = (labels == value).astype(np.float64)
        slope, offset = np.zeros(shape), np.zeros(shape)
        for place in every:
            mean, share = around(image, place), around(mask, place)
            variance = around(image * image, place) - mean**2
            slope[place] = (around(image * mask, place) - mean * share) / (variance + FLAT)
            offset[place] = share - slope[place] * mean
        joins[value] = np.array(
            [around(slope, at) * image[at] + around(offset, at) > 0.5 for at in every]
        ).reshape(shape)
    out = labels.copy()
    for value, mask in joins.items():
        out[(labels == value) & ~mask] = 0
    for value, mask in sorted(joins.items()):
        out[mask & (out == 0)] = value
    return out


def test_it_is_the_published_filter():
    rng = np.random.default_rng(0)
    labels = a_ball((17, 16, 11), (8, 7, 5), 11.0)
    labels[9:] *= 2  # two organs that touch
    image = (labels > 0) * 0.6 + rng.normal(0, 0.2, labels.shape)
    image = np.roll(image, 1, axis=1).astype(np.float32)
    assert np.array_equal(fitted(labels, image), slow(labels, image, (3, 3, 2)))


def test_a_border_beside_an_edge_goes_to_the_edge():
    organ = a_ball()
    image = np.where(organ, 1.0, -0.5).astype(np.float32)
    beside = np.roll(organ, 1, axis=0)
    assert dice(beside, organ, 1) < 0.97
    assert dice(fitted(beside, image), organ, 1) > 0.995


def test_where_the_scan_has_no_edge_a_border_stays_where_it_is():
    plane = np.zeros((20, 20, 12), np.uint8)
    plane[:9] = 1
    assert np.array_equal(fitted(plane, np.full(plane.shape, 0.3, np.float32)), plane)


def test_an_organ_takes_nothing_that_another_keeps_and_both_keep_their_values():
    organ = a_ball()
    labels = organ.copy()
    labels[12:] *= 3
    image = np.where(organ, 1.0, -0.5).astype(np.float32)
    found = fitted(labels, image)  # between the two there is no edge
    assert set(np.unique(found)) == {0, 1, 3}
    assert not ((found == 3) & (labels == 1)).any()
    assert not ((found == 1) & (labels == 3)).any()


@pytest.mark.parametrize("spacing", [MM, (0.5, 0.8, 5.0), (0.6, 0.6, 0.6)])
def test_the_order_in_memory_and_the_slabs_change_nothing(spacing, monkeypatch):
    rng = np.random.default_rng(1)
    shape = (37, 31, 23)
    labels = a_ball(shape, (17, 15, 11), 8.0, spacing)
    image = (np.roll(labels, 1, axis=0) + rng.normal(0, 0.3, shape)).astype(np.float32)
    found = fitted(labels, image, spacing)
    turned = fitted(np.asfortranarray(labels), np.asfortranarray(image), spacing)
    assert turned.flags.f_contiguous
    assert (turned != found).mean() < 1e-4  # sums in another order
    monkeypatch.setattr(module, "SLAB", 3)
    assert np.array_equal(fitted(labels, image, spacing), found)


def test_means_on_a_fine_grid_come_close_to_the_filter_itself(monkeypatch):
    spacing, shape = (0.8, 0.8, 3.0), (60, 56, 16)
    organ = a_ball(shape, (30, 27, 8), 17.0, spacing)
    rng = np.random.default_rng(2)
    image = (organ + rng.normal(0, 0.2, shape)).astype(np.float32)
    beside = np.roll(organ, 2, axis=0)
    quick = fitted(beside, image, spacing)
    monkeypatch.setattr(module, "COARSE_MM", 0.1)
    exact = fitted(beside, image, spacing)
    assert dice(quick, exact, 1) > 0.99
    assert dice(beside, organ, 1) < 0.96 < 0.98 < dice(quick, organ, 1)


@pytest.mark.parametrize("where", [(0, 0, 0), (25, 23, 13)])
def test_an_organ_at_the_scans_own_edge_stays_whole(where):
    labels = a_ball(middle=where)
    image = labels.astype(np.float32)
    assert np.array_equal(fitted(labels, image), labels)


def test_an_organ_that_is_too_small_for_the_filter_stays_as_it_is():
    assert not fitted(np.zeros((9, 9, 9), np.uint8), np.zeros((9, 9, 9), np.float32)).any()
    vessel = np.zeros((24, 24, 12), np.uint8)
    vessel[11, 11:13] = 1  # thinner than any window, in a scan that shows nothing of it
    flat = np.full(vessel.shape, 0.4, np.float32)
    assert np.array_equal(fitted(vessel, flat), vessel)


@pytest.mark.parametrize("role", ["ct", "mr"])
def test_a_rendered_scan_gets_its_organs_back_that_a_coarse_grid_has_rounded(role):
    table = tiny_card().table
    scan = make_pair("abdomen", table, seed=3)[role]
    truth = scan.truth.array
    coarse = truth[1::3, 1::3].repeat(3, axis=0).repeat(3, axis=1)
    rounded = np.zeros_like(truth)
    rounded[: coarse.shape[0], : coarse.shape[1]] = coarse[: truth.shape[0], : truth.shape[1]]
    values = scan.volume.array.astype(np.float32)
    low, high = np.percentile(values, (1, 99))
    found = rounded.copy()
    normal = lambda part: ((part - low) / (high - low) * 4 - 2).astype(np.float32)  # noqa: E731
    fit_borders(found, values, normal, scan.volume.grid.spacing, 4.0)
    for label in table:
        if (truth == label.value).any():
            before, after = (dice(one, truth, label.value) for one in (rounded, found))
            assert after > before, label.name


@pytest.mark.parametrize("radius", [-1.0, 51.0, float("nan")])
def test_a_radius_that_cannot_be_is_refused(radius):
    with pytest.raises(ValueError, match="Borders cannot be fitted within"):
        CleaningRule(borders_mm=radius)
