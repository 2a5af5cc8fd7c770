"""Drafts: what is drawn comes back as it was, and a damaged one is told."""

import errno
import threading
from dataclasses import replace

import numpy as np
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.web import drafts as module
from cmcseg.web.drafts import DRAWN, FOUND, Drafts
from cmcseg.web.folder import Folder
from session_parts import predicted

GRID = Grid(shape=(12, 10, 8), affine=np.diag([2.0, 2.0, 3.0, 1.0]))


@pytest.fixture
def found():
    rng = np.random.default_rng(0)
    return predicted(
        {
            role: Volume(array=rng.integers(0, 300, GRID.shape).astype(np.int16), grid=GRID)
            for role in ("ct", "mr")
        }
    )


@pytest.fixture
def drafts(tmp_path):
    return Drafts(Folder(tmp_path))


def drawn_on(found):
    """The organs with a corner painted over."""
    changed = {}
    for role, labels in found.labels.items():
        array = labels.array.copy()
        array[:3, :3, :3] = 1
        changed[role] = type(labels)(array=array, grid=labels.grid, table=labels.table)
    return changed


def test_a_draft_comes_back_as_it_was(drafts, found):
    drawn = drawn_on(found)
    drafts.keep_found("ann", found)
    drafts.keep_drawn("ann", drawn)
    kept, organs = drafts.open("ann")
    assert drafts.cases() == {"ann"}
    for role, labels in drawn.items():
        assert np.array_equal(organs[role].array, labels.array)
        assert np.array_equal(kept.labels[role].array, found.labels[role].array)
        assert np.array_equal(kept.doubt[role].array, found.doubt[role].array)
    assert np.array_equal(kept.alignment.matrix, found.alignment.matrix)


def test_a_result_that_nobody_drew_on_is_no_draft(drafts, found):
    drafts.keep_found("ann", found)
    assert drafts.open("ann") is None
    assert drafts.cases() == set()


def test_a_new_result_ends_the_draft_of_the_old_one(drafts, found):
    drafts.keep_found("ann", found)
    drafts.keep_drawn("ann", drawn_on(found))
    drafts.keep_found("ann", found)
    assert drafts.open("ann") is None


def test_a_dropped_draft_is_gone(drafts, found):
    drafts.keep_found("ann", found)
    drafts.keep_drawn("ann", drawn_on(found))
    drafts.drop("ann")
    assert drafts.open("ann") is None


@pytest.mark.parametrize("name", [FOUND, DRAWN])
def test_a_damaged_draft_is_told_and_stays(drafts, found, name):
    drafts.keep_found("ann", found)
    drafts.keep_drawn("ann", drawn_on(found))
    path = drafts.place("ann") / name
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BadInput, match="The draft of ann is damaged and was left where it is"):
        drafts.open("ann")
    assert path.exists()


def test_a_full_disk_keeps_the_draft_before(drafts, found, monkeypatch):
    drafts.keep_found("ann", found)
    drafts.keep_drawn("ann", found.labels)

    def full(message, path):  # noqa: ARG001
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "write_message", full)
    with pytest.raises(BadInput, match="No space left on device"):
        drafts.keep_drawn("ann", drawn_on(found))
    monkeypatch.undo()
    _, organs = drafts.open("ann")
    assert np.array_equal(organs["ct"].array, found.labels["ct"].array)
    assert sorted(path.name for path in drafts.place("ann").iterdir()) == [DRAWN, FOUND]


@pytest.mark.parametrize("case", ["../../etc", "a/b", "/root", "ward/7/7"])
def test_no_name_of_a_case_leads_out(drafts, found, case, tmp_path):
    drafts.keep_found(case, found)
    drafts.keep_drawn(case, found.labels)
    assert drafts.open(case) is not None
    assert drafts.place(case).parent == (tmp_path / ".cmcseg" / "drafts").resolve()


def test_what_is_drawn_after_a_draft_was_dropped_is_kept_as_well(drafts, found):
    drafts.keep_found("ann", found)
    drafts.keep_drawn("ann", drawn_on(found))
    drafts.drop("ann")
    drafts.keep_drawn("ann", drawn_on(found))
    assert drafts.open("ann") is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [("ann/ct", "ann_ct"), ("x" * 300, "x" * 301), ("a<b", "a>b"), ("y" * 90, "y" * 91)],
)
def test_no_two_cases_share_a_draft(drafts, one, other):
    assert drafts.place(one) != drafts.place(other)
    assert len(drafts.place(one).name) < 100


def test_a_draft_that_was_dropped_meanwhile_is_not_written(drafts, found):
    drafts.keep("ann", found, drawn_on(found), unless=lambda: True)
    assert drafts.open("ann") is None
    drafts.keep("ann", found, drawn_on(found))
    assert drafts.open("ann") is not None


def test_two_that_write_at_once_leave_one_whole_draft(drafts, found):
    drawn = drawn_on(found)
    writers = [
        threading.Thread(target=drafts.keep, args=("ann", found, labels))
        for labels in (drawn, found.labels, drawn, found.labels)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    _, organs = drafts.open("ann")
    assert any(
        np.array_equal(organs["ct"].array, labels["ct"].array) for labels in (drawn, found.labels)
    )
    assert sorted(path.name for path in drafts.place("ann").iterdir()) == [DRAWN, FOUND]


def test_a_finding_that_could_not_be_kept_leaves_no_earlier_one_under_a_new_drawing(
    drafts, found, monkeypatch
):
    drafts.keep("ann", found, drawn_on(found))
    newer = replace(found, version="9.9.9")
    write = drafts._write

    def full(case, name, message):
        if name == FOUND:
            raise BadInput("the disk is full")
        write(case, name, message)

    with monkeypatch.context() as patched:
        patched.setattr(drafts, "_write", full)
        with pytest.raises(BadInput, match="full"):
            drafts.keep_found("ann", newer)
        with pytest.raises(BadInput, match="full"):
            drafts.keep("ann", newer, drawn_on(newer))
    assert drafts.open("ann") is None
    assert drafts.keep("ann", newer, drawn_on(newer))
    assert drafts.open("ann")[0].version == "9.9.9"


def test_who_keeps_a_draft_is_told_that_a_newer_one_was_kept_meanwhile(drafts, found):
    assert drafts.keep("ann", found, drawn_on(found))
    assert not drafts.keep("ann", found, {}, unless=lambda: True)
    assert drafts.open("ann")[1]
