import numpy as np
import pytest
from cmcseg.queue.rank import Candidate, doubt_score, rank

PAIRS = [Candidate(pair=f"p{k}", doubt=k / 10) for k in range(10)]


def test_nobody_is_left_out_or_named_twice():
    assert sorted(c.pair for c in rank(PAIRS, seed=3)) == [c.pair for c in PAIRS]


def test_the_most_doubtful_comes_first_whatever_the_order_given():
    assert rank(PAIRS[::-1], seed=1) == rank(PAIRS, seed=1)
    assert rank(PAIRS, seed=1)[0].pair == "p9"


def test_every_second_place_is_drawn_by_chance():
    places = {seed: [c.pair for c in rank(PAIRS, seed=seed)] for seed in range(200)}
    seconds = [order[1] for order in places.values()]
    assert set(seconds) == {f"p{k}" for k in range(9)}
    thirds = [order[2] for order in places.values()]
    assert set(thirds) == {"p8", "p7"}  # p8, unless chance has taken it


def test_a_small_organ_in_doubt_counts_as_much_as_a_large_one():
    labels = np.zeros((10, 10, 10), dtype=np.uint8)
    labels[:8], labels[9, 9, 9] = 1, 2
    doubt = np.zeros(labels.shape)
    doubt[labels == 2] = 1.0
    assert doubt_score({"ct": doubt}, {"ct": labels}) == pytest.approx(0.5)


def test_a_scan_in_which_nothing_was_found_is_all_doubt():
    assert doubt_score({"ct": np.zeros((2, 2, 2))}, {"ct": np.zeros((2, 2, 2), np.uint8)}) == 1.0
