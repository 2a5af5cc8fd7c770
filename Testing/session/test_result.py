"""The result table: an organ that the scan cuts off is marked, and the mark is explained."""

import numpy as np
import pytest
from cmcseg.bundle.store import task_card
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.prediction import Prediction
from cmcseg.core.volume import Volume
from cmcseg.session.result import Result, notes, organ_rows, volume_words

CARD = task_card("abdomen")
GRID = Grid(shape=(12, 12, 12), affine=np.diag([10.0, 10.0, 10.0, 1.0]))


@pytest.fixture
def a_result():
    """A liver that reaches the scan's edge beside a whole spleen."""
    array = np.zeros(GRID.shape, np.uint8)
    array[0:5, 2:6, 2:6] = 1
    array[7:10, 2:6, 2:6] = 4
    prediction = Prediction(
        labels={"ct": LabelMap(array=array, grid=GRID, table=CARD.table)},
        doubt={"ct": Volume(array=np.zeros(GRID.shape, np.float32), grid=GRID)},
        model=CARD.name,
        version="1.0.0",
        sha256="0" * 64,
        warnings=("The CT is very coarse.",),
    )
    return Result(
        card=CARD,
        scans={"ct": "key"},
        segmentations={},
        volumes={},
        prediction=prediction,
        rows=organ_rows(prediction, CARD),
        places=(),
    )


def test_a_cut_organ_is_marked_and_a_whole_one_is_not(a_result):
    shown = {
        row.organ: volume_words(row.found["ct"].ml, row.found["ct"].is_cut) for row in a_result.rows
    }
    assert (shown["liver"], shown["spleen"]) == ("80 (cut)", "48")


def test_the_mark_is_explained_after_the_warnings_where_there_is_one(a_result):
    warning, cut = notes(a_result, True)
    assert warning == "The CT is very coarse."
    assert cut == "(cut): the organ reaches the scan's edge, so this is the volume of a part."
    assert notes(a_result, False) == (warning,)
