"""Step 4 on the panel: the keys, the places, the embedded editor."""

from dataclasses import replace

import numpy as np
import pytest


def typed(widget, key):
    """Press keys with the focus where it is; a real shortcut map decides who hears of them."""
    from PySide6 import QtGui, QtTest

    QtTest.QTest.keySequence(widget.window(), QtGui.QKeySequence(key))


@pytest.fixture
def a_review(a_host, a_desk):
    """A result under review, the module being shown; ``press(key)`` presses a key."""
    import qt

    import bench

    a_desk.segmented()
    a_desk.panel.enter()
    a_desk.editor = a_desk.ui.editorHost.findChild(bench.SegmentEditor)
    a_desk.window = a_host.window
    a_desk.window.activateWindow()  # another test may have shown the panel alone
    a_desk.until(lambda: a_desk.window.isActiveWindow)
    a_desk.keys = {
        shortcut.key.toString(): shortcut
        for shortcut in a_host.window.views.findChildren(qt.QShortcut)
    }

    def press(key, times=1):
        """As a user does who looks at the views."""
        a_host.window.views.setFocus()
        for _ in range(times):
            typed(a_host.window.views, key)
        a_desk.quiet()

    a_desk.press = press
    a_desk.organs = {
        role: a_desk.scene.GetNodeByID(key)
        for role, key in a_desk.panel.segment.result.segmentations.items()
    }
    return a_desk


def test_every_key_of_the_list_is_there(a_review):
    from cmcseg.desktop.keys import list_of_keys

    wanted = {"N", "P", "Ctrl+Return", "B", "E", "Z", "Shift+Z", "Space", "?", *"123456789"}
    of_marks = {"M", "Shift+M", "Return", "Enter", "Esc"}
    assert set(a_review.keys) == wanted | of_marks
    a_review.press("?")
    assert a_review.ui.messageLabel.text == list_of_keys()


def test_the_next_and_the_previous_doubt(a_review):
    assert a_review.ui.placeLabel.text == "1 place to look at."
    two_places(a_review)
    assert a_review.ui.placeLabel.text == "2 places to look at."
    a_review.press("N")
    assert a_review.ui.placeLabel.text.startswith("1 of 2: liver")
    a_review.press("P")
    assert a_review.ui.placeLabel.text.startswith("2 of 2: left kidney")


def two_places(desk):
    review = desk.panel.review
    review.places = (
        replace(review.places[0], role="ct", organ="liver"),
        replace(review.places[0], role="mr", organ="left kidney"),
    )
    review.changed.emit()


def test_what_is_looked_at_is_what_the_editor_works_on(a_review):
    two_places(a_review)
    for _ in range(2):
        a_review.press("N")
        place = a_review.panel.review.place
        assert a_review.editor.node is a_review.organs[place.role]
        assert a_review.ui.organCombo.currentText == place.organ
        organs = a_review.editor.node.GetSegmentation()
        assert organs.GetSegment(a_review.editor.segment).GetName() == place.organ


def test_an_organ_is_chosen_by_its_number(a_review):
    a_review.press("2")
    assert a_review.ui.organCombo.currentText == "left kidney"
    a_review.press("9")
    assert a_review.ui.organCombo.currentText == "left kidney", "there is no ninth"


def test_brush_eraser_undo_and_redo(a_review):
    a_review.press("B")
    assert a_review.editor.effect == "Paint"
    a_review.press("E")
    assert a_review.editor.effect == "Erase"
    a_review.press("Z")
    assert a_review.editor.undone == 1
    a_review.press("Shift+Z")
    assert a_review.editor.undone == 0


def test_accept_hands_the_pair_to_the_queue(a_review):
    a_review.press("Ctrl+Return")
    assert [m.verb for m in a_review.worker.asked].count("queue-add") == 1
    a_review.press("Ctrl+Return")
    assert a_review.ui.messageLabel.text == (
        "The pair is in the queue already; correct something to accept it again."
    )
    assert not a_review.ui.acceptButton.isEnabled()
    assert [m.verb for m in a_review.worker.asked].count("queue-add") == 1
    a_review.ui.restoreButton.click()
    a_review.quiet()
    assert a_review.ui.acceptButton.isEnabled(), "a correction may be accepted again"


def test_what_is_typed_elsewhere_is_typed_and_nothing_more(a_review):
    from PySide6.QtTest import QTest

    console, field = a_review.window.console, a_review.ui.folderEdit
    for widget in (console, field):
        widget.setFocus()
        QTest.keyClicks(widget, "nx=1 a=1")
        a_review.quiet()
    assert console.toPlainText() == field.text == "nx=1 a=1"
    assert a_review.panel.review.index == -1
    assert a_review.editor.effect == ""
    assert not [m for m in a_review.worker.asked if m.verb == "queue-add"]


def test_no_bare_letter_accepts(a_review):
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        a_review.press(letter)
    assert not [m for m in a_review.worker.asked if m.verb == "queue-add"]


def test_space_presses_the_button_that_has_the_focus(a_review):
    from PySide6.QtTest import QTest

    a_review.ui.nextButton.setFocus()
    QTest.keyClicks(a_review.ui.nextButton, " ")
    assert a_review.panel.review.index == 0
    assert all(node.GetDisplayVisibility() for node in a_review.organs.values())


@pytest.mark.parametrize("tool", ["B", "E"])
def test_the_scene_may_be_closed_with_a_tool_in_hand(a_review, tool):
    a_review.press(tool)
    assert a_review.editor.effect
    assert a_review.editor.observed
    a_review.scene.Clear(0)
    assert a_review.editor.node is None
    a_review.nodes = {"ct": a_review.add("CT", "CT"), "mr": a_review.add("MR", "MR")}
    a_review.until(lambda: len(a_review.panel.segment.chosen) == 2)
    a_review.segmented()
    assert a_review.editor.observed, "the next result is edited as the first was"


def test_organs_are_hidden_while_space_is_held(a_review):
    shown = a_review.organs["ct"], a_review.organs["mr"]
    shown[1].SetDisplayVisibility(False)
    a_review.press("Space")
    assert not shown[0].GetDisplayVisibility()
    a_review.press("Space")  # the keyboard repeats it
    assert not shown[0].GetDisplayVisibility()
    a_review.until(shown[0].GetDisplayVisibility, seconds=5)
    assert not shown[1].GetDisplayVisibility(), "it was hidden before"


def test_leaving_the_module_leaves_the_keys_and_the_tool(a_review):
    a_review.press("B")
    a_review.press("Space")
    a_review.panel.leave()
    assert a_review.organs["ct"].GetDisplayVisibility()
    assert a_review.editor.effect == ""
    assert not any(key.isEnabled() for key in a_review.keys.values())
    a_review.segmented()  # a result that comes while another module is shown
    assert not any(key.isEnabled() for key in a_review.keys.values())


def test_the_editor_listens_to_the_views_while_the_module_is_shown_alone(a_review):
    assert a_review.editor.observed
    a_review.panel.leave()
    assert not a_review.editor.observed
    a_review.segmented()
    a_review.ui.roleCombo.setCurrentIndex(1)
    assert not a_review.editor.observed
    a_review.panel.enter()
    assert a_review.editor.observed
    editor = a_review.editor.editor
    a_review.panel.close()
    assert not a_review.editor.observed
    assert editor.GetScene() is None, "its node goes with it"


def test_an_organ_that_is_removed_is_a_correction(a_review):
    a_review.press("Ctrl+Return")
    assert not a_review.ui.acceptButton.isEnabled()
    organs = a_review.editor.node.GetSegmentation()
    organs.RemoveSegment(organs.GetSegmentIdBySegmentName("liver"))
    assert a_review.ui.acceptButton.isEnabled()


def test_keys_are_silent_before_there_is_a_result(a_desk):
    import qt

    a_desk.panel.enter()
    keys = a_desk.ui.page.findChildren(qt.QShortcut)
    assert keys
    assert not any(key.isEnabled() for key in keys)


def test_side_by_side_both_views_go_to_the_same_place(a_review):
    a_review.ui.viewsCheck.setChecked(True)
    a_review.press("N")
    place = a_review.panel.review.place
    for tag, role in (("CMCSegFirst", "ct"), ("CMCSegSecond", "mr")):
        node = a_review.scene.GetSingletonNode(tag, "vtkMRMLSliceNode")
        matrix = node.GetSliceToRAS()
        centre = [matrix.GetElement(row, 3) for row in range(3)]
        np.testing.assert_allclose(centre, place.points[role], atol=1e-3)


def test_an_organ_copied_to_the_other_scan_is_seen_and_can_be_undone(a_review):
    saved = a_review.editor.saved
    a_review.ui.roleCombo.setCurrentIndex(a_review.ui.roleCombo.findData("ct"))
    a_review.ui.copyButton.click()
    a_review.quiet()
    assert a_review.editor.node is a_review.organs["mr"]
    assert a_review.editor.saved > saved
    assert a_review.panel.review.stage.value == "correcting"


def test_a_second_run_can_be_undone_in_the_scan_that_was_not_edited_too(a_review):
    from cmcseg.mrml.geometry import place_of
    from cmcseg.mrml.segments import get_labels, put_labels
    from mrml_scene import TABLE

    node, place = a_review.organs["mr"], place_of(a_review.nodes["mr"])

    def liver(segmentation=None):
        if segmentation is not None:
            node.GetSegmentation().DeepCopy(segmentation)
        return int((get_labels(node, place.local, TABLE) == 1).sum())

    found = liver()
    by_hand = get_labels(node, place.local, TABLE)
    by_hand[:, :, : by_hand.shape[2] // 2] = 0
    list(put_labels(node, by_hand, place.local, TABLE))
    corrected = liver()
    assert 0 < corrected < found
    assert a_review.editor.node is a_review.organs["ct"]
    a_review.segmented()
    assert liver() == found, "the model has written over the correction"
    a_review.editor.states.clear()
    a_review.ui.roleCombo.setCurrentIndex(a_review.ui.roleCombo.findData("mr"))
    assert liver() == found, "turning to the scan changes nothing"
    (state,) = a_review.editor.states
    assert liver(state) == corrected


def test_the_disagreement_is_laid_over_its_own_scan_and_taken_away(a_review):
    import slicer

    ui = a_review.ui
    assert not ui.disagreementCheck.isEnabled()
    assert "The scans were not compared." in ui.disagreementCheck.toolTip
    maps = {}
    for role, organs in a_review.organs.items():
        maps[role] = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "disagreement")
        maps[role].SetAttribute("CMCSeg.kind", "disagreement")
        organs.SetNodeReferenceID("CMCSeg.disagreement", maps[role].GetID())
    a_review.panel.refresh()
    assert ui.disagreementCheck.isEnabled()
    views = {
        role: a_review.scene.GetSingletonNode(tag, "vtkMRMLSliceCompositeNode")
        for role, tag in (("ct", "CMCSegFirst"), ("mr", "CMCSegSecond"))
    }
    elsewhere = a_review.scene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    elsewhere.SetBackgroundVolumeID(a_review.add("other", "CT").GetID())
    mine = a_review.add("mine", "PET").GetID()
    views["mr"].SetForegroundVolumeID(mine)
    views["mr"].SetForegroundOpacity(0.2)
    ui.disagreementCheck.setChecked(True)
    for role, view in views.items():
        assert view.GetForegroundVolumeID() == maps[role].GetID(), f"over the {role}"
    assert elsewhere.GetForegroundVolumeID() is None
    assert not ui.disagreementScale.isHidden()
    a_review.panel.leave()
    assert views["ct"].GetForegroundVolumeID() is None, "other modules are left alone"
    a_review.panel.enter()
    assert views["ct"].GetForegroundVolumeID() == maps["ct"].GetID()
    ui.disagreementCheck.setChecked(False)
    assert views["mr"].GetForegroundVolumeID() == mine
    assert views["mr"].GetForegroundOpacity() == pytest.approx(0.2)


def test_the_place_that_is_looked_at_wears_a_ring_in_either_scan(a_review):
    a_review.press("N")
    place = a_review.panel.review.place
    rings = a_review.scene.GetNodesByClass("vtkMRMLMarkupsFiducialNode")
    found = {}
    for n in range(rings.GetNumberOfItems()):
        ring, point = rings.GetItemAsObject(n), [0.0] * 3
        ring.GetNthControlPointPosition(0, point)
        display = ring.GetDisplayNode()
        views = [display.GetNthViewNodeID(k) for k in range(display.GetNumberOfViewNodeIDs())]
        assert ring.GetHideFromEditors()
        assert not ring.GetSaveWithScene()
        found[views[0].removeprefix("vtkMRMLSliceNode")] = point
    for tag, role in (("CMCSegFirst", "ct"), ("CMCSegSecond", "mr")):
        np.testing.assert_allclose(found[tag], place.points[role], atol=1e-3)
    a_review.panel.close()
    assert a_review.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0


def test_a_renamed_segment_is_still_its_organ(a_review):
    segmentation = a_review.editor.node.GetSegmentation()
    key = segmentation.GetSegmentIdBySegmentName("left kidney")
    segmentation.GetSegment(key).SetName("ren sinister")
    a_review.press("1")
    a_review.press("2")
    assert a_review.editor.segment == key


def test_the_editor_takes_the_scan_when_its_tools_are_wanted(a_review):
    """Its thresholds look through the whole scan, which takes half a second on a large one."""
    assert a_review.editor.source is None
    assert a_review.editor.shows_source is False, "it leaves the views as they are"
    a_review.ui.toolsSection.collapsed = False
    assert a_review.editor.source is a_review.nodes["ct"]
    a_review.ui.roleCombo.setCurrentIndex(1)
    assert a_review.editor.source is a_review.nodes["mr"]
