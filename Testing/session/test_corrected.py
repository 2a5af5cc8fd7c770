"""A corrected result says what a human changed, and keeps the model's number beside it."""

from types import SimpleNamespace

import numpy as np
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.volume import Volume
from cmcseg.session.changes import differences
from cmcseg.session.corrected import corrected
from cmcseg.session.result import Result
from session_parts import predicted

GRID = Grid(shape=(12, 10, 8), affine=np.diag([2.0, 2.0, 3.0, 1.0]))


def result():
    scan = Volume(array=np.full(GRID.shape, 50, np.int16), grid=GRID)
    prediction = predicted({"ct": scan})
    card = SimpleNamespace(input=lambda _role: SimpleNamespace(title="CT"))
    return Result(
        card=card, scans={"ct": "k"}, segmentations={"ct": "s"}, volumes={"ct": scan},
        prediction=prediction, rows=(), places=(),
    )  # fmt: skip


def test_what_was_changed_is_said_with_the_models_number():
    of_model = result()
    found = of_model.prediction.labels["ct"]
    array = found.array.copy()
    array[:2] = 2
    drawn = {"ct": LabelMap(array=array, grid=GRID, table=found.table)}
    changes = differences("ct", found, drawn["ct"])
    stood = corrected(of_model, drawn, changes)
    assert stood.prediction.labels is drawn
    assert len(stood.prediction.warnings) == len(changes) + len(of_model.prediction.warnings)
    now = drawn["ct"].volumes_ml()[changes[0].organ]
    before = found.volumes_ml()[changes[0].organ]
    told = stood.prediction.warnings[0]
    assert told.startswith(f"Corrected by hand in the CT: {changes[0].organ}, {now:.1f} mL")
    assert f"the model had found {before:.1f} mL" in told


def test_where_nothing_was_changed_the_result_is_the_models():
    of_model = result()
    assert corrected(of_model, of_model.prediction.labels, ()) is of_model
