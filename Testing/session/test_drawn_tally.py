"""Counting what an edit changed says what measuring the whole scan says."""

import numpy as np
import pytest
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.core.organ_findings import organ_findings
from cmcseg.core.prediction import Prediction
from cmcseg.core.volume import Volume
from cmcseg.session.changes import differences
from cmcseg.session.drawn_tally import DrawnTally
from cmcseg.session.ports import Edit

GRID = Grid(shape=(9, 8, 7), affine=np.diag([2.0, 2.0, 3.0, 1.0]))
TABLE = LabelTable(
    labels=tuple(
        Label(value=n, name=name, color="#112233") for n, name in ((1, "liver"), (2, "spleen"))
    )
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def labels(array):
    return LabelMap(array=array.astype(np.uint8), grid=GRID, table=TABLE)


@pytest.mark.parametrize("steps", [0, 1, 30])
def test_a_tally_equals_the_slow_measure_of_the_whole(rng, steps):
    found = labels(rng.integers(0, 3, GRID.shape))
    doubt = Volume(array=rng.random(GRID.shape).astype(np.float32), grid=GRID)
    drawn = found.array.copy()
    tally = DrawnTally(found, found, doubt)
    for _step in range(steps):
        low = rng.integers(0, np.array(GRID.shape) - 1)
        size = rng.integers(1, np.array(GRID.shape) - low + 1)
        where = tuple(map(slice, low, low + size))
        before = drawn[where].copy()
        drawn[where] = rng.integers(0, 3, size)
        tally.apply(
            Edit(key="x", low=tuple(map(int, low)), before=before, after=drawn[where].copy())
        )
    whole = Prediction(
        labels={"ct": labels(drawn)}, doubt={"ct": doubt}, model="m", version="1", sha256="0"
    )
    assert tally.findings() == organ_findings(whole, "ct")
    assert tally.changes("ct") == differences("ct", found, labels(drawn))
