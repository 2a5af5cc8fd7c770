"""Volumes, label maps, cases, progress: what they refuse, and that they come back from the wire."""

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
from cmcseg.bundle.store import task_card, task_names
from cmcseg.core.card import CleaningRule, InputSpec, ModelCard
from cmcseg.core.case import Cohort, Pair, Scan
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.core.messages import Message, read_message, write_message
from cmcseg.core.prediction import Alignment
from cmcseg.core.progress import Progress
from cmcseg.core.settings import SegmentSettings, TrainSettings
from cmcseg.core.signal import Signal
from cmcseg.core.volume import Volume

GRID = Grid(shape=(4, 5, 6), affine=np.diag([2.0, 2.0, 5.0, 1.0]))
TABLE = task_card("abdomen").table


def a_map(array):
    return LabelMap(array=array, grid=GRID, table=TABLE)


def a_scan(role="ct", **more):
    return Scan(role=role, image=Path("a.nii.gz"), **more)


def an_alignment(**more):
    matrix = np.eye(4)
    matrix[:3, 3] = 3, 4, 0
    values = {"method": "rigid", "similarity": 1.1, "confidence": 0.8, "overlap": 1.0}
    values |= {"shift_mm": 5.0, "angle_deg": 0.0, "tilt_deg": 0.0, "centers_mm": 9.0}
    return Alignment(fixed="ct", moving="mr", matrix=matrix, seconds=1.0, **(values | more))


def test_volumes_in_millilitres_count_voxels():
    array = np.zeros(GRID.shape, np.uint8)
    array[0, 0, :3] = 4
    array[1] = 255  # what nobody looked at is no organ
    assert a_map(array).volumes_ml() == pytest.approx(
        {"liver": 0, "right kidney": 0, "left kidney": 0, "spleen": 3 * 20 / 1000}
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Volume(array=np.zeros((2, 2, 2)), grid=GRID), "does not fit grid"),
        (lambda: Volume(array=np.zeros(GRID.shape, complex), grid=GRID), "real numbers"),
        (lambda: a_map(np.zeros(GRID.shape, int)), "holds uint8, not int64"),
        (lambda: a_map(np.full(GRID.shape, 9, np.uint8)), r"Values \[9\] are not in the label"),
        (lambda: Label(value=0, name="a", color="#000000"), "outside 1 to 254"),
        (lambda: Label(value=1, name=" ", color="#000000"), "has no name"),
        (lambda: Label(value=1, name="a", color="red"), "not of the form #rrggbb"),
        (lambda: LabelTable(labels=(Label(value=2, name="a", color="#000000"),)), "without gaps"),
        (lambda: a_scan(labels=Path("a"), scribbles=Path("b")), "dense labels and scribbles"),
        (lambda: Pair(id="", scans={"ct": a_scan()}), "needs an id"),
        (lambda: Pair(id="a", scans={"mr": a_scan()}), "under another role"),
        (lambda: Progress(stage="a", done=3, total=2), "3/2 is outside 0 to total"),
        (lambda: SegmentSettings(align="best"), "'best' is not one of auto, none, rigid"),
        (lambda: SegmentSettings(overlap=0.95), "0.95 is outside 0 to 0.9"),
        (
            lambda: SegmentSettings(out_of_memory="cry"),
            "'cry' on out-of-memory is not one of smaller, stop",
        ),
        (lambda: TrainSettings(labelled=0), "labelled share 0 is outside"),
        (lambda: TrainSettings(rate=0), "rate of 0 is not between 0 and 1"),
        (lambda: TrainSettings(rate=float("nan")), "rate of nan is not"),
        (lambda: TrainSettings(average=1.0), "decay of 1.0 is not from 0 to below 1"),
        (lambda: TrainSettings(optimizer="sgd"), "'sgd' is not one of adamw, muon"),
        (lambda: an_alignment(confidence=1.2), "between 0 and 1"),
        (lambda: an_alignment(method="elastic"), "'elastic' is not known"),
    ],
)
def test_nonsense_is_refused_at_birth(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_cohort_names_the_cases_it_lists_twice():
    pair = Pair(id="b", scans={"ct": a_scan()})
    with pytest.raises(ValueError, match="Cohort c lists b twice"):
        Cohort(name="c", roles=("ct",), table=TABLE, train=(pair,), validation=(pair,))


def test_nothing_can_be_changed_afterwards():
    with pytest.raises(FrozenInstanceError):
        SegmentSettings().align = "none"


@pytest.mark.parametrize("name", task_names())
def test_a_card_comes_back_from_json(name):
    card = task_card(name)
    assert ModelCard.from_dict(card.to_dict()).to_dict() == card.to_dict()


def test_an_alignment_comes_back_from_json_and_reads_well():
    there = an_alignment()
    again = Alignment.from_dict(there.to_dict())
    assert np.array_equal(again.matrix, there.matrix)
    assert again.to_dict() == there.to_dict()
    assert there.sentence().startswith("Registered: moved 5.0 mm, turned 0.0 degrees")
    assert there.sentence().endswith("confidence 80%.")


def test_a_message_comes_back_with_its_arrays(tmp_path):
    array = np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32)
    labels = (array > 0).astype(np.uint8)
    message = Message(
        verb="segment",
        values={"model": "ü", "n": [1, 2.5, None]},
        volumes={"ct": Volume(array=array, grid=GRID, facts={"modality": "CT"})},
        label_maps={"ct": a_map(labels)},
    )
    write_message(message, tmp_path / "m.npz")
    again = read_message(tmp_path / "m.npz")
    assert (again.verb, again.values) == (message.verb, message.values)
    assert np.array_equal(again.volumes["ct"].array, array)
    assert again.volumes["ct"].facts == {"modality": "CT"}
    assert again.volumes["ct"].grid.agrees_with(GRID)
    assert np.array_equal(again.label_maps["ct"].array, labels)
    assert again.label_maps["ct"].table == TABLE


def test_a_file_that_is_no_message_is_refused(tmp_path):
    path = tmp_path / "m.npz"
    path.write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(ValueError, match=r"m\.npz is not a message"):
        read_message(path)


def test_a_listener_may_leave_while_it_is_called():
    told, signal = [], Signal()

    def once(value):
        told.append(value)
        signal.disconnect(once)

    signal.connect(once)
    signal.connect(told.append)
    signal.emit(1)
    signal.emit(2)
    assert told == [1, 1, 2]


def test_a_card_cannot_tidy_an_organ_that_it_does_not_find():
    with pytest.raises(ValueError, match=r"tidies pancreas, which its table lacks\."):
        replace(task_card("abdomen"), cleaning=CleaningRule(largest=("liver", "pancreas")))


@pytest.mark.parametrize("shifts", [0, 3, 1.5, 2.0, True])
def test_windows_are_run_once_or_twice(shifts):
    with pytest.raises(ValueError, match=f"once or twice, not {shifts} times"):
        replace(task_card("abdomen").grid, tta_shifts=shifts)


def test_a_second_look_needs_patches_to_move():
    card = task_card("abdomen")
    plain = replace(card.network, patch=(1, 1, 1))
    with pytest.raises(ValueError, match="folds no patches"):
        replace(card, network=plain, grid=replace(card.grid, tta_shifts=2))


@pytest.mark.parametrize("window", [(), (1.0,), (1.0, 2.0, 3.0), (2.0, 1.0)])
def test_a_window_has_a_lower_and_an_upper_end(window):
    with pytest.raises(ValueError, match="is empty"):
        InputSpec(role="ct", title="CT", modality="CT", intensity="window", window=window)


def test_a_matrix_by_hand_is_rigid_and_comes_through_json():
    shift = [1, 0, 0, 5, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert SegmentSettings(matrix=shift) == SegmentSettings(matrix=tuple(shift))
    for wrong in ([2, *shift[1:]], shift[:9], [float("nan"), *shift[1:]]):
        with pytest.raises(ValueError, match="A matrix by hand is rigid"):
            SegmentSettings(matrix=wrong)
