"""The folded choices: what stands in them is what the worker is asked for."""


def choose(combo, text):
    assert combo.findText(text) >= 0, [combo.itemText(n) for n in range(combo.count)]
    combo.setCurrentIndex(combo.findText(text))


def asked(desk):
    desk.segmented()
    return [m for m in desk.worker.asked if m.verb == "segment"][-1].values["settings"]


def test_what_nobody_touched_is_asked_for_as_it_comes(a_desk):
    assert asked(a_desk) == {
        "align": "auto",
        "device": "auto",
        "overlap": 0.1,
        "out_of_memory": "smaller",
        "matrix": None,
    }


def test_every_choice_travels_to_the_worker_and_into_the_scene(a_desk, a_host):
    ui = a_desk.ui
    choose(ui.alignCombo, "never")
    choose(ui.deviceCombo, "processor")
    choose(ui.memoryCombo, "stop and say so")
    ui.overlapSpin.setValue(0.5)
    assert asked(a_desk) == {
        "align": "none",
        "device": "cpu",
        "overlap": 0.5,
        "out_of_memory": "stop",
        "matrix": None,
    }
    kept = a_desk.panel._choices
    found = [kept.align.name, kept.device.name, kept.outOfMemory.name]
    assert found == ["none", "cpu", "stop"], "the scene keeps the names"


def test_no_number_can_be_typed_that_the_worker_would_refuse(a_desk):
    ui = a_desk.ui
    ui.overlapSpin.setValue(7.0)
    ui.minutesSpin.setValue(-3)
    assert (ui.overlapSpin.value, ui.minutesSpin.value) == (0.9, 1)
    assert asked(a_desk)["overlap"] == 0.9
