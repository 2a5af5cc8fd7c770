"""Whatever stands in an entry, it is set aside alone, and the rest of the queue goes on."""

import json
import os

import pytest
from cmcseg.core.json_file import read_json
from cmcseg.queue.checksums import SUMS, sums_of
from cmcseg.queue.ledger import Ledger
from cmcseg.worker.queue_verbs import queue_list
from queued import a_draft


@pytest.fixture(scope="module")
def a_queue(tmp_path_factory):
    queue = Ledger(tmp_path_factory.mktemp("odd") / "queue")
    for seed, pair in enumerate(("good", "odd")):
        queue.add(a_draft(seed, pair=pair, who="me", seconds=3.0))
    return queue


def nested(depth):
    return json.loads("[" * depth + "]" * depth)


ODD = {
    "a change that says nothing": {"changes": [{}]},
    "a change that is no record": {"changes": ["liver"]},
    "a change of a number": {"changes": [{"role": "ct", "organ": 7}]},
    "changes that are a text": {"changes": "liver"},
    "endless seconds": {"seconds": float("inf")},
    "seconds that are no number": {"seconds": float("nan")},
    "seconds as a text": {"seconds": "3"},
    "seconds beyond all numbers": {"seconds": 10**400},
    "a user who is a list": {"who": ["me"]},
    "half a character": {"notes": "\ud800"},
    "a model that is a record": {"model": {}},
    "an alignment that is a number": {"alignment": 3},
    "an alignment by nothing": {"alignment": {"moved_mm": float("nan"), "matrix": [[1.0]]}},
    "facts that are no number": {"facts": {"doubt": {"ct": float("inf")}}},
    "a time without a zone": {"at": "2026-01-01T00:00:00"},
    "a time that is a number": {"at": 3},
    "a table without an end": {"table": {"labels": [None]}},
    "a table that is a list": {"table": []},
    "scans that are a list": {"scans": ["ct"]},
    "organs that are numbers": {"organs": [1]},
    "a revision that is a text": {"revision": "1"},
    "a field that nobody knows": {"surprise": 1},
    "checksums that are none": {"facts": {"scans": {"ct": "../../outside"}}},
    "checksums that are a list": {"facts": {"scans": ["ct"]}},
    "facts without a floor": {"facts": {"deep": nested(500)}},
}


# What only says how scans are recognised again is passed over where it is read.
HARMLESS = ("checksums that are none", "checksums that are a list")


def rewritten(folder, change):
    value = read_json(folder / "entry.json")
    if "organs" in change:
        value["scans"]["ct"] |= change
    else:
        value |= change
    (folder / "entry.json").write_text(json.dumps(value))
    (folder / SUMS).write_text(sums_of(folder))


@pytest.mark.parametrize("kind", ODD)
def test_an_entry_with_right_sums_and_odd_content_hides_no_other(a_queue, kind, tmp_path):
    whole = (a_queue.folder / "entries" / "odd.r1" / "entry.json").read_text()
    folder = a_queue.folder / "entries" / "odd.r1"
    try:
        rewritten(folder, ODD[kind])
        rows = queue_list(_request(a_queue), None, None).values["entries"]
        rows = [row for row in rows if kind not in HARMLESS or row["id"] == "good.r1"]
        assert [row["id"] for row in rows] == ["good.r1"]
        json.dumps(rows, allow_nan=False).encode("utf-8")
        folder.rename(tmp_path / "mine")  # what ``verify`` would move is needed again
        copy = Ledger(tmp_path / "queue")
        copy.folder.mkdir()
        (copy.folder / "entries").mkdir()
        (tmp_path / "mine").rename(copy.folder / "entries" / "odd.r1")
        aside = copy.verify()
        assert copy.twins() == []
        assert list(aside) == ([] if kind in HARMLESS else ["odd.r1"])
        places = (copy.folder / "entries", copy.folder / "damaged")
        (left,) = [p for place in places if place.is_dir() for p in place.iterdir() if p.is_dir()]
        left.rename(folder)
    finally:
        (folder / "entry.json").write_text(whole)
        (folder / SUMS).write_text(sums_of(folder))
    assert len(a_queue.entries()) == 2


def _request(queue):
    from cmcseg.core.messages import Message

    return Message(verb="queue-list", values={"queue": str(queue.folder)})


@pytest.mark.skipif(os.name != "posix", reason="pipes with names are POSIX")
def test_a_pipe_in_an_entry_s_place_is_not_waited_for(a_queue):
    folder = a_queue.folder / "entries" / "pipe.r1"
    folder.mkdir()
    os.mkfifo(folder / "entry.json")
    try:
        assert len(a_queue.entries()) == 2
    finally:
        (folder / "entry.json").unlink()
        folder.rmdir()
