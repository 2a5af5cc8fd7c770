import numpy as np
import pytest
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.core.messages import (
    Message,
    prediction_from_message,
    prediction_to_message,
    read_message,
    write_message,
)
from cmcseg.core.prediction import Alignment, Prediction
from cmcseg.core.volume import Volume

GRID = Grid(shape=(3, 4, 5), affine=np.diag([1.0, -2.0, 3.0, 1.0]))
TABLE = LabelTable(labels=(Label(value=1, name="liver", color="#d55e00"),))


def numbers(seed=0):
    return np.random.default_rng(seed).random(GRID.shape).astype(np.float32)


def labels():
    return LabelMap(array=(numbers(1) > 0.5).astype(np.uint8), grid=GRID, table=TABLE)


def aligned():
    return Alignment(
        fixed="ct",
        moving="mr",
        matrix=np.eye(4),
        method="header",
        similarity=1.1,
        confidence=0.5,
        overlap=0.7,
        shift_mm=0.0,
        angle_deg=0.0,
        tilt_deg=3.0,
        centers_mm=9.0,
        seconds=0.2,
    )


def test_a_message_arrives_as_it_was_sent(tmp_path):
    sent = Message(
        verb="segment",
        values={"model": "tiny", "name": "Müller’s scan", "list": [1, None, 2.5]},
        volumes={"ct": Volume(array=numbers(), grid=GRID, facts={"modality": "CT"})},
        label_maps={"found ct": labels()},
    )
    write_message(sent, tmp_path / "m.npz")
    back = read_message(tmp_path / "m.npz")
    assert (back.verb, back.values) == (sent.verb, sent.values)
    assert (back.volumes["ct"].array == numbers()).all()
    assert back.volumes["ct"].facts == {"modality": "CT"}
    assert back.label_maps["found ct"].table == TABLE
    assert (back.label_maps["found ct"].array == labels().array).all()
    assert back.label_maps["found ct"].grid.agrees_with(GRID)


@pytest.mark.parametrize("alignment", [None, aligned()])
def test_a_prediction_arrives_as_it_was_sent(tmp_path, alignment):
    volume = Volume(array=numbers(), grid=GRID)
    sent = Prediction(
        labels={"ct": labels(), "mr": labels()},
        doubt={"ct": volume, "mr": volume},
        disagreement={"ct": volume},
        model="tiny",
        version="1",
        sha256="ab",
        alignment=alignment,
        seconds={"network": 2.0},
        warnings=("No organ was found.",),
    )
    write_message(prediction_to_message(sent, {"more": 1}), tmp_path / "m.npz")
    message = read_message(tmp_path / "m.npz")
    back = prediction_from_message(message)
    assert message.values["more"] == 1
    assert set(back.disagreement) == {"ct"}
    assert (back.doubt["mr"].array == numbers()).all()
    assert (back.warnings, back.seconds, back.sha256) == (sent.warnings, sent.seconds, "ab")
    assert (back.alignment is None) == (alignment is None)
    if alignment:
        assert (back.alignment.matrix == alignment.matrix).all()
        assert back.alignment.sentence() == alignment.sentence()


def test_results_are_laid_out_as_a_window_wants_them():
    volume = Volume(array=numbers(), grid=GRID)
    sent = Prediction(
        labels={"ct": labels()}, doubt={"ct": volume}, model="t", version="1", sha256="0"
    )
    message = prediction_to_message(sent, {})
    assert message.label_maps["ct"].array.flags.f_contiguous
    assert message.volumes["doubt ct"].array.flags.f_contiguous


def test_objects_are_refused(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, head=np.array([print], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_message(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"\x93NUMPY"])
def test_what_is_no_message_is_refused(tmp_path, content):
    path = tmp_path / "m.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011 - whatever words numpy has for it
        read_message(path)
