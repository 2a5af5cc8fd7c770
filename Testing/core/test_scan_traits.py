"""What tells scanners apart, and for which scans a model's evidence holds."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cmcseg.bundle.store import task_card
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.scan_traits import (
    LOOKS_LIKE,
    ScanTraits,
    distance,
    groups_from_dict,
    groups_of,
    groups_to_dict,
    in_words,
    traits_of,
)
from cmcseg.core.volume import Volume

HEART = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "heart"


def a_scan(spacing=(1.5, 1.5, 10.0), shape=(120, 100, 9), seed=0, scale=1.0):
    values = np.random.default_rng(seed).gamma(2.0, scale, shape)
    return Volume(array=values, grid=Grid(shape=shape, affine=np.diag([*spacing, 1.0])))


def a_group(count=6, **traits):
    return groups_of(("bssfp", traits_of(a_scan(seed=k, **traits))) for k in range(count))


def test_lengths_are_in_millimetres_whatever_the_axes():
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        spacing, shape = (1.5, 1.5, 10.0), (120, 100, 9)
        turned = a_scan([spacing[k] for k in order], [shape[k] for k in order])
        found = traits_of(turned)
        assert (found.finest_mm, found.coarsest_mm, found.slices) == (1.5, 10.0, 9)
        assert found.field_mm == pytest.approx((180 * 150) ** 0.5)


def test_where_no_edge_is_longer_the_slices_are_along_the_last_axis():
    assert traits_of(a_scan((1.0, 1.0, 1.0), (30, 40, 50))).slices == 50


def test_the_values_count_whatever_their_scale_and_offset():
    scan = a_scan()
    other = Volume(array=scan.array * 37.0 - 1024.0, grid=scan.grid)
    assert traits_of(other).quantiles == pytest.approx(traits_of(scan).quantiles)
    assert traits_of(scan).quantiles[:3] == pytest.approx((0.171, 0.375, 0.663), abs=0.02)


def test_a_large_scan_is_sampled_in_its_slices_and_says_the_same():
    large, small = a_scan(shape=(900, 900, 9)), a_scan(shape=(225, 225, 9))
    assert traits_of(large).quantiles == pytest.approx(traits_of(small).quantiles, abs=0.02)
    assert traits_of(large).slices == 9


@pytest.mark.parametrize("values", [np.zeros, lambda s: np.full(s, np.nan)])
def test_a_scan_of_nothing_has_traits_too(values):
    scan = a_scan()
    found = traits_of(Volume(array=values(scan.grid.shape), grid=scan.grid))
    assert np.isfinite(found.features).all()


def test_a_scan_of_the_same_protocol_looks_like_the_group_and_another_does_not():
    group = a_group()
    assert distance(group, {"bssfp": traits_of(a_scan(seed=9, scale=80.0))}) < LOOKS_LIKE
    for strange in ({"spacing": (0.9, 0.9, 10.0)}, {"spacing": (1.5, 1.5, 5.0)}):
        assert distance(group, {"bssfp": traits_of(a_scan(seed=9, **strange))}) > LOOKS_LIKE


def test_of_two_scans_the_one_that_is_farther_counts_and_none_in_common_says_nothing():
    near, far = traits_of(a_scan(seed=9)), traits_of(a_scan((0.5, 0.5, 3.0)))
    group = {**a_group(), "lge": a_group()["bssfp"]}
    assert distance(group, {"bssfp": near, "lge": far}) == group["lge"].distance(far)
    assert distance(a_group(), {"bssfp": near, "lge": far}) == group["bssfp"].distance(near)
    assert distance(a_group(), {"ct": near}) is None


def test_what_goes_through_json_comes_back_and_what_is_no_group_is_none():
    group = a_group()
    found = groups_to_dict(group)
    assert json.loads(json.dumps(found)) == found
    assert groups_from_dict(found) == group
    scan = traits_of(a_scan())
    assert ScanTraits.from_dict(json.loads(json.dumps(scan.to_dict()))) == scan
    rest = found["bssfp"]
    for strange in (None, [], {"bssfp": 3}, {"bssfp": {**rest, "mean": [1]}},
                    {"bssfp": {**rest, "mean": ["a"] * 7}}, {"bssfp": {**rest, "slices": [1]}},
                    {"bssfp": {**rest, "scatter": [float("nan")] * 7}}):  # fmt: skip
        assert groups_from_dict(strange) == {}


def test_a_group_is_told_in_a_readers_words():
    scans = [a_scan((1.5, 1.5, gap), shape=(99, 99, n)) for gap, n in ((5.0, 18), (10.0, 6))]
    groups = groups_of(("bssfp", traits_of(scan)) for scan in scans)
    assert (
        in_words(groups, {"bssfp": "bSSFP"})
        == "bSSFP 1.5 mm, slices 5 to 10 mm apart, 6 to 18 of them"
    )
    cube = groups_of([("ct", traits_of(a_scan((0.75, 0.75, 0.75), (30, 30, 40))))])
    assert in_words(cube, {}) == "ct 0.75 mm, 40 slices"


@pytest.mark.skipif(not HEART.exists(), reason="the folder of real scans is not here")
def test_another_hospital_is_told_from_home_by_its_scans():
    from cmcseg.imaging.files import read_volume

    def some(place, count):
        paths = sorted((HEART / place).glob("*_bssfp.nii.gz"))[:count]
        return [traits_of(read_volume(path)) for path in paths]

    dijon = some("acdc/images", 20)
    group = groups_of(("bssfp", scan) for scan in dijon[:10])["bssfp"]
    assert np.median([group.distance(scan) for scan in dijon[10:]]) < LOOKS_LIKE
    for place in ("images", "unlabelled/images", "myops/images"):
        assert min(group.distance(scan) for scan in some(place, 10)) > LOOKS_LIKE


def test_a_card_keeps_the_kinds_of_scans_it_was_corrected_in():
    card = task_card("heart")
    card = replace(
        card,
        network=replace(card.network, shared_kernels=False),
        corrected={"bssfp": (a_group()["bssfp"], a_group(count=2)["bssfp"])},
    )
    told = json.loads(json.dumps(card.to_dict()))
    assert ModelCard.from_dict(told) == card
    for broken in ({"t1": []}, {"bssfp": [{"count": 1}]}, {"bssfp": 3}, []):
        with pytest.raises(BadInput, match="not a model card"):
            ModelCard.from_dict({**told, "corrected": broken})
    told["corrected"]["bssfp"][0]["mean"] = [0.0]
    with pytest.raises(BadInput, match="described by 7 numbers"):
        ModelCard.from_dict(told)
