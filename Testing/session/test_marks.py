"""Strokes from the hand to the queue, on a real scene, with the real sums and without a network."""

import numpy as np
import pytest
import slicer
from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.core.steps import finish
from cmcseg.mrml.scene import MrmlScene
from cmcseg.session.marks import MarkSession
from cmcseg.session.pen import MOST_POINTS
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession
from cmcseg.session.worker_queue import WorkerQueue
from cmcseg.worker.mark_verbs import propose
from cmcseg.worker.model_cache import ModelCache
from inline_runner import InlineRunner
from marked import remembered
from mrml_scene import Host, add_volume, ball_scan, box
from session_parts import Worker

LIVER, RADIUS = np.array((-20.0, 0.0, 10.0)), 26.0  # of the ball that the scans show
BESIDE = np.array((-20.0, RADIUS + 6, 10.0))  # RAS, where the model found nothing


class Marking(Worker):
    """The worker, whose network says of every voxel what its value says."""

    def __init__(self, folder):
        super().__init__()
        self.warm = ModelCache(store=None, folder=folder)
        self.forgets = False

    def __call__(self, request, report):
        if request.verb == "look":
            self.asked.append(request)
            ((_, volume),) = request.volumes.items()
            self.warm.remember(request.values["scan"], remembered(volume))
            return Message(verb="look", values={"scan": request.values["scan"]})
        if request.verb == "propose":
            self.asked.append(request)
            if self.forgets:
                self.forgets = False
                self.warm.scans.clear()
            return propose(request, self.warm, report)
        return super().__call__(request, report)


@pytest.fixture
def marks(tmp_path):
    host, worker = Host(), Marking(tmp_path)
    scene, runner = MrmlScene(host.scene), InlineRunner(worker)
    ct = add_volume(host.scene, ball_scan(box()), box().affine, "CT venous", modality="CT")
    mr = add_volume(host.scene, ball_scan(box()) + 100, box().affine, "T2", modality="MR")
    session = SegmentSession(scene, runner)
    session.models.load()
    runner.finish()
    session.set_scan("ct", ct.GetID())
    session.set_scan("mr", mr.GetID())
    session.segment()
    runner.finish()
    review = ReviewSession(scene, runner, WorkerQueue(runner, tmp_path / "queue"))
    made = MarkSession(scene, runner, review)
    made.host, made.worker, made.review, made.runner, made.scene = (
        host, worker, review, runner, scene,
    )  # fmt: skip
    made.heard = []
    made.failed.connect(lambda sentence, _: made.heard.append(sentence))
    review.open(session.result)
    yield made
    made.close()
    review.close()
    session.close()
    scene.close()
    host.close()


def line(start=BESIDE, length=20.0):
    return np.array(start) + np.linspace(-0.5, 0.5, 9)[:, None] * (length, 0, 0)


def drawn(marks, role):
    return finish(marks.scene.reading_labels(marks.review.result.scans[role])).array


def voxels(marks, role, points):
    grid = marks.review.result.prediction.labels[role].grid
    return tuple(np.rint(grid.index(points)).astype(int).T)


def verbs(marks):
    return [request.verb for request in marks.worker.asked if request.verb in ("look", "propose")]


def outlines(marks):
    scene = marks.host.scene
    count = scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    nodes = [scene.GetNthNodeByClass(n, "vtkMRMLSegmentationNode") for n in range(count)]
    return [node for node in nodes if node.GetName() == "CMCSegProposal"]


def test_a_stroke_proposes_and_changes_nothing_until_it_is_taken(marks):
    before = drawn(marks, "ct")
    marks.stroke("ct", "liver", line())
    marks.runner.finish()
    assert set(marks.proposals) == {"ct", "mr"}
    assert np.array_equal(drawn(marks, "ct"), before)
    assert len(outlines(marks)) == 2
    assert marks.sentence().startswith("Proposed: liver in the CT, liver in the MR.")


def test_taken_it_is_drawn_and_its_voxels_are_obeyed(marks):
    marks.stroke("ct", "liver", line())
    marks.runner.finish()
    marks.take("ct")
    marks.runner.finish()
    assert (drawn(marks, "ct")[voxels(marks, "ct", line())] == 1).all()
    assert set(marks.proposals) == {"mr"}
    assert len(outlines(marks)) == 1
    assert marks.review.stage.value == "correcting"


def test_taking_is_one_step_of_undo(marks):
    before = drawn(marks, "ct")
    marks.stroke("ct", "liver", line())
    marks.runner.finish()
    marks.take("ct")
    marks.runner.finish()
    assert not np.array_equal(drawn(marks, "ct"), before)
    assert marks.scene.undo(marks.review.result.scans["ct"])
    assert np.array_equal(drawn(marks, "ct"), before)


def test_dropped_nothing_is_left_of_it(marks):
    before = drawn(marks, "ct")
    marks.stroke("ct", "liver", line())
    marks.runner.finish()
    marks.drop()
    assert not marks.proposals
    assert not outlines(marks)
    assert np.array_equal(drawn(marks, "ct"), before)


def test_the_scan_is_looked_at_once(marks):
    marks.stroke("ct", "liver", line())
    marks.runner.finish()
    marks.stroke("ct", "liver", line(BESIDE + np.array((0, 4, 0))))
    marks.runner.finish()
    assert verbs(marks).count("look") == 2  # the CT, and the MR that it is carried to


def test_a_second_stroke_refines_what_the_first_proposes(marks):
    marks.stroke("ct", "liver", line())
    marks.runner.finish()
    first = marks.proposals["ct"].labels.array
    no = line(BESIDE, 4.0)
    marks.stroke("ct", "liver", no, is_organ=False)
    marks.runner.finish()
    second = marks.proposals["ct"].labels.array
    assert (first[voxels(marks, "ct", no)] == 1).all()
    assert not (second[voxels(marks, "ct", no)] == 1).any()
    assert len(marks.proposals["ct"].marks) == 2


def test_strokes_drawn_while_one_is_worked_on_wait_in_line(marks):
    marks.stroke("ct", "liver", line())
    marks.stroke("ct", "liver", line(BESIDE + np.array((0, 0, 7))))
    assert marks.busy
    marks.runner.finish()
    assert len([t for t in marks.proposals["ct"].marks if not t.carried]) == 2


def test_nothing_is_taken_while_a_stroke_is_worked_on_and_nothing_is_lost(marks):
    marks.stroke("ct", "liver", line())
    marks.runner.finish()
    before = drawn(marks, "ct")
    marks.stroke("ct", "liver", line(BESIDE + np.array((0, 0, 7))))
    with pytest.raises(BadInput, match=r"The last step is still being finished; try again in a"):
        marks.take()
    marks.runner.finish()
    assert len([t for t in marks.proposals["ct"].marks if not t.carried]) == 2
    assert np.array_equal(drawn(marks, "ct"), before)


def test_what_was_painted_meanwhile_stays(marks):
    marks.stroke("ct", "liver", line())
    marks.runner.finish()
    far = np.zeros(box().shape, dtype=bool)
    far[2:5, 2:5, 2:5] = True
    key = marks.review.result.scans["ct"]
    liver = drawn(marks, "ct") == 1
    finish(marks.scene.writing_organs(key, {"liver": liver | far}))
    marks.take("ct")
    marks.runner.finish()
    now = drawn(marks, "ct") == 1
    assert now[far].all()
    assert now[voxels(marks, "ct", line())].all()


def test_without_trust_the_other_scan_is_left_alone(marks):
    object.__setattr__(marks.review.result.prediction.alignment, "confidence", 0.4)
    marks.stroke("ct", "liver", line())
    marks.runner.finish()
    assert set(marks.proposals) == {"ct"}


def test_a_worker_that_was_started_anew_looks_again(marks):
    marks.stroke("ct", "liver", line())
    marks.runner.finish()
    marks.drop()
    marks.worker.forgets = True
    marks.stroke("ct", "liver", line())
    marks.runner.finish()
    assert "ct" in marks.proposals
    assert not marks.heard


def test_an_accepted_pair_tells_what_a_hand_drew(marks):
    marks.stroke("ct", "liver", line(), seconds=1.25)
    marks.runner.finish()
    marks.take()
    marks.runner.finish()
    marks.review.accept()
    marks.runner.finish()
    (request,) = [r for r in marks.worker.asked if r.verb == "queue-add"]
    hand, carried = sorted(request.values["strokes"], key=lambda stroke: stroke["carried"])
    assert (hand["role"], hand["organ"], hand["is_organ"]) == ("ct", "liver", True)
    assert hand["seconds"] == 1.25
    assert hand["changed_voxels"] >= hand["voxels"] > 5
    assert (carried["role"], carried["carried"]) == ("mr", True)
    assert [name for name in request.label_maps if name.startswith("strokes")] == ["strokes ct"]
    array = request.label_maps["strokes ct"].array
    assert (array != 255).sum() == hand["voxels"]
    assert (array[voxels(marks, "ct", line())] == 1).all()


@pytest.mark.parametrize(
    ("role", "organ", "points", "words"),
    [
        ("ct", "liver", line((0, 0, 900)), "The stroke lies outside the CT; draw it on the scan."),
        ("ct", "spleen", line(), "The model knows no 'spleen'"),
        ("pet", "liver", line(), "There is no result for 'pet'."),
        ("ct", "liver", np.zeros((MOST_POINTS + 1, 3)), "A stroke of 10000 points is too long"),
        ("ct", "liver", np.zeros((0, 3)), "The stroke has no place in the scan"),
        ("ct", "liver", np.full((3, 3), np.nan), "The stroke has no place in the scan"),
        ("ct", "liver", np.array([[0, 0, 0], [1e9, 0, 0]]), "longer than any scan"),
    ],
)
def test_a_stroke_that_cannot_be_is_refused_in_one_sentence(marks, role, organ, points, words):
    before = drawn(marks, "ct")
    marks.stroke("ct", "liver", line())
    marks.runner.finish()
    with pytest.raises(BadInput, match=words.replace(".", r"\.")):
        marks.stroke(role, organ, points)
    assert "ct" in marks.proposals
    assert np.array_equal(drawn(marks, "ct"), before)


def test_after_the_scan_was_removed_there_is_nothing_to_mark(marks):
    marks.stroke("ct", "liver", line())
    node = marks.host.scene.GetNodeByID(marks.review.result.scans["ct"])
    marks.host.scene.RemoveNode(node)
    marks.runner.finish()
    assert not marks.proposals
    assert not outlines(marks)
    with pytest.raises(BadInput, match="There is no result to correct; segment a scan first"):
        marks.stroke("ct", "liver", line())


def test_there_is_nothing_to_take_before_a_stroke(marks):
    with pytest.raises(BadInput, match="Nothing is proposed; draw a stroke first"):
        marks.take()


def test_the_border_that_is_shown_is_that_of_the_proposal(marks):
    marks.stroke("ct", "liver", line())
    marks.runner.finish()
    node = outlines(marks)[0]
    segmentation = node.GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 1
    assert not node.GetDisplayNode().GetVisibility2DFill()
    assert not node.GetSaveWithScene()
    image = slicer.vtkOrientedImageData()
    assert node.GetBinaryLabelmapRepresentation(segmentation.GetNthSegmentID(0), image)
    assert (marks.proposals["ct"].labels.array == 1).sum() == count(image)


def count(image):
    from vtk.util import numpy_support

    return int((numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()) > 0).sum())
