"""Which run a fine-tuning of the worker goes on with, and what it says of the queue."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cmcseg.bundle.store import Store, task_card
from cmcseg.bundle.versions import adopt
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.messages import Message
from cmcseg.core.progress import ignore
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.learn import finetune as learning
from cmcseg.learn.noninferiority import LITTLE
from cmcseg.queue.challengers import remember
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.submission import Submission
from cmcseg.worker.learn_verbs import finetune, look_at_both
from cmcseg.worker.model_cache import ModelCache
from cmcseg.worker.queue_verbs import queue_add, queue_list
from fine_tuned import NAME, a_run
from queued import GRID, a_draft
from tiny import tiny_bundle, tiny_pairs

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
    monkeypatch.setattr(
        learning, "fine_tune", lambda _, __, run, *___, **____: runs.append(run) or {}
    )
    values = {"model": CARD.name, "queue": str(ledger.folder), "minutes": 1.0, "device": "cpu"}
    cache = SimpleNamespace(bundle=lambda _: SimpleNamespace(card=CARD))
    answer = finetune(Message(verb="finetune", values=values), cache, ignore)
    return runs[0], answer.values["verdict"]


def test_a_cancelled_run_goes_on_only_while_the_queue_is_the_same(a_queue, monkeypatch):
    first = accept(a_queue, 1)
    run, _ = ask(a_queue, monkeypatch)
    assert ask(a_queue, monkeypatch)[0] == run
    accept(a_queue, 2, first.pair)  # a revision
    revised, _ = ask(a_queue, monkeypatch)
    assert revised != run
    accept(a_queue, 3)  # one more pair
    assert ask(a_queue, monkeypatch)[0] not in (run, revised)


@pytest.fixture
def a_verdict(tmp_path):
    """A tiny model in use, a finished fine-tuning of it, and a queue of one pair."""
    torch.set_num_threads(1)
    tiny_bundle(tmp_path / "shipped" / NAME)
    store = Store(shipped=tmp_path / "shipped", user=tmp_path / "user")
    a_run(store, tmp_path / "run")
    ledger = Ledger(tmp_path / "queue")
    case = tiny_pairs(tmp_path, 1)[0]
    scans = {role: read_volume(tmp_path / case[role]) for role in ("ct", "mr")}
    drawn = {"ct": read_label_map(tmp_path / case["ct_labels"], CARD.table)}
    pair = ledger.add(Submission(scans=scans, corrected=drawn, table=CARD.table)).pair
    values = {"model": NAME, "queue": str(ledger.folder), "run": str(tmp_path / "run")}
    values |= {"case": pair, "device": "cpu"}
    return Message(verb="look-at-both", values=values), ModelCache(store=store, folder=tmp_path)


def test_both_models_are_asked_about_the_same_scans(a_verdict):
    request, cache = a_verdict
    answer = look_at_both(request, cache, ignore)
    assert set(answer.volumes) == {"ct", "mr"}
    maps = answer.label_maps
    assert set(maps) == {"drawn ct", "old ct", "old mr", "new ct", "new mr"}
    assert len({labels.grid.shape for labels in maps.values()}) == 1
    old, new = (maps[f"{which} ct"].array for which in ("old", "new"))
    assert not np.array_equal(old, new)


def test_what_can_no_longer_be_compared_is_told(a_verdict):
    request, cache = a_verdict
    run = Path(request.values["run"])
    gone = replace(request, values={**request.values, "case": "p0"})
    with pytest.raises(BadInput, match="The pair p0 is no longer in the queue"):
        look_at_both(gone, cache, ignore)
    adopt(cache.store, NAME, run)
    with pytest.raises(BadInput, match="Another version of abdomen-ct-mr is in use than the one"):
        look_at_both(request, cache, ignore)


def test_what_is_damaged_is_named_with_the_verdict(a_queue, monkeypatch):
    entry = accept(a_queue, 1)
    (a_queue.folder / "entries" / entry.id / "ct.nii.gz").write_bytes(b"")
    _, verdict = ask(a_queue, monkeypatch)
    why = "ct.nii.gz was changed after it was written."
    assert verdict == {"set_aside": {entry.id: why}, "unfit": {}}


def listed(ledger):
    store = SimpleNamespace(card=lambda _: CARD)
    values = {"queue": str(ledger.folder), "model": CARD.name}
    return queue_list(
        Message(verb="queue-list", values=values), SimpleNamespace(store=store), ignore
    )


def test_the_queue_tells_what_was_judged_and_what_comes_next(a_queue):
    pair = accept(a_queue, 1).pair
    assert listed(a_queue).values["judged"] == {"gains": [], "coming": 1}
    score = {"case": pair, "role": "ct", "organ": "liver", "real": True, "fresh": False}
    found = {"scores": [{**score, "old": 0.48, "new": 0.74}], "learned": [pair]}
    remember(a_queue.folder, CARD.sha256, {**found, "checked": [], "candidate": ""})
    half = pytest.approx(math.log((1 - 0.48 + LITTLE) / (1 - 0.74 + LITTLE)))
    assert listed(a_queue).values["judged"] == {"gains": [half], "coming": 0}
    accept(a_queue, 3)
    assert listed(a_queue).values["judged"] == {"gains": [half], "coming": 1}


def test_labels_that_look_like_a_mistake_are_named_when_they_are_accepted(a_queue, tmp_path):
    case = tiny_pairs(tmp_path, 1)[0]
    scan = read_volume(tmp_path / case["ct"])
    drawn = read_label_map(tmp_path / case["ct_labels"], CARD.table)
    empty = replace(drawn, array=np.zeros_like(drawn.array))
    told = {"queue": str(a_queue.folder), "changes": [], "alignment": None, "seconds": 0.0}
    told |= dict.fromkeys(("pair", "model", "version", "sha256", "who", "notes"), "")
    names = [label.name for label in CARD.table]
    emptied = f"the {', '.join(names[:-1])} and {names[-1]} were emptied"
    for corrected, mistakes in ((drawn, {}), (empty, {"ct": emptied})):
        maps = {"corrected ct": corrected, "found ct": drawn}
        request = Message(verb="queue-add", values=told, volumes={"ct": scan}, label_maps=maps)
        assert queue_add(request, None, ignore).values["mistakes"] == mistakes
