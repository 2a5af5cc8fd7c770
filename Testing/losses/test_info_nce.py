"""InfoNCE: the formula, and what it refuses."""

import math

import pytest
import torch
from cmcseg.losses.info_nce import info_nce
from slow_twins import slow_info_nce


def items(seed, shape=(2, 5, 7)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_it_is_the_formula():
    a, b = items(0), items(1)
    torch.testing.assert_close(
        info_nce(a, b, temperature=0.3).double(), slow_info_nce(a, b, 0.3), atol=1e-5, rtol=0
    )


def test_items_that_cannot_be_told_apart_cost_the_logarithm_of_their_number():
    same = torch.ones(1, 5, 7)
    torch.testing.assert_close(
        info_nce(same, same, temperature=0.1), torch.full((1, 5), math.log(5))
    )


def test_the_length_of_an_item_does_not_matter():
    a, b = items(0), items(1)
    torch.testing.assert_close(
        info_nce(a, b, temperature=0.1), info_nce(100 * a, 0.01 * b, temperature=0.1)
    )


def test_the_two_sides_may_be_swapped():
    a, b = items(0), items(1)
    torch.testing.assert_close(info_nce(a, b, temperature=0.1), info_nce(b, a, temperature=0.1))


def test_half_precision_around_it_does_not_blur_it():
    a, b = items(0), items(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = info_nce(a, b, temperature=0.1)
    assert torch.equal(inside, info_nce(a, b, temperature=0.1))


def test_items_that_do_not_correspond_are_refused():
    with pytest.raises(
        ValueError, match=r"^The items have shapes \(2, 5, 7\) and \(2, 4, 7\); they must agree\.$"
    ):
        info_nce(items(0), items(0, (2, 4, 7)), temperature=0.1)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match=r"^A temperature of 0 is not above 0\.$"):
        info_nce(items(0), items(1), temperature=0)
