"""From doubt to expected error, and whether the doubt is of any use."""

import pytest
from cmcseg.queue.calibration import FEWEST, calibrate
from hypothesis import given
from hypothesis import strategies as st

SHARES = st.floats(0, 1)


def test_errors_that_follow_the_doubt_are_foreseen():
    line = calibrate([(d, 0.1 + 0.5 * d) for d in (0.1, 0.2, 0.3, 0.5, 0.8)])
    assert line.error(0.4) == pytest.approx(0.3)
    assert line.miss == pytest.approx(0, abs=1e-9)
    assert line.miss_without > 0.05


def test_a_doubt_that_says_nothing_is_told_as_such():
    line = calibrate([(doubt, error) for doubt in (0.1, 0.4, 0.7) for error in (0.1, 0.3)])
    assert line.error(0.9) == pytest.approx(0.2)
    assert line.miss >= line.miss_without


def test_more_doubt_never_promises_a_smaller_error():
    line = calibrate([(d, 0.6 - 0.5 * d) for d in (0.1, 0.2, 0.3, 0.5, 0.8)])
    assert line.slope == 0
    assert line.error(0.9) == line.error(0.0)


def test_a_few_pairs_are_not_enough():
    assert calibrate([(0.1, 0.2)] * (FEWEST - 1)) is None
    assert calibrate([(0.1, 0.2)] * FEWEST).error(0.7) == pytest.approx(0.2)


@given(st.lists(st.tuples(SHARES, SHARES), min_size=FEWEST, max_size=12), SHARES, SHARES)
def test_an_error_is_a_share_and_grows_with_the_doubt(points, one, other):
    line = calibrate(points)
    low, high = sorted((one, other))
    assert 0 <= line.error(low) <= line.error(high) <= 1
