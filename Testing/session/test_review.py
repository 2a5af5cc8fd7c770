import time

import numpy as np
import pytest
import slicer
from cmcseg.core.errors import BadInput
from cmcseg.core.steps import finish
from cmcseg.mrml.scene import MrmlScene
from cmcseg.session.organ_shapes import fill_between
from cmcseg.session.place_words import place_sentence
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession
from cmcseg.session.stage import Stage
from cmcseg.session.worker_queue import WorkerQueue
from inline_runner import InlineRunner
from mrml_scene import Host, add_volume, ball_scan, box, by_value, dice
from session_parts import Worker

TURN = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # 90 degrees about the patient's axis


@pytest.fixture
def a_review(tmp_path):
    """The MR lies a quarter turn and 10 mm off; the alignment knows it."""
    host, worker = Host(), Worker()
    worker.matrix = np.eye(4)
    worker.matrix[:3, :3], worker.matrix[:3, 3] = TURN, (10, 0, 0)
    scene, runner = MrmlScene(host.scene), InlineRunner(worker)
    ct = add_volume(host.scene, ball_scan(box()), box().affine, "CT venous", modality="CT")
    placed = box((52, 50, 44)).moved(np.linalg.inv(worker.matrix))
    # In the fixed scan's world the anatomy is the same; in its own it is turned back.
    mr = add_volume(
        host.scene,
        ball_scan(placed.moved(worker.matrix)) + 5000,
        placed.affine,
        "T2",
        modality="MR",
    )
    session = SegmentSession(scene, runner)
    session.models.load()
    runner.finish()
    session.set_scan("ct", ct.GetID())
    session.set_scan("mr", mr.GetID())
    session.segment()
    runner.finish()
    review = ReviewSession(scene, runner, WorkerQueue(runner, tmp_path / "queue"))
    review.host, review.worker, review.session = host, worker, session
    review.heard = []
    review.failed.connect(lambda sentence, _: review.heard.append(sentence))
    review.accepted.connect(review.heard.append)
    review.open(session.result)
    yield review
    review.close()
    session.close()
    scene.close()
    host.close()


def drawn(review, role):
    return finish(review.scene.reading_labels(review.result.scans[role])).array


def emptied(review, role):
    """Take all organs of a scan away, so that there is room to copy to."""
    nothing = np.zeros(drawn(review, role).shape, bool)
    key = review.result.scans[role]
    finish(review.scene.writing_organs(key, {"liver": nothing, "left kidney": nothing}))


def test_the_line_walks_from_doubt_to_doubt_and_round(a_review):
    assert a_review.sentence() == "1 place to look at."
    a_review.places *= 3
    count = len(a_review.places)
    assert a_review.sentence() == f"{count} places to look at."
    a_review.next()
    assert a_review.sentence() == f"1 of {count}: liver, upper part, model unsure"
    a_review.previous()
    assert a_review.index == count - 1
    a_review.next()
    assert a_review.index == 0


def test_a_jump_tells_the_place_in_both_worlds(a_review):
    seen = []
    a_review.jumped.connect(seen.append)
    a_review.next()
    (place,) = seen
    ct, mr = np.array(place.points["ct"]), np.array(place.points["mr"])
    matrix = a_review.worker.matrix
    assert np.allclose(matrix[:3, :3] @ mr + matrix[:3, 3], ct)


def test_the_model_found_nothing_in_the_mr_so_the_ct_s_organ_is_copied(a_review):
    emptied(a_review, "mr")
    a_review.copy_organ("left kidney", "ct", "mr")
    a_review.runner.finish()
    grid = a_review.result.prediction.labels["mr"].grid
    truth = by_value(ball_scan(grid.moved(a_review.worker.matrix)))
    assert dice(drawn(a_review, "mr"), truth, 2) > 0.97
    assert a_review.stage is Stage.CORRECTING
    (change,) = [c for c in a_review.changes if c.organ == "left kidney"]
    assert change.role == "mr"
    assert change.removed_ml == 0
    assert change.added_ml == pytest.approx(4 / 3 * np.pi * 1.6**3, rel=0.05)


def test_what_is_another_organs_in_the_other_scan_stays_that_organs(a_review):
    before = drawn(a_review, "mr")
    assert (before == 1).all()  # the liver of this model fills the whole MR
    a_review.copy_organ("left kidney", "ct", "mr")
    a_review.runner.finish()
    assert (drawn(a_review, "mr") == before).all()


def test_copying_can_be_undone(a_review):
    emptied(a_review, "mr")
    before = drawn(a_review, "mr")
    a_review.copy_organ("left kidney", "ct", "mr")
    a_review.runner.finish()
    assert a_review.scene.undo(a_review.result.scans["mr"])
    assert (drawn(a_review, "mr") == before).all()


def test_back_to_the_models_result_organ_by_organ_and_whole(a_review):
    found = drawn(a_review, "ct")
    nothing = np.zeros(found.shape, bool)
    key = a_review.result.scans["ct"]
    finish(a_review.scene.writing_organs(key, {"liver": nothing, "left kidney": nothing}))
    a_review.restore("ct", "liver")
    a_review.runner.finish()
    assert ((drawn(a_review, "ct") == 1) == (found == 1)).all()
    assert not (drawn(a_review, "ct") == 2).any()
    assert [change.organ for change in a_review.changes] == ["left kidney"]
    a_review.restore("ct")
    a_review.runner.finish()
    assert (drawn(a_review, "ct") == found).all()
    assert a_review.changes == ()


def test_accept_hands_the_corrected_pair_to_the_queue(a_review):
    emptied(a_review, "mr")
    a_review.copy_organ("left kidney", "ct", "mr")
    a_review.runner.finish()
    a_review.accept(who="AB", notes="clear")
    a_review.runner.finish()
    assert a_review.heard == ["pair-1.r1"]
    assert a_review.stage is Stage.ACCEPTED
    sent = a_review.worker.asked[-1]
    assert sent.verb == "queue-add"
    assert set(sent.volumes) == {"ct", "mr"}
    assert (sent.label_maps["corrected mr"].array == 2).any()
    assert not (sent.label_maps["found mr"].array == 2).any()
    assert sent.values["model"] == "tiny"
    assert sent.values["who"] == "AB"
    assert sent.values["alignment"]["moving"] == "mr"
    changed = [change["organ"] for change in sent.values["changes"]]
    assert changed == ["liver", "left kidney"]  # the model had called all of the MR liver


def test_editing_after_accepting_opens_the_correction_again(a_review):
    a_review.accept()
    a_review.runner.finish()
    a_review.edited()
    assert a_review.stage is Stage.CORRECTING


def test_a_pair_is_accepted_once_for_each_correction(a_review):
    a_review.accept()
    a_review.runner.finish()
    sentence = "The pair is in the queue already; correct something to accept it again."
    assert a_review.why_not() == sentence
    with pytest.raises(BadInput) as refusal:
        a_review.accept()
    assert str(refusal.value) == sentence
    a_review.edited()
    a_review.accept()
    a_review.runner.finish()
    assert a_review.heard == ["pair-1.r1", "pair-1.r1"]


def test_a_scan_deleted_during_the_review_ends_it(a_review):
    node = a_review.host.scene.GetNodeByID(a_review.result.scans["mr"])
    a_review.host.scene.RemoveNode(node)
    assert a_review.result is None
    assert a_review.why_not() == "Segment a scan first; what you correct can then be accepted."


def test_the_segmentation_of_a_closed_scene_is_let_go(a_review):
    a_review.copy_organ("left kidney", "ct", "mr")
    a_review.host.scene.Clear(0)
    a_review.runner.finish()
    assert a_review.result is None
    assert not a_review.busy


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda r: r.copy_organ("liver", "ct", "pet"),
            "There is no other scan to copy the organ to.",
        ),
        (
            lambda r: r.copy_organ("spleen", "ct", "mr"),
            "The model knows no 'spleen'; it knows liver, left kidney.",
        ),
        (lambda r: r.restore("pet"), "There is no result for 'pet'."),
    ],
)
def test_what_cannot_be_done_is_refused(a_review, call, sentence):
    with pytest.raises(BadInput) as refusal:
        call(a_review)
    assert str(refusal.value) == sentence


def test_an_organ_that_is_not_there_cannot_be_copied(a_review):
    a_review.copy_organ("left kidney", "mr", "ct")
    a_review.runner.finish()
    assert a_review.heard == [
        "The left kidney of the MR lies outside the CT, or is empty; nothing was copied."
    ]
    assert not a_review.busy


def test_two_steps_at_once_are_refused(a_review):
    a_review.compare()
    with pytest.raises(BadInput, match=r"^The last step is still being finished; try again in a"):
        a_review.restore("ct")


def test_without_a_queue_nothing_can_be_accepted(a_review):
    a_review.queue = None
    with pytest.raises(BadInput, match=r"^No folder for the queue is chosen; choose one\.$"):
        a_review.accept()


def test_back_to_the_models_result_after_a_scene_was_reopened(a_review):
    found = {role: drawn(a_review, role) for role in ("ct", "mr")}
    emptied(a_review, "mr")
    a_review.copy_organ("left kidney", "ct", "mr")
    a_review.runner.finish()
    assert (drawn(a_review, "mr") != found["mr"]).any()
    session = a_review.session
    session.finished.connect(a_review.open)
    session.reopen()
    a_review.runner.finish()
    for role in ("ct", "mr"):
        a_review.restore(role)
        a_review.runner.finish()
        assert (drawn(a_review, role) == found[role]).all()
    assert a_review.changes == ()


def test_a_scene_without_corrections_is_reopened_as_a_result(a_review):
    a_review.session.finished.connect(a_review.open)
    a_review.session.reopen()
    a_review.runner.finish()
    assert a_review.stage is Stage.RESULT
    assert a_review.result.corrected is False


def test_a_saved_scene_is_reopened_and_the_review_goes_on(a_review, tmp_path):
    emptied(a_review, "mr")
    a_review.copy_organ("left kidney", "ct", "mr")
    a_review.runner.finish()
    drawn_before = drawn(a_review, "mr")
    places = [place_sentence(place) for place in a_review.places]
    scene = a_review.host.scene
    bundle = tmp_path / "scene.mrb"
    assert scene.WriteToMRB(str(bundle))
    scene.Clear(0)
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(scene)
    remote.AddDataIOToScene()
    remote.GetCacheManager().SetRemoteCacheDirectory(str(tmp_path))
    assert scene.ReadFromMRB(str(bundle), True)
    a_review.runner.finish()
    session = a_review.session
    names = {scan.name: scan.key for scan in session.scans()}
    session.set_scan("ct", names["CT venous"])
    session.set_scan("mr", names["T2"])
    session.finished.connect(a_review.open)
    session.reopen()
    a_review.runner.finish()
    assert (drawn(a_review, "mr") == drawn_before).all()
    assert [place_sentence(place) for place in a_review.places] == places
    assert a_review.result.prediction.sha256 == "ab" * 32
    assert a_review.stage is Stage.CORRECTING
    changed = [(change.role, change.organ) for change in a_review.changes]
    assert changed == [("mr", "liver"), ("mr", "left kidney")]
    a_review.accept()
    a_review.runner.finish()
    assert a_review.heard == ["pair-1.r1"]
    sent = a_review.worker.asked[-1].label_maps
    assert (sent["found mr"].array != 2).all(), "what the model found is not what was drawn"
    assert (sent["corrected mr"].array == drawn_before).all()
    assert np.allclose(
        a_review.worker.asked[-1].values["alignment"]["matrix"], a_review.worker.matrix
    )


def test_a_result_of_another_model_is_not_taken_up(a_review):
    session = a_review.session
    session.models.import_("other.zip")
    a_review.runner.finish()
    told = []
    session.failed.connect(lambda sentence, _: told.append(sentence))
    session.reopen()
    a_review.runner.finish()
    assert told == [
        "The result in this scene was made by the model tiny; choose that model to go on with it."
    ]


def test_what_a_correction_took_from_a_neighbour_comes_back_with_it(a_review):
    found = drawn(a_review, "ct")
    key = a_review.result.scans["ct"]
    finish(a_review.scene.writing_organs(key, {"liver": (found == 1) | (found == 2)}))
    assert not (drawn(a_review, "ct") == 2).any(), "the liver has swallowed the kidney"
    a_review.restore("ct", "liver")
    a_review.runner.finish()
    assert (drawn(a_review, "ct") == found).all()


def test_the_table_follows_what_is_drawn_a_moment_after_the_last_stroke(a_review, monkeypatch):
    from cmcseg.session import drawing as module

    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    found = drawn(a_review, "ct")
    (before,) = [row.found["ct"].ml for row in a_review.rows if row.organ == "liver"]
    half = (found == 1) & (np.arange(found.shape[2]) % 2 == 0)
    finish(a_review.scene.writing_organs(a_review.result.scans["ct"], {"liver": half}))
    a_review.edited()
    assert not a_review.busy, "the user goes on drawing meanwhile"
    end = time.monotonic() + 20
    while a_review.rows is a_review.result.rows and time.monotonic() < end:
        a_review.runner.pump()
    (now,) = [row.found["ct"].ml for row in a_review.rows if row.organ == "liver"]
    assert now == pytest.approx(half.sum() * a_review.result.volumes["ct"].grid.voxel_ml)
    assert now == pytest.approx(before / 2, rel=0.1)


def test_another_choice_of_scans_puts_the_result_away_and_the_same_brings_it_back(a_review):
    session, gone = a_review.session, []
    session.left.connect(lambda: gone.append(True))
    before, key = session.result, session.chosen["mr"]
    session.set_scan("mr", "")
    a_review.runner.finish()
    assert gone == [True]
    assert set(session.result.scans) == {"ct"}, "the CT has organs of its own in the scene"
    session.set_scan("mr", key)
    a_review.runner.finish()
    assert session.result.scans == before.scans
    assert [row.organ for row in session.result.rows] == [row.organ for row in before.rows]


def test_slices_between_drawn_ones_are_filled_and_no_other_organ_gives_up_anything(a_review):
    key, whole = a_review.result.scans["ct"], drawn(a_review, "ct")
    liver = whole == 1
    slices = np.flatnonzero(liver.any(axis=(0, 1)))
    sparse = liver.copy()
    sparse[:, :, slices[1] : slices[-1] : 3] = False
    kidney = np.zeros_like(liver)
    kidney[24:28, 20:26, slices[1]] = True
    finish(a_review.scene.writing_organs(key, {"liver": sparse & ~kidney, "left kidney": kidney}))
    fill_between(a_review, "ct", "liver")
    a_review.runner.finish()
    assert not a_review.heard
    filled = drawn(a_review, "ct")
    assert (filled[kidney] == 2).all()
    assert dice(filled, whole, 1) > 0.95
    assert a_review.scene.undo(key)
    assert ((drawn(a_review, "ct") == 1) == (sparse & ~kidney)).all()


def test_nothing_to_fill_is_told_and_nothing_is_drawn(a_review):
    before = drawn(a_review, "ct")
    fill_between(a_review, "ct", "liver")
    a_review.runner.finish()
    assert a_review.heard == [
        "The liver misses no slice between drawn ones; erase it in some, or draw it in two that "
        "lie apart."
    ]
    assert (drawn(a_review, "ct") == before).all()
    with pytest.raises(BadInput, match=r"There is no result for .pet.\."):
        fill_between(a_review, "pet", "liver")
    assert not a_review.busy
