from dataclasses import replace

import numpy as np
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.settings import SegmentSettings
from cmcseg.mrml.scene import MrmlScene
from cmcseg.mrml.warp import image_of
from cmcseg.session.place_words import place_sentence
from cmcseg.session.segment import SegmentSession
from cmcseg.session.stage import Stage
from inline_runner import InlineRunner
from mrml_scene import Host, add_bend, add_volume, ball_scan, box
from session_parts import Worker


@pytest.fixture
def a_host():
    host = Host()
    yield host
    host.close()


@pytest.fixture
def a_worker():
    return Worker()


@pytest.fixture
def a_session(a_host, a_worker):
    scene, runner = MrmlScene(a_host.scene), InlineRunner(a_worker)
    session = SegmentSession(scene, runner)
    session.models.load()
    runner.finish()
    session.heard = []
    session.started.connect(lambda: session.heard.append("started"))
    session.finished.connect(lambda _: session.heard.append("finished"))
    session.failed.connect(lambda sentence, _: session.heard.append(sentence))
    session.cancelled.connect(lambda: session.heard.append("cancelled"))
    yield session
    session.close()
    scene.close()
    runner.close()


def add_pair(host):
    ct = add_volume(host.scene, ball_scan(box()), box().affine, "CT venous", modality="CT")
    other = box((40, 44, 30), (3.5, 3.0, 5.0))
    mr = add_volume(host.scene, ball_scan(other) + 5000, other.affine, "T2 SPIR", modality="MR")
    return ct, mr


def nodes(host):
    return host.scene.GetNumberOfNodes()


def test_the_state_follows_the_page(a_session, a_host):
    assert a_session.stage is Stage.NO_SCANS
    add_pair(a_host)
    a_session.runner.finish()
    assert a_session.stage is Stage.READY
    a_session.segment()
    assert a_session.stage is Stage.SEGMENTING
    a_session.runner.finish()
    assert a_session.stage is Stage.RESULT
    assert a_session.heard == ["started", "finished"]


def test_scans_are_guessed_and_their_alignment_is_known_before_anything_runs(a_session, a_host):
    ct, mr = add_pair(a_host)
    a_session.runner.finish()
    assert a_session.chosen == {"ct": ct.GetID(), "mr": mr.GetID()}
    assert a_session.placement == "Centres 12 mm apart, 84 % shared view, 7 degrees tilted."
    assert "segment" not in [message.verb for message in a_session.runner._handle.asked]


def test_the_result_lies_in_the_scene_with_volumes_doubt_and_places(a_session, a_host):
    ct, _ = add_pair(a_host)
    a_session.runner.finish()
    a_session.set_scan("mr", "")
    a_session.segment()
    a_session.runner.finish()
    result = a_session.result
    assert result.segmentations == {"ct": a_session.scene.segmentation(ct.GetID())}
    liver = result.rows[0]
    assert liver.organ == "liver"
    assert liver.found["ct"].ml == pytest.approx(4 / 3 * np.pi * 2.6**3, rel=0.05)
    assert liver.found["ct"].doubt == "low"
    assert not liver.found["ct"].is_cut
    assert place_sentence(result.places[0]) == "liver, upper part, model unsure"
    assert a_session.device == "cpu"


def test_progress_carries_the_time_left(a_session, a_host):
    add_pair(a_host)
    a_session.runner.finish()
    seen = []
    a_session.progressed.connect(seen.append)
    a_session.segment()
    a_session.runner.finish()
    first, second = (p.seconds_left for p in seen if p.stage == "segmenting")
    assert first == pytest.approx(8.0, rel=0.02)
    assert second is None
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)


def test_the_same_result_twice_updates_the_first(a_session, a_host):
    add_pair(a_host)
    a_session.runner.finish()
    for _ in range(2):
        a_session.segment()
        a_session.runner.finish()
    assert a_host.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2


def test_cancel_leaves_everything_as_it_was(a_session, a_host, a_worker):
    add_pair(a_host)
    a_session.runner.finish()
    before = nodes(a_host)
    a_worker.during = a_session.cancel
    a_session.segment()
    a_session.runner.finish()
    assert a_session.heard == ["started", "cancelled"]
    assert a_session.stage is Stage.READY
    assert nodes(a_host) == before


def test_cancel_while_a_bent_scan_is_read_is_immediate(a_session, a_host, a_worker):
    bent = add_bend(a_host.scene)
    add_volume(a_host.scene, ball_scan(box()), box().affine, "CT", bent, "CT")
    a_session.runner.finish()
    a_session.segment()
    a_session.runner.pump()
    a_session.cancel()
    assert a_session.heard == ["started", "cancelled"]
    a_session.runner.finish()
    assert "segment" not in [message.verb for message in a_worker.asked]


def test_a_scan_deleted_while_running_is_told_and_nothing_else_changes(a_session, a_host, a_worker):
    ct, mr = add_pair(a_host)
    a_session.runner.finish()
    a_worker.during = lambda: a_host.scene.RemoveNode(mr)
    a_session.segment()
    a_session.runner.finish()
    assert a_session.heard[1] == (
        "The MR scan was deleted while it was being segmented; nothing else was changed. Choose a "
        "scan and segment again."
    )
    assert a_session.chosen == {"ct": ct.GetID()}
    assert a_host.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    a_worker.during = None
    a_session.segment()
    a_session.runner.finish()
    assert a_session.heard[-1] == "finished"


def test_a_scene_closed_while_running_is_told(a_session, a_host, a_worker):
    add_pair(a_host)
    a_session.runner.finish()
    a_worker.during = lambda: a_host.scene.Clear(0)
    a_session.segment()
    a_session.runner.finish()
    assert a_session.heard[1] == (
        "The scene was closed while its scans were being segmented; load the scans and segment "
        "again."
    )
    assert a_session.stage is Stage.NO_SCANS
    assert a_host.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_an_earlier_result_survives_a_failure(a_session, a_host, a_worker):
    add_pair(a_host)
    a_session.runner.finish()
    a_session.segment()
    a_session.runner.finish()
    result = a_session.result

    def trip():
        raise BadInput("The GPU is on fire; buy another.")

    a_worker.during = trip
    a_session.segment()
    a_session.runner.finish()
    assert a_session.heard[-1] == "The GPU is on fire; buy another."
    assert a_session.result is result
    assert a_session.stage is Stage.RESULT


def test_what_an_earlier_version_found_is_taken_up_and_what_another_model_found_is_not(
    a_session, a_host
):
    add_pair(a_host)
    a_session.runner.finish()
    a_session.segment()
    a_session.runner.finish()
    kept = a_session.result.prediction
    with pytest.raises(BadInput, match=r"was found by other 0\.1\.0, whose organs are others"):
        a_session.resume(replace(kept, model="other"))
    earlier = replace(kept, sha256="cd" * 32, version="0.0.9")
    a_session.resume(earlier)
    a_session.runner.finish()
    assert a_session.result.prediction is earlier


def test_swapping_exchanges_the_roles(a_session, a_host):
    ct, mr = add_pair(a_host)
    a_session.runner.finish()
    assert a_session.hint() == ""
    a_session.swap()
    assert a_session.chosen == {"ct": mr.GetID(), "mr": ct.GetID()}
    assert a_session.hint() == "T2 SPIR looks like MR and CT venous like CT. Swap them?"


def test_what_is_to_be_known_of_a_chosen_scan_is_said(a_session, a_host, monkeypatch):
    ct, _mr = add_pair(a_host)
    a_session.runner.finish()
    noted = tuple(
        replace(scan, note="Slices are missing." * (scan.key == ct.GetID()))
        for scan in a_session.scene.scans()
    )
    monkeypatch.setattr(a_session.scene, "scans", lambda: noted)
    assert a_session.hint() == "Slices are missing."


def test_a_report_is_written_when_asked_for(a_session, a_host, a_worker, tmp_path):
    add_pair(a_host)
    a_session.runner.finish()
    with pytest.raises(BadInput, match=r"^There is no result to report on; segment a scan first"):
        a_session.write_report(tmp_path / "report.html")
    a_session.segment()
    a_session.runner.finish()
    told = []
    a_session.reported.connect(told.append)
    a_session.write_report(tmp_path / "report.html")
    a_session.runner.finish()
    assert told == [str(tmp_path / "report.html")]
    assert a_worker.asked[-1].values["scans"] == {"ct": "CT venous", "mr": "T2 SPIR"}


def test_models_come_and_go(a_session, tmp_path):
    a_session.models.import_(tmp_path / "other.zip")
    a_session.runner.finish()
    assert a_session.card.name == "other"
    a_session.models.remove("other")
    a_session.runner.finish()
    assert [card.name for card in a_session.models.cards] == ["tiny"]
    assert a_session.card.name == "tiny"


class TestWhyNot:
    """One sentence for each way in which Segment cannot start."""

    def test_no_model(self, a_host):
        worker = Worker()
        worker.cards = []
        runner = InlineRunner(worker)
        session = SegmentSession(MrmlScene(a_host.scene), runner)
        assert session.why_not() == "Choose a model; when there is none, import one."
        session.models.load()
        runner.finish()
        assert session.why_not() == "Choose a model; when there is none, import one."
        session.close()

    def test_a_worker_that_cannot_start(self, a_host):
        def broken(*_):
            raise BadInput("The worker could not start, as the Python package torch is missing.")

        runner = InlineRunner(broken)
        session = SegmentSession(MrmlScene(a_host.scene), runner)
        session.models.load()
        runner.finish()
        assert session.why_not() == (
            "The worker could not start, as the Python package torch is missing."
        )
        session.close()

    def test_no_scan(self, a_session):
        assert a_session.why_not() == "Choose a scan: CT or MR."
        with pytest.raises(BadInput, match=r"^Choose a scan: CT or MR\.$"):
            a_session.segment()

    def test_the_same_scan_twice(self, a_session, a_host):
        ct, _ = add_pair(a_host)
        a_session.runner.finish()
        a_session.set_scan("mr", ct.GetID())
        assert a_session.why_not() == (
            "The same scan is chosen as CT and as MR; choose two scans, or one."
        )

    def test_a_vector_volume(self, a_session, a_host):
        node = a_host.scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
        node.SetAndObserveImageData(image_of(np.zeros((4, 4, 4, 3), np.uint8)))
        assert a_session.chosen == {}  # it is not guessed either
        a_session.set_scan("ct", node.GetID())
        assert a_session.why_not() == (
            "photo holds 3 numbers per voxel (colour, or a vector); choose a scan with one."
        )

    def test_scans_of_two_patients(self, a_session, a_host, a_worker):
        a_worker.apart = (
            "The MR does not overlap the CT (centres 812 mm apart). Are they the same patient?"
        )
        add_pair(a_host)
        a_session.runner.finish()
        assert a_session.why_not() == a_worker.apart
        a_session.settings = SegmentSettings(align="rigid")
        assert a_session.why_not() == ""

    def test_one_is_running_already(self, a_session, a_host):
        add_pair(a_host)
        a_session.runner.finish()
        a_session.segment()
        assert a_session.why_not() == "A segmentation is running; wait for it, or cancel it."

    def test_no_such_model(self, a_session):
        with pytest.raises(BadInput, match=r"^There is no model 'huge'; there are: tiny\.$"):
            a_session.choose_model("huge")

    def test_no_such_role(self, a_session):
        words = r"^The model tiny has no role 'pet'; its roles are ct, mr\.$"
        with pytest.raises(BadInput, match=words):
            a_session.set_scan("pet", "x")
