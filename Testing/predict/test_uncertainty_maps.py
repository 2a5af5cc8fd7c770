"""Doubt: entropy, disagreement, and what trust has to do with it."""

import numpy as np
import pytest
from cmcseg.predict.uncertainty_maps import combine, disagreement


def probabilities(seed, shape=(4, 3, 2, 5)):
    p = np.random.default_rng(seed).random(shape).astype(np.float32)
    return p / p.sum(axis=0)


def test_disagreement_is_the_total_variation_distance():
    p, q = probabilities(0), probabilities(1)
    slow = np.zeros(p.shape[1:])
    for place in np.ndindex(p.shape[1:]):
        slow[place] = max(  # the largest gap of any set of classes
            sum(p[(k, *place)] - q[(k, *place)] for k in range(4) if chosen >> k & 1)
            for chosen in range(16)
        )
    np.testing.assert_allclose(disagreement(p, q), slow, atol=1e-6)


def test_who_says_the_same_does_not_disagree():
    p = probabilities(0)
    assert disagreement(p, p).max() == 0


def test_who_is_sure_of_different_organs_disagrees_fully():
    first, second = np.zeros((2, 3, 1, 1, 1), np.float32)
    first[1], second[2] = 1, 1
    assert disagreement(first, second).item() == 1


def test_disagreement_does_not_depend_on_who_is_first():
    p, q = probabilities(0), probabilities(1)
    np.testing.assert_array_equal(disagreement(p, q), disagreement(q, p))


def test_disagreement_is_small_numbers_in_single_precision():
    assert disagreement(probabilities(0), probabilities(1)).dtype == np.float32


def test_a_scan_alone_has_its_entropy_only():
    entropy = np.array([0.2, 0.7])
    assert combine(entropy, None, 0.9) is entropy


def test_without_trust_the_other_scan_raises_no_doubt():
    entropy = np.array([0.2, 0.7])
    assert combine(entropy, np.array([1.0, 1.0]), 0.0) is entropy


@pytest.mark.parametrize(("trust", "expected"), [(1.0, [0.8, 0.7]), (0.5, [0.4, 0.7])])
def test_doubt_is_the_larger_of_both_as_far_as_trust_goes(trust, expected):
    doubt = combine(np.array([0.2, 0.7]), np.array([0.8, 0.1]), trust)
    np.testing.assert_allclose(doubt, expected)
