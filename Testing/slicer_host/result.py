"""Steps 2 and 3 on the panel: models come and go, the result is shown, laid out and reported."""

import pytest


@pytest.fixture
def a_result(a_desk):
    a_desk.segmented()
    a_desk.keys = a_desk.panel.segment.result.segmentations
    a_desk.organs = {r: a_desk.scene.GetNodeByID(key) for r, key in a_desk.keys.items()}
    return a_desk


def layout_of(desk):
    import slicer

    return slicer.app.layoutManager().layoutLogic().GetLayoutNode().GetViewArrangement()


def views_of(node):
    display = node.GetDisplayNode()
    return [display.GetNthViewNodeID(n) for n in range(display.GetNumberOfViewNodeIDs())]


def test_nothing_can_be_shown_before_there_is_a_result(a_desk):
    assert not a_desk.ui.resultSection.isEnabled()
    assert "Segment a scan first." in a_desk.ui.reportButton.toolTip


def test_the_table_says_how_much_and_how_sure(a_result):
    table = a_result.ui.resultTable
    titles = [table.horizontalHeaderItem(n).text() for n in range(table.columnCount)]
    assert titles == ["organ", "CT mL", "doubt", "MR mL", "doubt"]
    tips = [table.horizontalHeaderItem(n).toolTip() for n in range(table.columnCount)]
    assert tips[1:3] == ["Volume in the CT", "How much of it is in doubt in the CT"]
    assert [table.item(n, 0).text() for n in range(table.rowCount)] == ["liver", "left kidney"]


def test_organs_are_hidden_and_shown_again(a_result):
    a_result.ui.showCheck.setChecked(False)
    assert [node.GetDisplayVisibility() for node in a_result.organs.values()] == [0, 0]
    a_result.ui.showCheck.setChecked(True)
    assert [node.GetDisplayVisibility() for node in a_result.organs.values()] == [1, 1]


def test_surfaces_come_and_go(a_result):
    surface = "Closed surface"
    segmentations = [node.GetSegmentation() for node in a_result.organs.values()]
    a_result.ui.show3DCheck.setChecked(True)
    a_result.until(lambda: not a_result.panel._result.busy)
    assert all(s.ContainsRepresentation(surface) for s in segmentations)
    a_result.ui.show3DCheck.setChecked(False)
    assert not any(s.ContainsRepresentation(surface) for s in segmentations)


def test_a_new_result_is_hidden_where_organs_are_hidden(a_result):
    a_result.ui.showCheck.setChecked(False)
    a_result.scene.RemoveNode(a_result.organs["mr"])
    a_result.quiet()
    a_result.segmented()
    key = a_result.panel.segment.result.segmentations["mr"]
    assert not a_result.scene.GetNodeByID(key).GetDisplayVisibility()


def shows(node, view):
    """Whether organs are drawn in a view: those that name no view are drawn in all."""
    return not views_of(node) or view.GetID() in views_of(node)


def by_name(desk, kind):
    return {node.GetLayoutName(): node for node in nodes(desk, kind)}


def test_a_pair_is_shown_side_by_side_each_scan_with_its_own_organs(a_desk):
    before = layout_of(a_desk)
    a_desk.segmented()
    organs = {
        role: a_desk.scene.GetNodeByID(key)
        for role, key in a_desk.panel.segment.result.segmentations.items()
    }
    assert layout_of(a_desk) != before
    composites = by_name(a_desk, "vtkMRMLSliceCompositeNode")
    slices = by_name(a_desk, "vtkMRMLSliceNode")
    for tag, role, other in (("CMCSegFirst", "ct", "mr"), ("CMCSegSecond", "mr", "ct")):
        assert composites[tag].GetBackgroundVolumeID() == a_desk.nodes[role].GetID()
        assert composites[tag].GetLinkedControl() == 1
        assert shows(organs[role], slices[tag])
        assert not shows(organs[other], slices[tag])
    a_desk.ui.viewsCheck.setChecked(False)
    assert layout_of(a_desk) == before


def test_a_fresh_view_shows_the_middle_of_its_scan_and_moves_no_view_of_the_users(a_desk):
    import numpy as np
    import slicer

    slicer.app.layoutManager().setLayout(3)
    red = by_name(a_desk, "vtkMRMLSliceNode")["Red"]
    red.SetFieldOfView(77, 77, 1)
    red.JumpSliceByCentering(11, 12, 13)
    where = [red.GetSliceToRAS().GetElement(row, 3) for row in range(3)]
    for role in ("ct", "mr"):  # away from the origin, where a fresh view's slider stands
        a_desk.nodes[role].SetOrigin(100, 100, 400 if role == "ct" else 430)
    a_desk.segmented()
    for _ in range(3):  # the sliders of fresh views take their turn
        slicer.app.processEvents()
    for tag, role in (("CMCSegFirst", "ct"), ("CMCSegSecond", "mr")):
        bounds = [0.0] * 6
        a_desk.nodes[role].GetRASBounds(bounds)
        view = by_name(a_desk, "vtkMRMLSliceNode")[tag]
        assert bounds[4] < view.GetSliceToRAS().GetElement(2, 3) < bounds[5], f"{tag} is black"
    assert [red.GetSliceToRAS().GetElement(row, 3) for row in range(3)] == where
    assert red.GetFieldOfView()[0] == 77
    np.testing.assert_allclose(
        *(
            by_name(a_desk, "vtkMRMLSliceNode")[tag].GetFieldOfView()
            for tag in ("CMCSegFirst", "CMCSegSecond")
        )
    )


def test_in_ordinary_layouts_organs_are_not_drawn_over_the_other_scan(a_result):
    a_result.ui.viewsCheck.setChecked(False)
    composites = by_name(a_result, "vtkMRMLSliceCompositeNode")
    slices = by_name(a_result, "vtkMRMLSliceNode")
    for shown, other in (("ct", "mr"), ("mr", "ct")):
        composites["Red"].SetBackgroundVolumeID(a_result.nodes[shown].GetID())
        assert shows(a_result.organs[shown], slices["Red"])
        assert not shows(a_result.organs[other], slices["Red"])
    composites["Red"].SetBackgroundVolumeID(a_result.add("another", "CT").GetID())
    assert all(shows(node, slices["Red"]) for node in a_result.organs.values())


def test_a_saved_scene_shows_organs_wherever_others_open_it(a_result):
    import slicer

    assert views_of(a_result.organs["ct"])
    a_result.scene.InvokeEvent(slicer.vtkMRMLScene.StartSaveEvent)
    assert [views_of(node) for node in a_result.organs.values()] == [[], []]
    a_result.scene.InvokeEvent(slicer.vtkMRMLScene.EndSaveEvent)
    assert views_of(a_result.organs["ct"])


def test_an_oblique_scan_lies_in_its_own_plane_until_the_user_turns_the_view(a_desk):
    import numpy as np
    from cmcseg.desktop.layout import PAIR, VIEWS, OwnLayout

    scan = a_desk.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "oblique")
    scan.CopyOrientation(a_desk.nodes["ct"])
    scan.SetAndObserveImageData(a_desk.nodes["ct"].GetImageData())
    scan.SetIJKToRASDirections(1, 0, 0, 0, 0.6, -0.8, 0, 0.8, 0.6)
    scan.SetSpacing(1, 1, 8)
    views = OwnLayout()
    views.show(PAIR, {VIEWS[0]: scan.GetID()})
    view = a_desk.scene.GetSingletonNode(VIEWS[0], "vtkMRMLSliceNode")
    pose = view.GetSliceToRAS()
    np.testing.assert_allclose([pose.GetElement(row, 2) for row in range(3)], [0, 0.8, -0.6])
    pose.Identity()
    view.UpdateMatrices()
    views.show(PAIR, {VIEWS[0]: scan.GetID()})
    assert pose.GetElement(2, 2) == 1
    views.restore()


def nodes(desk, kind):
    count = desk.scene.GetNumberOfNodesByClass(kind)
    return [desk.scene.GetNthNodeByClass(n, kind) for n in range(count)]


def test_a_view_that_the_user_chose_for_an_organ_is_kept(a_result):
    display = a_result.organs["ct"].GetDisplayNode()
    display.RemoveAllViewNodeIDs()
    display.AddViewNodeID("vtkMRMLSliceNodeRed")
    a_result.ui.viewsCheck.setChecked(False)
    a_result.ui.viewsCheck.setChecked(True)
    assert views_of(a_result.organs["ct"]) == ["vtkMRMLSliceNodeRed"]


def test_a_layout_that_the_user_chose_meanwhile_is_kept(a_result):
    import slicer

    slicer.app.layoutManager().setLayout(6)
    a_result.ui.viewsCheck.setChecked(False)
    assert layout_of(a_result) == 6


def test_a_scene_saved_side_by_side_can_be_left(a_result):
    import slicer

    ours = layout_of(a_result)
    a_result.ui.viewsCheck.setChecked(False)
    slicer.app.layoutManager().setLayout(ours)
    a_result.ui.viewsCheck.setChecked(True)
    a_result.ui.viewsCheck.setChecked(False)
    assert layout_of(a_result) == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def test_the_next_pair_is_laid_side_by_side_without_another_tick(a_result):
    ours = layout_of(a_result)
    for role in ("ct", "mr"):
        a_result.panel.segment.set_scan(role, a_result.add(f"next {role}", role.upper()).GetID())
    a_result.quiet()
    assert a_result.panel.segment.result is None
    assert a_result.ui.resultTable.rowCount == 0, "another patient's volumes are gone"
    assert not a_result.ui.reviewSection.isEnabled()
    a_result.segmented()
    assert layout_of(a_result) == ours
    first = by_name(a_result, "vtkMRMLSliceCompositeNode")["CMCSegFirst"]
    assert first.GetBackgroundVolumeID() == a_result.panel.segment.result.scans["ct"]


def test_the_report_s_link_goes_with_its_result(a_result, monkeypatch):
    import qt

    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda _: None)
    a_result.ui.reportButton.click()
    a_result.quiet()
    assert not a_result.ui.reportLabel.isHidden()
    a_result.scene.Clear(0)
    a_result.quiet()
    assert a_result.ui.reportLabel.isHidden()


def test_a_report_is_opened_and_linked(a_result, monkeypatch):
    import qt

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", opened.append)
    assert a_result.ui.reportLabel.isHidden()
    a_result.ui.reportButton.click()
    a_result.quiet()
    (asked,) = [m.values for m in a_result.worker.asked if m.verb == "report"]
    assert [url.toLocalFile() for url in opened] == [asked["path"]]
    assert f'href="file://{asked["path"]}"' in a_result.ui.reportLabel.text
    assert asked["scans"] == {"ct": "CT", "mr": "MR"}


def test_a_model_is_imported_and_chosen_then_removed(a_desk, monkeypatch, tmp_path):
    import qt

    ui = a_desk.ui
    path = str(tmp_path / "other.zip")
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_: (path, ""))
    ui.importButton.click()
    a_desk.quiet()
    (asked,) = [m.values for m in a_desk.worker.asked if m.verb == "import-model"]
    assert asked == {"source": path}
    assert [ui.modelCombo.itemText(n) for n in range(ui.modelCombo.count)] == ["Tiny", "Other"]
    assert ui.modelCombo.currentText == "Other"
    ui.removeButton.click()
    a_desk.quiet()
    assert ui.modelCombo.currentText == "Tiny"


def test_an_import_that_was_called_off_asks_nobody(a_desk, monkeypatch):
    import qt

    # PySide6 gives a pair, PythonQt the name alone.
    for nothing in (("", ""), ""):
        monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_, n=nothing: n)
        a_desk.ui.importButton.click()
    assert not [m for m in a_desk.worker.asked if m.verb == "import-model"]


def test_the_model_line_says_what_it_finds_how_well_and_what_for(a_desk):
    from dataclasses import replace

    (card,) = a_desk.worker.cards
    assert a_desk.ui.modelLabel.text == (
        "liver, left kidney · Dice not measured · version 0.1.0 · Research use, not for diagnosis."
    )
    measured = {"ct": {"liver": 0.9, "left kidney": 0.8}, "mr": {"liver": 0.7}, "how": "On cases."}
    a_desk.worker.cards = [replace(card, measured=measured, licence="Terms.", trained_on="Scans.")]
    a_desk.panel.segment.models.load()
    a_desk.quiet()
    assert "Dice CT 0.85, MR 0.70" in a_desk.ui.modelLabel.text
    assert "On cases.\nScans.\nTerms." in a_desk.ui.modelLabel.toolTip


def test_a_model_that_came_with_the_program_cannot_be_removed_and_says_why(a_desk):
    ui = a_desk.ui
    assert not ui.removeButton.isEnabled()
    assert (
        "Tiny came with the program; only imported models can be removed."
        in ui.removeButton.toolTip
    )
