"""Ramps: nothing before, everything after, never falling."""

import math

import pytest
from cmcseg.losses.ramps import rise
from hypothesis import given
from hypothesis import strategies as st


def test_nothing_before_the_start():
    assert rise(99, 100, 50) == 0.0


def test_everything_from_the_end_on():
    assert rise(150, 100, 50) == rise(10_000, 100, 50) == 1.0


def test_it_is_the_formula_half_way():
    assert rise(125, 100, 50) == pytest.approx(math.exp(-5 * 0.25))


def test_without_length_it_is_a_switch():
    assert (rise(6, 7, 0), rise(7, 7, 0)) == (0.0, 1.0)


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_it_never_falls(step, start, length):
    assert 0 <= rise(step, start, length) <= rise(step + 1, start, length) <= 1


def test_a_negative_length_is_refused():
    with pytest.raises(ValueError, match=r"^A ramp of -1 steps runs backwards\.$"):
        rise(0, 0, -1)
