"""The interval of a mean difference holds what it should."""

import math

import numpy as np
import pytest
from cmcseg.core.paired import paired_interval


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        _, low, high = paired_interval(rng.normal(0.1, 1, 30).tolist())
        held += low <= 0.1 <= high
    assert 88 <= held <= 100


def test_equal_differences_leave_no_doubt_and_one_case_leaves_all():
    assert paired_interval([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)
    middle, low, high = paired_interval([0.5, float("nan")])
    assert middle == 0.5
    assert math.isnan(low)
    assert math.isnan(high)


def test_it_turns_with_its_sign():
    values = [0.1, -0.2, 0.4, 0.3]
    middle, low, high = paired_interval(values)
    back = paired_interval([-value for value in values])
    assert back == pytest.approx((-middle, -high, -low), abs=1e-6)
