"""Marks on the panel: the mouse draws in a real view's events, a real worker proposes."""

import os
import signal
import time

import numpy as np
import pytest
from standstill import held, holds

BESIDE = np.array((-20.0, 32.0, 10.0))  # RAS, where the model found no liver
ABOVE = BESIDE + np.array((0.0, 0.0, 14.0))
OUTSIDE = np.array((0.0, 0.0, 900.0))


@pytest.fixture
def a_pen(a_host, a_real_desk, until):
    """A result of the real worker under review, with a mouse in the first scan's view."""
    from types import SimpleNamespace

    import slicer
    import vtk
    from PySide6 import QtGui, QtTest

    import bench

    panel = a_real_desk
    panel.ui.segmentButton.click()
    until(lambda: panel.segment.result is not None and not panel.runner.busy)
    panel.enter()
    window = a_host.window
    window.activateWindow()
    until(lambda: window.isActiveWindow)
    desk = SimpleNamespace(panel=panel, ui=panel.ui, until=until, scene=a_host.scene)
    desk.editor = desk.ui.editorHost.findChild(bench.SegmentEditor)
    desk.find = lambda name: slicer.util.findChildren(panel.ui.page, name)[0]
    desk.view = a_host.scene.GetSingletonNode("CMCSegFirst", "vtkMRMLSliceNode")
    desk.view.SetDimensions(300, 300, 1)
    desk.view.SetFieldOfView(300, 300, 1)
    manager = slicer.app.layoutManager()
    desk.mouse = manager.sliceWidget("CMCSegFirst").sliceView().renderWindow().GetInteractor()

    def press(key):
        window.views.setFocus()
        QtTest.QTest.keySequence(window, QtGui.QKeySequence(key))
        a_host.app.processEvents()

    def draw(start=BESIDE, length=20.0):
        desk.view.JumpSliceByOffsetting(*start)
        to_pixel = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(desk.view.GetXYToRAS(), to_pixel)
        events = ["LeftButtonPressEvent", *["MouseMoveEvent"] * 7, "LeftButtonReleaseEvent"]
        for share, event in zip(np.linspace(-0.5, 0.5, 9), events, strict=True):
            point = np.array(start) + np.array((share * length, 0, 0))
            x, y = to_pixel.MultiplyPoint((*point, 1))[:2]
            desk.mouse.SetEventInformation(round(x), round(y))
            desk.mouse.InvokeEvent(event)

    def quiet():
        until(lambda: not panel.runner.busy)

    desk.press, desk.draw, desk.quiet = press, draw, quiet
    desk.proposed = lambda: [n for n in segmentations(desk) if n.GetName() == "CMCSegProposal"]
    return desk


def segmentations(desk):
    kind = "vtkMRMLSegmentationNode"
    return [
        desk.scene.GetNthNodeByClass(n, kind)
        for n in range(desk.scene.GetNumberOfNodesByClass(kind))
    ]


def liver(desk, segmentation=None):
    """Voxels of the liver as they are drawn, or were in a state that the editor keeps."""
    import slicer
    from cmcseg.mrml.geometry import place_of
    from cmcseg.mrml.segments import get_labels
    from mrml_scene import TABLE

    result = desk.panel.segment.result
    node, scan = (desk.scene.GetNodeByID(k["ct"]) for k in (result.segmentations, result.scans))
    if segmentation is not None:
        state, node = segmentation, slicer.vtkMRMLSegmentationNode()
        node.GetSegmentation().DeepCopy(state)
    return int((get_labels(node, place_of(scan).local, TABLE) == 1).sum())


def test_a_stroke_of_the_mouse_proposes_and_enter_takes_it_as_one_step_of_undo(a_pen):
    found = liver(a_pen)
    a_pen.press("M")
    assert a_pen.find("markButton").isChecked()
    a_pen.draw()
    a_pen.until(a_pen.proposed)
    a_pen.quiet()
    assert a_pen.find("markLabel").text == (
        "Proposed: liver in the CT. Enter takes it, Escape drops it."
    )
    assert liver(a_pen) == found, "nothing is drawn before it is taken"
    saved = a_pen.editor.saved
    a_pen.press("Return")
    a_pen.until(lambda: not a_pen.proposed())
    a_pen.quiet()
    assert liver(a_pen) > found
    assert a_pen.editor.saved == saved + 1
    assert liver(a_pen, a_pen.editor.states[-1]) == found
    (stroke,) = a_pen.panel.review.strokes
    assert (stroke.role, stroke.organ, stroke.mark.is_organ) == ("ct", "liver", True)
    assert stroke.mark.seconds > 0
    assert a_pen.panel.review.stage.value == "correcting"


def test_escape_drops_what_is_proposed_or_worked_on_and_then_lays_the_pen_down(a_pen):
    found = liver(a_pen)
    a_pen.press("M")
    a_pen.draw()
    a_pen.until(a_pen.proposed)
    a_pen.draw(OUTSIDE)
    assert a_pen.ui.messageLabel.text == "The stroke lies outside the CT; draw it on the scan."
    assert a_pen.proposed(), "the older proposal stays"
    a_pen.press("Escape")
    assert not a_pen.proposed()
    a_pen.draw()
    a_pen.press("Escape")
    a_pen.quiet()
    assert not a_pen.proposed()
    assert liver(a_pen) == found
    assert a_pen.find("markButton").isChecked(), "the pen stays in hand"
    assert not a_pen.find("takeMarkButton").isEnabled()
    a_pen.press("Escape")
    assert not a_pen.find("markButton").isChecked()


def test_escape_right_after_enter_neither_loses_the_step_nor_stops_the_tool(a_pen):
    found = liver(a_pen)
    a_pen.press("M")
    a_pen.draw()
    a_pen.until(a_pen.proposed)
    a_pen.quiet()
    a_pen.press("Return")
    a_pen.press("Escape")
    a_pen.quiet()
    taken = liver(a_pen)
    assert taken > found
    a_pen.press("Shift+M")
    assert a_pen.find("markNotButton").isChecked()
    assert not a_pen.find("markButton").isChecked()
    a_pen.draw((-20.0, 14.0, 10.0))
    a_pen.until(a_pen.proposed)
    a_pen.quiet()
    a_pen.find("takeMarkButton").click()
    a_pen.until(lambda: len(a_pen.panel.review.strokes) == 2)
    assert liver(a_pen) < taken


def test_while_the_pen_is_in_hand_the_mouse_is_its_own(a_pen):
    heard = []
    tag = a_pen.mouse.AddObserver("LeftButtonPressEvent", lambda *_: heard.append(1))
    a_pen.press("B")
    a_pen.press("M")
    assert a_pen.editor.effect == "", "two tools in one hand would both draw"
    a_pen.draw()
    assert not heard
    a_pen.press("B")
    assert not a_pen.find("markButton").isChecked()
    a_pen.draw()
    assert heard
    a_pen.mouse.RemoveObserver(tag)


def test_the_pen_goes_with_the_scene_and_with_the_module(a_pen):
    a_pen.press("M")
    a_pen.draw()
    a_pen.until(a_pen.proposed)
    a_pen.quiet()
    a_pen.panel.leave()
    assert not a_pen.find("markButton").isChecked()
    a_pen.panel.enter()
    a_pen.press("M")
    assert a_pen.proposed()
    a_pen.scene.Clear(0)
    a_pen.quiet()
    assert not a_pen.proposed()
    assert not a_pen.find("markButton").isEnabled()


def test_a_worker_that_dies_over_a_stroke_is_told_and_the_next_one_works(a_pen):
    a_pen.press("M")
    a_pen.draw()
    a_pen.until(a_pen.proposed)
    a_pen.quiet()
    os.kill(a_pen.panel.runner.pid, signal.SIGSTOP)  # or it may be done before it dies
    a_pen.draw(ABOVE)
    a_pen.until(lambda: a_pen.panel.runner._running)  # an idle one is replaced without a word
    os.kill(a_pen.panel.runner.pid, signal.SIGKILL)
    a_pen.until(lambda: a_pen.ui.messageLabel.text)
    a_pen.quiet()
    assert a_pen.proposed(), "the older proposal stays"
    a_pen.draw(ABOVE)
    a_pen.until(lambda: not a_pen.panel.runner.busy)
    a_pen.press("Return")
    a_pen.until(lambda: len(a_pen.panel.review.strokes) == 2)
    a_pen.draw()
    a_pen.until(a_pen.proposed)
    a_pen.panel.close()
    assert not a_pen.proposed(), "a panel takes its outlines along"


def test_the_window_stands_still_neither_over_a_stroke_nor_over_taking_it(a_pen):
    panel = a_pen.panel
    panel._timer.stop()  # the test pumps in its place, and measures

    def longest(act):
        began = time.thread_time()
        act()
        seen = [time.thread_time() - began]
        while panel.runner.busy:
            began = time.thread_time()
            panel.pump()
            seen.append(time.thread_time() - began)
            time.sleep(0.002)
        a_pen.until(lambda: True)
        return max(seen)

    a_pen.press("M")
    places = iter(BESIDE + np.array((0.0, 0.0, away)) for away in range(0, 21, 3))

    def stroke_and_take():
        place = next(places)
        drawn = longest(lambda: a_pen.draw(place))
        assert a_pen.proposed()
        return max(drawn, longest(a_pen.find("takeMarkButton").click))

    assert holds(seen := held(stroke_and_take)), seen
    assert len(panel.review.strokes) == len(seen)
