"""A file is whole or not there."""

import errno
import os

import pytest
from cmcseg.core import atomic_write as module
from cmcseg.core.atomic_write import atomic_path, write_whole
from cmcseg.core.errors import BadInput


def test_a_failure_while_writing_removes_the_draft(tmp_path):
    def half_written():
        with atomic_path(tmp_path / "a.nii.gz") as draft:
            assert draft.parent == tmp_path
            assert draft.name.endswith(".nii.gz")
            draft.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        half_written()
    assert not list(tmp_path.iterdir())


def test_bytes_reach_the_disk_before_the_name_appears(tmp_path, monkeypatch):
    events = []
    sync = os.fsync
    monkeypatch.setattr(
        module.os, "fsync", lambda handle: (events.append((tmp_path / "a").exists()), sync(handle))
    )
    with atomic_path(tmp_path / "a") as draft:
        draft.write_text("whole")
    assert events == [False, True]  # the file before the rename, the folder after it
    assert (tmp_path / "a").read_text() == "whole"


def test_a_failing_disk_is_told_in_its_own_words(tmp_path, monkeypatch):
    def broken(_handle):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(module.os, "fsync", broken)
    with pytest.raises(BadInput, match=r"\(Input/output error\)"), atomic_path(tmp_path / "a"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_former_file_and_is_told_in_the_callers_words(tmp_path, monkeypatch):
    path = tmp_path / "{page}.html"
    write_whole(path, "former")

    def full(_handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(BadInput) as told:
        write_whole(path, "new", "{path} is not kept: {why}.")
    assert str(told.value) == f"{path} is not kept: No space left on device."
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_written_to_the_byte(tmp_path):
    write_whole(tmp_path / "a", "ä\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa4\n"
