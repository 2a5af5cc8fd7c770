"""Which scans the windows of training come from, and in what contrast."""

from dataclasses import replace

import pytest
from cmcseg.core.settings import TrainSettings
from cmcseg.data.batches import DEGREES, LYING, Batches
from cmcseg.data.cache import PHANTOM
from cmcseg.data.transforms import draw_look, draw_placement
from tiny import tiny_cache

SETTINGS = TrainSettings(steps=200, paired=0.0, foreign=0.0)


@pytest.fixture(scope="module")
def a_cache(tmp_path_factory):
    """One real pair and three phantoms, in a window of a few voxels."""
    cache = tiny_cache(tmp_path_factory.mktemp("batches"), train=4, validation=1)
    card = replace(cache.card, grid=replace(cache.card.grid, window=(8, 8, 8)))
    scans = tuple(
        scan if scan.pair == "case0" else replace(scan, pair=f"{PHANTOM}{scan.pair}")
        for scan in cache.scans
    )
    return replace(cache, card=card, scans=scans)


def batches(cache, settings):
    return Batches(cache.card, settings, [cache.of("train", role) for role in cache.card.roles])


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_phantoms_come_as_often_as_asked_however_many_there_are(a_cache, share):
    drawn = batches(a_cache, replace(SETTINGS, phantoms=share))
    cases = [case for step in range(150) for case in drawn[step].cases]
    seen = sum(case.startswith(PHANTOM) for case in cases) / len(cases)
    assert seen == pytest.approx(share, abs=0.08)  # 0.08: 3 deviations of 300 draws


@pytest.mark.parametrize(("corrected", "share"), [(1, 1 / 2), (2, 1 / 3)])
def test_all_that_a_model_labelled_itself_counts_as_one_scan(a_cache, corrected, share):
    phantoms = sorted({scan.pair for scan in a_cache.scans if scan.phantom})
    own = phantoms[corrected - 1 :]
    scans = tuple(
        replace(scan, pair=scan.pair.replace(PHANTOM, "own-" if scan.pair in own else ""))
        for scan in a_cache.scans
    )
    scans = tuple(replace(scan, own=scan.pair.startswith("own-")) for scan in scans)
    drawn = batches(replace(a_cache, scans=scans), replace(SETTINGS, phantoms=0.3))
    cases = [case for step in range(150) for case in drawn[step].cases]
    seen = sum(case.startswith("own-") for case in cases) / len(cases)
    assert seen == pytest.approx(share, abs=0.09)  # 0.09: 3 deviations of 300 draws


def test_a_cohort_of_phantoms_alone_is_trained_on_all_the_same(a_cache):
    only = replace(a_cache, scans=tuple(scan for scan in a_cache.scans if scan.phantom))
    batch = batches(only, replace(SETTINGS, phantoms=0.0))[0]
    assert all(case.startswith(PHANTOM) for case in batch.cases)


def test_only_the_mr_takes_on_a_foreign_contrast(a_cache, monkeypatch):
    drawn = []

    def noted(rng, *, foreign, strength):
        drawn.append(foreign)
        return draw_look(rng, foreign=foreign, strength=strength)

    monkeypatch.setattr("cmcseg.data.batches.draw_look", noted)
    shown = batches(a_cache, replace(SETTINGS, foreign=0.5))
    for step in range(40):
        shown[step]
    ct, mr = drawn[::2], drawn[1::2]
    assert a_cache.card.roles == ("ct", "mr")
    assert not any(ct)
    assert 10 <= sum(mr) <= 30  # 20 expected, 3 deviations either side


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_a_share_of_the_windows_is_turned_however_light_the_rest(a_cache, share, monkeypatch):
    asked = []

    def noted(*arguments, degrees, **options):
        asked.append(degrees)
        return draw_placement(*arguments, degrees=degrees, **options)

    monkeypatch.setattr("cmcseg.data.batches.draw_placement", noted)
    drawn = batches(a_cache, replace(SETTINGS, augment=0.3, turned=share))
    for step in range(150):
        assert drawn[step].images
    light = tuple(0.3 * most for most in DEGREES[a_cache.card.grid.follow_scan])
    assert set(asked) == ({light, LYING} if share else {light})
    assert asked.count(LYING) / len(asked) == pytest.approx(share, abs=0.09)
