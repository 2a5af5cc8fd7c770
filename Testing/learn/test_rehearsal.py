"""What a model may teach itself, and what it may not."""

import numpy as np
import pytest
from cmcseg.core.grid import Grid
from cmcseg.data.cache import CachedScan
from cmcseg.learn.predictions import Answer
from cmcseg.learn.rehearsal import own_answers

SHAPE = (4, 4, 4)


@pytest.fixture
def a_scan(tmp_path):
    """A scan to learn from that nobody has labelled, for a model of two organs."""
    return CachedScan(
        pair="a",
        role="ct",
        split="train",
        image=tmp_path / "a.npy",
        labels=None,
        known=(True, True, True),
        dense=False,
        grid=Grid(shape=SHAPE, affine=np.eye(4)),
    )


@pytest.fixture
def answers():
    """Sure of one half, and not of the other."""
    sureness = np.full(SHAPE, 0.9, np.float16)
    sureness[2:] = 0.6
    return {("a", "ct"): Answer(labels=np.ones(SHAPE, np.uint8), sureness=sureness)}


def test_it_teaches_itself_only_what_it_is_sure_of(a_scan, answers, tmp_path):
    (taught,) = own_answers((a_scan,), answers, tmp_path / "own")
    labels = np.load(taught.labels)
    assert (labels[:2] == 1).all()
    assert (labels[2:] == 255).all()
    assert taught.known == (True, True, True)
    assert taught.own
    assert not a_scan.own


def test_it_does_not_teach_the_absence_of_an_organ_that_it_does_not_know(a_scan, answers, tmp_path):
    (taught,) = own_answers((a_scan,), answers, tmp_path / "own", frozenset({2}))
    assert taught.known == (True, True, False)
