"""A round through what nobody has corrected yet, on a real scene and a worker within the test."""

from pathlib import Path

import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.mrml.scene import MrmlScene
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession
from cmcseg.session.worker_queue import WorkerQueue
from cmcseg.session.worklist import Worklist, WorklistStage
from inline_runner import InlineRunner
from mrml_scene import Host, add_volume, ball_scan, box
from session_parts import Worker

NAMES = ("anna", "bert", "carl")


class RoundWorker(Worker):
    """Also knows which pairs wait, and gives them study-local ids."""

    trouble = ""

    def __call__(self, request, report):
        if request.verb == self.trouble:
            raise BadInput("The disk is full.")
        if request.verb == "queue-next":
            self.asked.append(request)
            rows = [
                {
                    "pair": name,
                    "doubt": 0.5,
                    "by": ("doubt", "chance")[place % 2],
                    "scans": {"ct": f"/scans/{name}_ct.nii.gz"},
                }
                for place, name in enumerate(NAMES)
            ]
            return Message(verb="queue-next", values={"next": rows, "failed": {"dora": "Empty."}})
        if request.verb == "queue-pair":
            self.asked.append(request)
            return Message(verb="queue-pair", values={"pair": f"p-{request.values['subject']}"})
        return super().__call__(request, report)


@pytest.fixture
def a_worklist(tmp_path):
    """A scene in which the user has a scan of his own."""
    host, worker = Host(), RoundWorker()
    scene, runner = MrmlScene(host.scene), InlineRunner(worker)
    own = add_volume(host.scene, ball_scan(box()), box().affine, "mine", modality="CT").GetID()
    session = SegmentSession(scene, runner)
    session.models.load()
    runner.finish()
    review = ReviewSession(scene, runner, WorkerQueue(runner, tmp_path / "queue"))

    def load(scans):
        keys = {}
        for role, path in scans.items():
            if path.name in walk.unreadable:
                raise BadInput(f"{path.name} is empty.")
            node = add_volume(host.scene, ball_scan(box()), box().affine, path.name, modality="CT")
            keys[role] = node.GetID()
        return keys

    def put_away(keys):
        for key in keys:
            host.scene.RemoveNode(host.scene.GetNodeByID(key))

    walk = Worklist(session, review, load, put_away)
    walk.host, walk.worker, walk.runner, walk.own = host, worker, runner, own
    walk.review, walk.session, walk.unreadable, walk.heard = review, session, set(), []
    walk.failed.connect(lambda sentence, _: walk.heard.append(sentence))
    walk.finished.connect(lambda: walk.heard.append("finished"))
    yield walk
    walk.close()
    review.close()
    session.close()
    scene.close()
    host.close()


def ask(walk):
    walk.ask(Path("/scans"), count=3)
    walk.runner.finish()


def step(walk):
    walk.next()
    walk.runner.finish()


def volumes(walk):
    return {scan.name for scan in walk.session.scans()}


def test_the_worker_is_asked_which_pairs_wait(a_worklist, tmp_path):
    ask(a_worklist)
    assert [pair.name for pair in a_worklist.pairs] == list(NAMES)
    assert a_worklist.stage is WorklistStage.WAITING
    assert a_worklist.heard == ["dora: Empty."]
    assert a_worklist.worker.asked[-1].values == {
        "queue": str(tmp_path / "queue"), "folder": "/scans", "model": "tiny", "device": "auto",
        "count": 3, "seed": 0, "without": [],
    }  # fmt: skip


def test_pair_after_pair_is_loaded_segmented_and_accepted_beside_the_users_own_scan(a_worklist):
    ask(a_worklist)
    for place, name in enumerate(NAMES, 1):
        step(a_worklist)
        assert a_worklist.stage is WorklistStage.REVIEWING
        assert a_worklist.sentence().startswith(f"{place} of 3: {name}, chosen by ")
        assert volumes(a_worklist) >= {"mine", f"{name}_ct.nii.gz"}
        assert len([n for n in volumes(a_worklist) if n.endswith("_ct.nii.gz")]) == 1
        assert a_worklist.review.result.scans.keys() == {"ct"}
        a_worklist.accept(who="me")
        a_worklist.runner.finish()
        kept = [m for m in a_worklist.worker.asked if m.verb == "queue-add"][-1]
        assert (kept.values["pair"], kept.values["who"]) == (f"p-{name}", "me")
    step(a_worklist)
    assert a_worklist.stage is WorklistStage.DONE
    assert a_worklist.heard[-1] == "finished"
    assert "mine" in volumes(a_worklist)
    assert a_worklist.sentence() == "Every pair was looked at."


def test_a_skipped_pair_is_not_kept_and_does_not_come_again(a_worklist):
    ask(a_worklist)
    step(a_worklist)
    a_worklist.skip()
    step(a_worklist)
    assert a_worklist.pair.name == "bert"
    assert not any(m.verb in ("queue-add", "queue-pair") for m in a_worklist.worker.asked)
    a_worklist.skip()
    step(a_worklist)
    a_worklist.skip()
    step(a_worklist)
    assert {pair.status for pair in a_worklist.pairs} == {"skipped"}
    assert a_worklist.stage is WorklistStage.DONE


def test_a_scan_that_cannot_be_read_comes_again_at_the_end_and_can_be_skipped(a_worklist):
    a_worklist.unreadable = {"anna_ct.nii.gz"}
    ask(a_worklist)
    step(a_worklist)
    assert a_worklist.heard[-1] == "anna: anna_ct.nii.gz is empty."
    assert a_worklist.stage is WorklistStage.WAITING
    for name in ("bert", "carl"):
        step(a_worklist)
        assert a_worklist.pair.name == name
        a_worklist.skip()
    step(a_worklist)
    assert a_worklist.pair.name == "anna"
    a_worklist.skip()
    step(a_worklist)
    assert a_worklist.stage is WorklistStage.DONE


@pytest.mark.parametrize("verb", ["queue-pair", "queue-add"])
def test_a_pair_that_cannot_be_kept_stays_open(a_worklist, verb):
    ask(a_worklist)
    step(a_worklist)
    a_worklist.worker.trouble = verb
    a_worklist.accept()
    a_worklist.runner.finish()
    assert a_worklist.stage is WorklistStage.REVIEWING
    assert a_worklist.heard[-1] == "The disk is full."
    a_worklist.worker.trouble = ""
    a_worklist.accept()
    a_worklist.runner.finish()
    assert a_worklist.pair.status == "accepted"


def test_a_segmentation_that_fails_is_told_with_the_pairs_name(a_worklist):
    ask(a_worklist)
    a_worklist.worker.trouble = "segment"
    step(a_worklist)
    assert a_worklist.heard[-1] == "anna: The disk is full."
    assert a_worklist.pair.status == "The disk is full."
    a_worklist.worker.trouble = ""
    step(a_worklist)
    assert a_worklist.pair.name == "bert"


def test_a_cancelled_segmentation_waits(a_worklist):
    ask(a_worklist)
    a_worklist.worker.during = a_worklist.cancel
    step(a_worklist)
    assert a_worklist.stage is WorklistStage.WAITING
    assert a_worklist.pair.status == ""


def test_the_users_own_segmentation_in_between_is_not_taken_for_the_pair(a_worklist):
    ask(a_worklist)
    a_worklist.session.set_scan("ct", a_worklist.own)
    a_worklist.session.segment()
    a_worklist.runner.finish()
    assert a_worklist.stage is WorklistStage.WAITING
    assert a_worklist.pair is None


def test_other_scans_are_not_filed_under_the_pair_that_is_open(a_worklist):
    ask(a_worklist)
    step(a_worklist)
    a_worklist.session.set_scan("ct", a_worklist.own)
    a_worklist.session.segment()
    a_worklist.runner.finish()
    a_worklist.review.open(a_worklist.session.result)
    with pytest.raises(BadInput, match=r"^\S+ of the review list is still open; skip it before"):
        a_worklist.accept()
    assert a_worklist.stage is WorklistStage.REVIEWING


def test_what_is_out_of_order_is_refused(a_worklist):
    for call in (a_worklist.next, a_worklist.accept, a_worklist.skip):
        with pytest.raises(BadInput, match=r"^(It is not known yet|No pair is being looked at)"):
            call()
    ask(a_worklist)
    step(a_worklist)
    with pytest.raises(BadInput, match=r"^A pair is being worked on; accept it or skip it first"):
        a_worklist.next()
    with pytest.raises(BadInput, match=r"^A pair is being worked on; accept it or skip it first"):
        a_worklist.ask(Path("/scans"))
    a_worklist.accept()
    a_worklist.runner.finish()
    with pytest.raises(BadInput, match=r"^No pair is being looked at; take the next one"):
        a_worklist.skip()


def test_without_a_model_or_a_queue_nobody_is_asked(a_worklist):
    a_worklist.review.queue = None
    with pytest.raises(BadInput, match=r"^No folder for the queue is chosen; choose one"):
        a_worklist.ask(Path("/scans"))
    a_worklist.session.card = None
    with pytest.raises(BadInput, match=r"^Choose a model first; it is asked which pairs"):
        a_worklist.ask(Path("/scans"))
