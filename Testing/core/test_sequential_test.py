"""However often one looks, what is not above is said to be so in at most one stream of twenty."""

import numpy as np
import pytest
from cmcseg.core.sequential_test import (
    ERROR,
    FIRST,
    allowed,
    can_be_shown,
    lower_end,
    more_cases,
    one_by_one,
    shown_after,
)

STREAMS = 600
CHANCE = 3 * (ERROR * (1 - ERROR) / STREAMS) ** 0.5  # three standard deviations


def streams(mean, scatter, cases, draw="standard_normal", seed=1):
    rng = np.random.default_rng(seed)
    size = (STREAMS, cases)
    values = rng.standard_t(3, size) / 3**0.5 if draw == "t" else getattr(rng, draw)(size)
    return mean + scatter * values


@pytest.mark.parametrize("draw", ["standard_normal", "t"])
def test_what_is_no_better_is_called_better_in_at_most_one_of_twenty_streams(draw):
    told = [shown_after(one_by_one(row)) is not None for row in streams(0.0, 0.02, 16, draw)]
    assert np.mean(told) < ERROR + CHANCE


def test_what_is_worse_is_hardly_ever_called_better():
    told = [shown_after(one_by_one(row)) is not None for row in streams(-0.01, 0.02, 16)]
    assert np.mean(told) < 0.01


def test_the_error_is_spent_little_by_little_and_never_used_up():
    spent = [allowed(n) for n in range(60)]
    assert spent[FIRST - 1] == 0
    assert all(a < b for a, b in zip(spent[FIRST - 1 :], spent[FIRST:], strict=False))
    assert spent[-1] < ERROR


@pytest.mark.parametrize("cases", [7, 10])
def test_a_change_that_can_be_shown_is_shown_in_eight_of_ten_streams(cases):
    change = can_be_shown(cases, 0.02)
    told = [shown_after(one_by_one(row)) is not None for row in streams(change, 0.02, cases)]
    assert 0.74 < np.mean(told) < 0.88


def test_six_gains_in_a_row_are_the_fewest_that_show_anything():
    gains = np.full(FIRST, 0.01) + np.arange(FIRST) / 1e4
    assert shown_after(one_by_one(gains)) == FIRST
    assert shown_after(one_by_one(gains[:-1])) is None
    assert shown_after(one_by_one(np.concatenate([-gains[:1], gains[1:]]))) is None
    assert lower_end(one_by_one(gains[:-1])) == -1


def test_the_lower_end_holds_for_the_true_mean():
    told = [lower_end(one_by_one(row)) <= 0.01 for row in streams(0.01, 0.02, 9)[:300]]
    assert np.mean(told) > 1 - ERROR - CHANCE


def test_what_was_shown_is_not_forgotten_and_not_moved_by_a_level():
    row = streams(0.02, 0.01, 12)[0]
    looks = one_by_one(row)
    at = shown_after(looks)
    longer = one_by_one(np.concatenate([row, -row]))
    assert shown_after(one_by_one(row[:at])) == at == shown_after(longer)
    assert lower_end(looks + 0.05) == pytest.approx(lower_end(looks) + 0.05, abs=0.001)


def test_more_cases_are_promised_only_where_they_would_help():
    row = streams(0.01, 0.02, 7)[3] * 0 + np.array([0.02, -0.01, 0.03, 0.01, 0.02, -0.005, 0.02])
    more = more_cases(one_by_one(row))
    assert 0 < more < 20
    assert more_cases(one_by_one(-row)) is None
    assert more_cases(one_by_one(row[:1])) is None


def test_who_looks_once_sees_more_than_who_looks_after_every_case():
    rows = streams(0.015, 0.02, 10)
    once = [shown_after(row[None]) is not None for row in rows]
    often = [shown_after(one_by_one(row)) is not None for row in rows]
    assert np.mean(once) > np.mean(often) + 0.02


@pytest.mark.parametrize("alike", [0.0, 0.7])
def test_cases_that_are_judged_anew_at_every_look_are_no_second_chances(alike):
    """A useless candidate, and after every second case all earlier ones are judged by another."""
    rng = np.random.default_rng(2)
    told = []
    for _ in range(STREAMS):
        lasting = rng.standard_normal(16)
        anew = alike**0.5 * lasting + (1 - alike) ** 0.5 * rng.standard_normal((6, 16))
        seen = np.arange(16) < np.arange(6, 18, 2)[:, None]
        told.append(shown_after(np.where(seen, 0.02 * anew, np.nan)) is not None)
    assert np.mean(told) < ERROR + CHANCE


def test_what_was_judged_anew_replaces_what_was_thought_before():
    gains = 0.01 + np.arange(8) / 1e4
    before = np.where(np.arange(8) < 6, -gains, np.nan)
    assert shown_after(before[None]) is None
    assert shown_after(np.stack([before, gains])) == 8
