"""The real worker in a real process, with a tiny model."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from cmcseg.core.card import ModelCard
from cmcseg.core.grid import Grid
from cmcseg.core.messages import Message, prediction_from_message
from cmcseg.core.volume import Volume
from cmcseg.session.ports import Correction, Listener
from cmcseg.session.process_runner import ProcessRunner
from cmcseg.session.worker_queue import WorkerQueue
from tiny import tiny_bundle

GRID = Grid(shape=(30, 28, 20), affine=np.diag([8.0, 8.0, 10.0, 1.0]))


@pytest.fixture(scope="module")
def a_runner(tmp_path_factory):
    runner = ProcessRunner(sys.executable, logs=tmp_path_factory.mktemp("logs"))
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def a_model(tmp_path_factory):
    return str(tiny_bundle(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture(scope="module")
def scans():
    chance = np.random.default_rng(0)
    ct = chance.normal(-300, 400, GRID.shape).astype(np.int16)
    mr = chance.uniform(0, 900, GRID.shape).astype(np.uint16)
    return {"ct": Volume(array=ct, grid=GRID), "mr": Volume(array=mr, grid=GRID)}


def answered(runner, request):
    told = []
    seen = []
    listener = Listener(
        finished=told.append, failed=lambda *words: told.append(words), progressed=seen.append
    )
    runner.start(request, listener)
    runner.finish()
    (answer,) = told
    return answer, seen


def segmented(runner, model, scans):
    values = {"model": model, "settings": {"align": "none", "device": "cpu", "overlap": 0.0}}
    return answered(runner, Message(verb="segment", values=values, volumes=scans))


def test_a_pair_becomes_a_prediction_on_each_scans_own_grid(a_runner, a_model, scans):
    answer, seen = segmented(a_runner, a_model, scans)
    prediction = prediction_from_message(answer)
    assert set(prediction.labels) == {"ct", "mr"}
    for role in scans:
        assert prediction.labels[role].grid.agrees_with(GRID)
        assert prediction.doubt[role].array.max() <= 1
    assert prediction.alignment.method == "header"
    assert prediction.device == "cpu"
    assert seen[0].stage == "loading the model"


def test_the_second_time_the_model_is_warm(a_runner, a_model, scans):
    pid = a_runner.pid
    values = {"model": a_model, "device": "cpu"}
    answer, _ = answered(a_runner, Message(verb="warm-up", values=values))
    assert answer.values == {"device": "cpu"}
    segmented(a_runner, a_model, scans)
    assert a_runner.pid == pid


def test_the_models_are_listed_by_their_cards(a_runner):
    answer, _ = answered(a_runner, Message(verb="models"))
    names = [ModelCard.from_dict(card).name for card in answer.values["cards"]]
    assert "abdomen-ct-mr" in names


def test_a_damaged_model_is_told_and_hides_none_of_the_others(tmp_path):
    from cmcseg.bundle.store import Store
    from cmcseg.worker.model_cache import ModelCache
    from cmcseg.worker.verbs import models

    for name in ("one", "two"):
        tiny_bundle(tmp_path / "user" / name)
    card = tmp_path / "user" / "two" / "card.json"
    card.write_text(card.read_text(encoding="utf-8") + " ", encoding="utf-8")
    store = Store(shipped=tmp_path / "shipped", user=tmp_path / "user")
    values = models(Message(verb="models"), ModelCache(store=store, folder=tmp_path), print).values
    assert len(values["cards"]) == 1
    (told,) = values["damaged"]
    assert "card.json in " in told
    assert values["own"] == ["one", "two"]
    assert values["folders"]["two"] == str(tmp_path / "user" / "two")


def test_how_two_scans_lie_is_known_before_anything_runs(a_runner):
    far = GRID.moved(np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 812.0], [0, 0, 0, 1]]))
    for other, sentence, refusal in (
        (GRID, "Centres 0 mm apart, 100% shared view, 0 degrees tilted.", ""),
        (
            far,
            "Centres 812 mm apart, 0% shared view, 0 degrees tilted.",
            "The MR does not overlap the CT (centres 812 mm apart). Are they the same patient?",
        ),
    ):
        values = {"grids": [GRID.to_dict(), other.to_dict()], "titles": ["CT", "MR"]}
        answer, _ = answered(a_runner, Message(verb="describe", values=values))
        assert answer.values == {"sentence": sentence, "refusal": refusal}


def test_a_swapped_pair_is_segmented_with_a_warning(a_runner, a_model, scans):
    answer, _ = segmented(a_runner, a_model, {"ct": scans["mr"], "mr": scans["ct"]})
    warnings = prediction_from_message(answer).warnings
    assert sum("Are the roles swapped?" in warning for warning in warnings) == 2


def test_no_such_model_is_told(a_runner, scans):
    (sentence, log), _ = segmented(a_runner, "abdomen-ct-mri", scans)
    assert sentence.startswith(
        "There is no model 'abdomen-ct-mri'; did you mean abdomen-ct-mr? There are: "
    )
    assert Path(log).is_file()


def test_a_corrected_pair_is_kept_and_listed(a_runner, a_model, scans, tmp_path):
    answer, _ = segmented(a_runner, a_model, scans)
    prediction = prediction_from_message(answer)
    queue = WorkerQueue(a_runner, tmp_path / "queue")
    told = []
    listener = Listener(finished=told.append, failed=lambda *words: told.append(words))
    queue.add(
        Correction(
            volumes=scans,
            corrected=prediction.labels,
            found=prediction.labels,
            model="tiny",
            version="1",
            sha256=prediction.sha256,
            alignment=prediction.alignment,
            who="AB",
        ),
        listener,
    )
    queue.list("", listener)
    a_runner.finish()
    added, listed = told
    (row,) = listed.values["entries"]
    assert row["id"] == added.values["id"]
    assert (row["who"], row["summary"]) == ("AB", "accepted as found")
    assert listed.values["new"] == 1
    entry = tmp_path / "queue" / "entries" / row["id"] / "entry.json"
    assert json.loads(entry.read_text())["alignment"]["moving"] == "mr"


def test_nothing_to_learn_from_is_told(a_runner, a_model, tmp_path):
    values = {"model": a_model, "queue": str(tmp_path), "minutes": 1.0, "device": "cpu"}
    (sentence, _), _ = answered(a_runner, Message(verb="finetune", values=values))
    assert sentence == "There is no corrected pair to learn from; accept one first."


def test_a_report_is_one_page(a_runner, scans, tmp_path):
    from cmcseg.core.messages import prediction_to_message
    from cmcseg.core.prediction import Prediction

    answer, _ = answered(a_runner, Message(verb="models"))
    card = next(
        ModelCard.from_dict(c) for c in answer.values["cards"] if c["name"] == "abdomen-ct-mr"
    )
    from cmcseg.core.labelmap import LabelMap

    array = np.zeros(GRID.shape, np.uint8)
    array[5:15, 5:15, 5:15] = 1
    zero = Volume(array=np.zeros(GRID.shape, np.float32), grid=GRID)
    prediction = Prediction(
        labels={"ct": LabelMap(array=array, grid=GRID, table=card.table)},
        doubt={"ct": zero},
        model=card.name,
        version=card.version,
        sha256=card.sha256,
    )
    path = tmp_path / "report.html"
    message = prediction_to_message(prediction, {"scans": {"ct": "CT venous"}, "path": str(path)})
    request = Message(
        verb="report",
        values=message.values,
        volumes={**message.volumes, "scan ct": scans["ct"]},
        label_maps=message.label_maps,
    )
    answer, _ = answered(a_runner, request)
    assert answer.values == {"path": str(path)}
    assert "CT venous" in path.read_text(encoding="utf-8")


def test_a_worker_takes_nothing_from_the_folder_that_its_window_was_started_in(
    tmp_path, monkeypatch
):
    for name in ("json", "numpy", "queue", "runpy", "cmcseg"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'it ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "")
    runner = ProcessRunner(sys.executable, logs=tmp_path / "logs")
    answer, _ = answered(runner, Message(verb="queue-list", values={"queue": "relative"}))
    runner.close()
    assert answer.values == {"entries": [], "judged": {}, "new": 0, "taken_out": []}
    assert not (tmp_path / "it ran").exists()
