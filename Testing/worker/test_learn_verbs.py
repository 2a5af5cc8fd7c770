"""Which run a fine-tuning of the worker goes on with, and what it says of the queue."""

from types import SimpleNamespace

import numpy as np
import pytest
from cmcseg.bundle.store import task_card
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.progress import ignore
from cmcseg.core.wire import Message
from cmcseg.learn import finetune as learning
from cmcseg.queue.ledger import Ledger
from cmcseg.worker.learn_verbs import finetune
from queued import GRID, a_draft

CARD = task_card("abdomen")


@pytest.fixture
def a_queue(tmp_path):
    return Ledger(tmp_path / "queue")


def accept(ledger, seed, pair=""):
    labels = LabelMap(array=np.ones(GRID.shape, np.uint8), grid=GRID, table=CARD.table)
    return ledger.add(a_draft(seed, corrected={"ct": labels}, table=CARD.table, pair=pair))


def ask(ledger, monkeypatch):
    """The folder that a fine-tuning is given, as if it were cancelled at once, and the answer."""
    runs = []
    monkeypatch.setattr(learning, "fine_tune", lambda _, __, run, *___: runs.append(run) or {})
    values = {"model": CARD.name, "queue": str(ledger.folder), "minutes": 1.0, "device": "cpu"}
    warm = SimpleNamespace(bundle=lambda _: SimpleNamespace(card=CARD))
    answer = finetune(Message(verb="finetune", values=values), warm, ignore)
    return runs[0], answer.values["verdict"]


def test_a_cancelled_run_goes_on_only_while_the_queue_is_the_same(a_queue, monkeypatch):
    first = accept(a_queue, 1)
    run, _ = ask(a_queue, monkeypatch)
    assert ask(a_queue, monkeypatch)[0] == run
    accept(a_queue, 2, first.pair)  # a revision
    revised, _ = ask(a_queue, monkeypatch)
    assert revised != run
    assert accept(a_queue, 3).part == "check"  # one more to compare on
    assert ask(a_queue, monkeypatch)[0] not in (run, revised)


def test_what_is_damaged_is_named_with_the_verdict(a_queue, monkeypatch):
    entry = accept(a_queue, 1)
    (a_queue.folder / "entries" / entry.id / "ct.nii.gz").write_bytes(b"")
    _, verdict = ask(a_queue, monkeypatch)
    why = "ct.nii.gz was changed after it was written."
    assert verdict == {"set_aside": {entry.id: why}, "unfit": {}}
