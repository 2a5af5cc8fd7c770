"""What became of a case is on the disk."""

import pytest
from cmcseg.web.case_states import CaseStates
from cmcseg.web.folder import Folder


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_what_became_of_a_case_is_known_after_a_restart(folder):
    CaseStates(folder).set("ward/ann", doubt="high")
    CaseStates(folder).set("ward/ann", accepted="pair-1.r1")
    assert CaseStates(folder).of("ward/ann") == {"doubt": "high", "accepted": "pair-1.r1"}
    assert CaseStates(folder).of("ward_ann") == {}


def test_what_was_taken_back_is_forgotten(folder):
    CaseStates(folder).set("ann", accepted="pair-1.r1")
    CaseStates(folder).set("ann", accepted="")
    assert CaseStates(folder).of("ann") == {}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"accepted": '])
def test_a_damaged_file_says_nothing(folder, text):
    CaseStates(folder).set("ann", doubt="low")
    next((folder.root / ".cmcseg" / "cases").iterdir()).write_text(text)
    assert CaseStates(folder).of("ann") == {}
