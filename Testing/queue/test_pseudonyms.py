import errno
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from cmcseg.core.errors import BadInput
from cmcseg.queue.pseudonyms import pair_for


def test_a_subject_keeps_its_number_and_no_other_gets_it(tmp_path):
    first = pair_for("Jane Doe 1970", tmp_path / "key")
    assert pair_for("Jane Doe 1970", tmp_path / "key") == first
    assert pair_for("John Doe 1970", tmp_path / "key") != first
    assert re.fullmatch("p[0-9a-f]{12}", first)


def test_the_number_says_nothing_about_the_subject(tmp_path):
    one, two = (pair_for("Jane Doe 1970", tmp_path / name) for name in ("a", "b"))
    assert one != two


def test_many_programs_asking_at_once_get_one_answer(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: pair_for("Jane", tmp_path), range(64)))
    assert len(found) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_key_is_told(tmp_path):
    pair_for("Jane", tmp_path)
    path = next(tmp_path.iterdir())
    path.write_text(json.dumps({"pair": "../../x"}))
    with pytest.raises(BadInput, match="cannot be used"):
        pair_for("Jane", tmp_path)


def test_a_subject_without_a_name_is_refused(tmp_path):
    with pytest.raises(BadInput, match="The subject's id is empty"):
        pair_for("  ", tmp_path)


@pytest.mark.parametrize("links", [True, False])
def test_a_full_disk_leaves_no_crumb_of_a_key(tmp_path, monkeypatch, links):
    def full(descriptor):  # noqa: ARG001
        raise OSError(errno.ENOSPC, "No space left on device")

    def no_links(source, target):  # noqa: ARG001
        monkeypatch.setattr(os, "fsync", full)
        raise OSError(errno.EPERM, "Operation not permitted")

    if links:
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(BadInput, match="cannot be used: the disk is full"):
        pair_for("Jane", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_links_keeps_the_key_all_the_same(tmp_path, monkeypatch):
    def no_links(source, target):  # noqa: ARG001
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    first = pair_for("Jane", tmp_path)
    assert pair_for("Jane", tmp_path) == first
    assert len(list(tmp_path.iterdir())) == 1
