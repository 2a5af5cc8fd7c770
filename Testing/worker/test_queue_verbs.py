"""What a window can do with the entries of a queue."""

import json
import zipfile

import numpy as np
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.core.progress import ignore
from cmcseg.queue.ledger import Ledger
from cmcseg.worker.queue_verbs import (
    queue_export,
    queue_list,
    queue_open,
    queue_remove,
    queue_restore,
)
from queued import a_draft


@pytest.fixture
def a_queue(tmp_path):
    return Ledger(tmp_path / "queue")


def ask(verb, ledger, **values):
    return verb(Message(verb="", values={"queue": str(ledger.folder), **values}), None, ignore)


def test_an_entry_comes_back_as_it_was_accepted(a_queue):
    draft = a_draft(1, model="tiny", version="0.1.0", sha256="ab" * 32)
    entry = a_queue.add(draft)
    answer = ask(queue_open, a_queue, id=entry.id)
    assert np.array_equal(answer.volumes["ct"].array, draft.scans["ct"].array)
    for kind in ("corrected", "found"):  # nothing was found: what was drawn stands in for it
        there = answer.label_maps[f"{kind} ct"].array
        assert np.array_equal(there, draft.corrected["ct"].array)
    assert {name: answer.values[name] for name in ("id", "pair", "model", "alignment")} == {
        "id": entry.id,
        "pair": entry.pair,
        "model": "tiny",
        "alignment": None,
    }
    with pytest.raises(BadInput, match="has no entry"):
        ask(queue_open, a_queue, id="p00000000.r1")


def test_what_was_taken_out_is_listed_the_last_one_first_until_it_is_back(a_queue):
    first, second = (a_queue.add(a_draft(seed)).id for seed in (1, 2))
    assert ask(queue_list, a_queue).values["taken_out"] == []
    for name in (first, second):
        ask(queue_remove, a_queue, id=name)
    assert ask(queue_list, a_queue).values["taken_out"] == [second, first]
    ask(queue_restore, a_queue, id=second)
    assert ask(queue_list, a_queue).values["taken_out"] == [first]
    again = a_queue.add(a_draft(1)).id  # the same pair, accepted anew
    assert ask(queue_list, a_queue).values["taken_out"] == []
    ask(queue_remove, a_queue, id=again)
    assert ask(queue_list, a_queue).values["taken_out"] == [again]


def test_the_queue_goes_out_as_one_archive_that_others_read(a_queue, tmp_path):
    with pytest.raises(BadInput, match="is empty; there is nothing to export"):
        ask(queue_export, a_queue, path=str(tmp_path / "queue.zip"))
    pairs = {a_queue.add(a_draft(seed)).pair for seed in (1, 2)}
    ask(queue_export, a_queue, path=str(tmp_path / "queue.zip"))
    with zipfile.ZipFile(tmp_path / "queue.zip") as archive:
        told = json.loads(archive.read("datalist.json"))
        cases = told["training"] + told["validation"]
        assert {case["id"] for case in cases} == pairs
        assert all(archive.read(case["ct"]) for case in cases)
