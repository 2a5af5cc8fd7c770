"""The line is about the scans that are chosen now, whatever the worker said of others."""

from types import SimpleNamespace

import numpy as np
import pytest
from cmcseg.core.grid import Grid
from cmcseg.core.messages import Message
from cmcseg.session.placement import Placement


class Runner:
    """Keeps what was asked until the test answers."""

    def __init__(self):
        self.asked = []

    def start(self, message, listener):
        self.asked.append((message, listener))

    def answer(self, sentence):
        values = {"sentence": sentence, "refusal": ""}
        self.asked[-1][1].finished(Message(verb="describe", values=values))

    def fail(self):
        self.asked[-1][1].failed("The worker is gone.", "")


@pytest.fixture
def a_placement():
    scene = SimpleNamespace(
        scans=lambda: [SimpleNamespace(key=key, refusal="") for key in "abc"],
        grid=lambda key: Grid(shape=(2, 2, 2), affine=np.diag([*[ord(key)] * 3, 1])),
    )
    placement = Placement(scene, Runner(), lambda: None)
    placement.runner = placement._runner
    return placement


def test_an_answer_becomes_the_line(a_placement):
    a_placement.ask({"CT": "a", "MR": "b"})
    a_placement.runner.answer("near")
    assert a_placement.sentence == "near"


@pytest.mark.parametrize("answer", [lambda r: r.fail(), lambda r: r.answer("old")])
def test_a_pair_that_was_chosen_meanwhile_is_asked_about_next(a_placement, answer):
    a_placement.ask({"CT": "a", "MR": "b"})
    a_placement.ask({"CT": "a", "MR": "c"})
    assert len(a_placement.runner.asked) == 1
    answer(a_placement.runner)
    assert a_placement.sentence == ""
    a_placement.runner.answer("new")
    assert a_placement.sentence == "new"
    assert len(a_placement.runner.asked) == 2


def test_a_pair_of_which_nobody_could_tell_is_asked_about_again_when_the_scene_changes(a_placement):
    for _ in range(2):
        a_placement.ask({"CT": "a", "MR": "b"})
        a_placement.runner.fail()
    assert len(a_placement.runner.asked) == 2


def test_a_single_scan_has_no_line(a_placement):
    a_placement.ask({"CT": "a", "MR": "b"})
    a_placement.runner.answer("near")
    a_placement.ask({"CT": "a"})
    assert a_placement.sentence == ""
