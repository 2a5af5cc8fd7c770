"""From the press of Segment to the organs in the scene, the window is never kept waiting."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cmcseg.mrml.scene import MrmlScene
from cmcseg.session.marks import MarkSession
from cmcseg.session.process_runner import ProcessRunner
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession
from mrml_scene import Host, add_bend, add_rotation, add_volume, ball_scan, box
from session_parts import CARD
from standstill import held, holds

WORKER = [sys.executable, str(Path(__file__).parents[1] / "helpers" / "slow_worker.py")]
pytestmark = pytest.mark.alone


@pytest.fixture
def a_desk(tmp_path):
    host = Host()
    scene, runner = MrmlScene(host.scene), ProcessRunner(WORKER, logs=tmp_path)
    session = SegmentSession(scene, runner)
    session.host, session.troubles = host, []
    session.failed.connect(lambda *words: session.troubles.append(words))
    session.models.cards = (CARD,)
    session.choose_model("tiny")
    yield session
    session.close()
    scene.close()
    runner.close()
    host.close()


def pumped(runner):
    """Pump as a window does until nothing is left; the longest pump in seconds of its thread."""
    worst = 0.0
    while runner.busy:
        began = time.thread_time()  # other programs share the machine
        runner.pump()
        worst = max(worst, time.thread_time() - began)
        time.sleep(0.005)
    return worst


def test_a_large_scan_is_segmented_without_a_stop(a_desk):
    grid = box((256, 256, 140), (1.0, 1.0, 1.2))
    node = add_volume(a_desk.host.scene, ball_scan(grid), grid.affine, "CT", modality="CT")
    node.SetAndObserveTransformNodeID(add_rotation(a_desk.host.scene).GetID())
    pumped(a_desk.runner)

    def segment():
        a_desk.segment()
        return pumped(a_desk.runner)

    assert holds(seen := held(segment)), seen
    assert a_desk.troubles == []
    assert a_desk.result.rows[0].found["ct"].ml == pytest.approx(4 / 3 * np.pi * 2.6**3, rel=0.02)


def test_a_bent_scan_is_segmented_without_a_stop(a_desk):
    grid = box((96, 96, 60), (2.5, 2.5, 3.0))
    bend = add_bend(a_desk.host.scene)
    add_volume(a_desk.host.scene, ball_scan(grid), grid.affine, "CT", bend, "CT")
    pumped(a_desk.runner)

    def segment():
        a_desk.segment()
        return pumped(a_desk.runner)

    assert holds(seen := held(segment)), seen
    assert a_desk.troubles == []
    review = ReviewSession(a_desk.scene, a_desk.runner)
    review.open(a_desk.result)

    def restore():
        review.restore("ct")
        return pumped(a_desk.runner)

    assert holds(seen := held(restore)), seen
    review.close()


def test_a_stroke_on_a_large_organ_is_answered_and_taken_without_a_stop(a_desk):
    grid = box((256, 256, 150), (1.0, 1.0, 1.5))
    scan = np.full(grid.shape, -1000, dtype=np.int16, order="F")
    scan[8:248, 8:248, 5:145] = 1000  # 8 million voxels, as of the liver of a fine CT
    add_volume(a_desk.host.scene, scan, grid.affine, "CT", modality="CT")
    pumped(a_desk.runner)
    a_desk.segment()
    pumped(a_desk.runner)
    review = ReviewSession(a_desk.scene, a_desk.runner)
    review.open(a_desk.result)
    marks = MarkSession(a_desk.scene, a_desk.runner, review)
    marks.failed.connect(lambda *words: a_desk.troubles.append(words))
    at = [np.full(40, 250), np.arange(100, 140), np.full(40, 75)]
    planes = iter((75, 77, 79, 81, 83, 85))

    def longest(act):
        began = time.thread_time()
        act()
        longest = max(time.thread_time() - began, pumped(a_desk.runner))
        assert a_desk.troubles == []
        return longest

    def stroke_and_take():
        at[2][:] = next(planes)
        points = grid.world(np.stack(at, axis=-1))
        drawn = longest(lambda: marks.stroke("ct", "liver", points))
        return max(drawn, longest(marks.take))

    assert holds(seen := held(stroke_and_take)), seen
    assert len(review.strokes) == len(seen)
    marks.close()
    review.close()
