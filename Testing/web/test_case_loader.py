"""Scans of a case: how they are called, what is said of them, where they come from."""

from types import SimpleNamespace

import numpy as np
import pytest
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.session.reading import ReadScan
from cmcseg.web import case_loader
from cmcseg.web.case_loader import CaseLoader
from cmcseg.web.folder import Case, Folder

PHASES = ("'liver' (CT, 4 slices, acquisition 1)", "'liver' (CT, 4 slices, acquisition 2)")


class _ReaderOfTwoPhases:
    """Reads every folder as the same two stacks."""

    def read(self, path, *, within, done, failed, stack):  # noqa: ARG002
        volume = Volume(
            array=np.zeros((2, 2, 4), np.int16),
            grid=Grid(shape=(2, 2, 4), affine=np.eye(4)),
            facts={"series": "liver"},
        )
        done(ReadScan(volume=volume, notes=(), stacks=PHASES, stack=stack))
        return 1


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Scans, notes and titles of a case with one folder of two phases."""
    titles = []
    monkeypatch.setattr(
        case_loader, "put_scan", lambda _scene, _volume, title: titles.append(title) or title
    )
    node = SimpleNamespace(SetAttribute=lambda *_told: None)
    app = SimpleNamespace(scene=SimpleNamespace(GetNodeByID=lambda _key: node))
    place = tmp_path / "ann"
    place.mkdir()
    loader = CaseLoader(Folder(tmp_path), app, None, _ReaderOfTwoPhases())
    heard = []
    loader.load(
        Case(id="ann", files={"": (place / "1", place / "2")}),
        {"": ""},
        done=lambda scans, notes: heard.append((scans, notes)),
        failed=lambda *told: heard.append(told),
    )
    scans, notes = heard[0]
    return SimpleNamespace(scans=scans, notes=notes, titles=titles, place=place)


def test_stacks_of_one_folder_have_names_of_their_own(opened):
    assert opened.titles == ["liver #1 of ann", "liver #2 of ann"]


def test_which_stacks_there_are_is_said_once(opened):
    assert opened.notes == [
        f"The folder holds 2 stacks of slices; opened as a scan each: #1 {PHASES[0]}, "
        f"#2 {PHASES[1]}."
    ]


def test_every_stack_knows_its_own_slices(opened):
    """A DICOM SEG of the second phase must not point to the slices of the first."""
    sources = [scan.source.name for scan in opened.scans]
    assert sources == ["ann", "ann#2"]
