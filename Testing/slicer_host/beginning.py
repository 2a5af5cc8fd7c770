"""A task without a model, from one button to a model that has learned: the orbit on its phantom."""

from dataclasses import replace

import numpy as np
import pytest
from mrml_scene import add_volume

COARSE = np.diag([4.0, 4.0, 1.0, 1.0])  # of the phantom's scans, in-plane: a test has little time


def small(task):
    """A task's card with a network and a grid that learn in no time."""
    from tiny import tiny_card

    card = tiny_card(task)
    return replace(card, grid=replace(card.grid, spacing=(4.0, 4.0, 4.0)))


def a_phantom(monkeypatch):
    """Both scans of an orbit and their truth, rendered coarsely."""
    from cmcseg.bundle.store import task_card
    from cmcseg.core.grid import Grid
    from cmcseg.data import synthesis
    from cmcseg.data.phantoms import orbit

    kind = synthesis.KINDS["orbit"]

    def views(*person):
        return {
            role: Grid(
                shape=(grid.shape[0] // 4, grid.shape[1] // 4, grid.shape[2]),
                affine=grid.affine @ COARSE,
            )
            for role, grid in kind.views(*person).items()
        }

    monkeypatch.setattr(orbit, "_STEP", tuple(3 * step for step in orbit._STEP))
    monkeypatch.setitem(synthesis.KINDS, "orbit", replace(kind, views=views))
    return synthesis.make_pair("orbit", task_card("orbit").table, seed=0)


@pytest.fixture
def a_clinic(a_host, a_panel, until, tmp_path, monkeypatch):
    """A panel without any model, on the real worker's verbs; trainings last no time."""
    import torch
    from cmcseg.bundle import tasks
    from cmcseg.bundle.store import Store
    from cmcseg.core.messages import Message
    from cmcseg.data import phantom_cases
    from cmcseg.worker.model_cache import ModelCache
    from cmcseg.worker.verbs import VERBS
    from inline_runner import InlineRunner

    torch.set_num_threads(1)
    monkeypatch.setattr(tasks, "task_card", small)
    monkeypatch.setattr(phantom_cases, "phantom_task", lambda card: "")
    store = Store(shipped=tmp_path / "shipped", user=tmp_path / "user")
    cache = ModelCache(store=store, folder=tmp_path)

    def handle(request, report):
        if request.verb == "finetune":
            values = {**request.values, "minutes": 0.01}
            request = Message(verb="finetune", values=values)
        return VERBS[request.verb](request, cache, report)

    panel = a_panel(InlineRunner(handle))
    panel.quiet = lambda: until(lambda: not panel.runner.busy)
    panel.store = store
    panel.quiet()
    return panel


def begin(panel, title):
    """Choose an entry of the button's menu."""
    actions = {action.text: action for action in panel.ui.beginButton.menu().actions()}
    actions[title].trigger()
    panel.quiet()
    return list(actions)


def test_every_task_without_a_model_is_one_button_away(a_clinic):
    offered = begin(a_clinic, "Orbit T1 + T2")
    assert offered == [
        "Abdomen CT + MR",
        "Heart bSSFP + LGE",
        "Orbit T1 + T2",
        "From a task's file...",
    ]
    ui = a_clinic.ui
    assert ui.modelCombo.currentText == "Orbit T1 + T2 (not trained yet)"
    assert [a.text for a in ui.beginButton.menu().actions()] == [*offered[:2], offered[-1]]
    assert not ui.messageLabel.text


def test_the_file_of_a_task_does_as_well_and_what_is_none_is_told(a_clinic, monkeypatch, tmp_path):
    import json

    import qt

    path = tmp_path / "task.json"
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    path.write_text('{"task": "task.json", "training": []}')
    begin(a_clinic, "From a task's file...")
    assert a_clinic.ui.messageLabel.text.endswith(
        "cannot be used: it is a list of cases; give the file of the task that it names."
    )
    path.write_text(json.dumps(replace(small("abdomen"), name="mine", title="Mine").to_dict()))
    begin(a_clinic, "From a task's file...")
    assert a_clinic.ui.modelCombo.currentText == "Mine (not trained yet)"


def test_the_orbit_is_begun_drawn_accepted_and_learned(a_host, a_clinic, monkeypatch):
    from cmcseg.bundle.extend import fresh_organs
    from cmcseg.core.steps import finish

    panel, ui = a_clinic, a_clinic.ui
    begin(panel, "Orbit T1 + T2")
    name = panel.segment.card.name
    made = a_phantom(monkeypatch)
    for role, scan in made.items():
        volume = scan.volume
        add_volume(a_host.scene, volume.array, volume.grid.affine, role.upper(), modality="MR")
    panel.quiet()
    assert set(panel.segment.chosen) == {"t1", "t2"}
    ui.segmentButton.click()
    panel.quiet()
    result = panel.segment.result
    assert not any(labels.array.any() for labels in result.prediction.labels.values())
    assert "learned nothing yet" in " ".join(result.prediction.warnings)
    for role, key in panel.segment.chosen.items():
        truth = made[role].truth
        masks = {label.name: truth.array == label.value for label in truth.table}
        finish(panel.scene.writing_organs(key, masks))
    panel.quiet()
    assert ui.acceptButton.isEnabled(), ui.acceptButton.toolTip
    ui.acceptButton.click()
    panel.quiet()
    assert ui.queueLabel.text.startswith("Queue: 1 pair, 1 new")
    ui.fineTuneButton.click()
    panel.quiet()
    assert panel.learn.verdict["left_out"] == {}
    assert set(panel.learn.verdict["taught"]) == {label.name for label in truth.table}
    ui.reasonEdit.setText("a trial")
    ui.adoptButton.click()
    panel.quiet()
    assert ui.modelCombo.currentText == "Orbit T1 + T2"
    card = panel.store.card(name)
    assert (card.trained_on, fresh_organs(card)) == ("1 corrected pair.", frozenset())
