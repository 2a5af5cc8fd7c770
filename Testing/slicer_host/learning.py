"""Step 5 on the panel: learn, compare, adopt, keep, go back."""

from dataclasses import replace

import numpy as np
import pytest
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.messages import Message
from cmcseg.core.scan_traits import groups_of, groups_to_dict, traits_of
from cmcseg.core.volume import Volume
from mrml_scene import TABLE, ball_scan, box, by_value
from session_parts import Worker, version

ORGANS = {
    "ct liver": {
        "old": 0.9, "new": 0.95, "change": 0.05, "at_worst": 0.01, "cases": 4, "worse": False,
    },
    "mr liver": {
        "old": 0.9, "new": 0.901, "change": 0.001, "at_worst": -0.01, "cases": 4, "worse": False,
    },
    "mr left kidney": {
        "old": 0.9, "new": 0.85, "change": -0.05, "at_worst": -0.12, "cases": 4, "worse": True,
    },
}  # fmt: skip


@pytest.fixture
def a_school(a_desk):
    """A desk whose queue holds a pair."""
    a_desk.ui.learnSection.show()
    a_desk.quiet()
    assert a_desk.ui.fineTuneButton.isEnabled(), a_desk.ui.fineTuneButton.toolTip
    return a_desk


def judged(desk, verdict, **more):
    desk.worker.verdict = {"verdict": verdict, "reason": "As found.", "organs": ORGANS, **more}
    desk.ui.fineTuneButton.click()
    desk.quiet()


def cells(table):
    return [
        [table.item(i, j).text() for j in range(table.columnCount)] for i in range(table.rowCount)
    ]


def test_the_queue_is_counted_in_plain_words(a_school):
    assert a_school.ui.queueLabel.text == "Queue: 1 pair, 1 new since the last model"


def test_nothing_is_offered_before_there_is_a_verdict(a_school):
    ui = a_school.ui
    for name in ("adoptButton", "keepButton", "reasonEdit", "verdictTable", "learnBar"):
        assert getattr(ui, name).isHidden(), name


def test_a_verdict_for_it_is_a_table_and_one_press(a_school):
    judged(a_school, "adopt")
    ui = a_school.ui
    assert ui.verdictLabel.text == "As found."
    assert cells(ui.verdictTable) == [
        ["CT liver", "0.900", "0.950", "+0.010", "better"],
        ["MR liver", "0.900", "0.901", "-0.010", "not worse"],
        ["MR left kidney", "0.900", "0.850", "-0.120", "may be worse"],
    ]
    assert ui.reasonEdit.isHidden()
    ui.adoptButton.click()
    a_school.quiet()
    assert [m.values for m in a_school.worker.asked if m.verb == "adopt"] == [
        {"model": "tiny", "run": "/runs/1", "overrule": ""}
    ]
    assert ui.adoptButton.isHidden()


@pytest.mark.parametrize("verdict", ["keep", "insufficient"])
def test_a_verdict_against_it_asks_for_a_reason(a_school, verdict):
    judged(a_school, verdict)
    ui = a_school.ui
    assert not ui.reasonEdit.isHidden()
    assert not ui.adoptButton.isEnabled()
    assert "give a reason" in ui.adoptButton.toolTip
    ui.reasonEdit.setText("   ")
    assert not ui.adoptButton.isEnabled()
    ui.reasonEdit.setText("two readers agree")
    assert ui.adoptButton.isEnabled()
    ui.adoptButton.click()
    a_school.quiet()
    (adopted,) = [m.values for m in a_school.worker.asked if m.verb == "adopt"]
    assert adopted["overrule"] == "two readers agree"
    judged(a_school, verdict)
    assert ui.reasonEdit.text == "", "the next verdict needs a reason of its own"


def test_the_new_model_is_kept_beside_for_a_site_that_has_a_name(a_school):
    judged(a_school, "adopt")
    ui = a_school.ui
    assert not ui.besideButton.isEnabled()
    assert "Say for which site" in ui.besideButton.toolTip
    ui.besideEdit.setText("Dijon")
    ui.besideButton.click()
    a_school.quiet()
    (asked,) = [m.values for m in a_school.worker.asked if m.verb == "adopt"]
    assert asked["beside"] == "Dijon"
    assert ui.besideButton.isHidden()
    assert "is kept beside the model in use" in ui.messageLabel.text
    assert a_school.panel.segment.card.name == "tiny"
    judged(a_school, "keep")
    assert ui.besideEdit.text == ""
    ui.besideEdit.setText("Dijon")
    assert "give a reason" in ui.besideButton.toolTip


def test_the_model_of_a_site_is_proposed_for_its_scans_and_used_at_a_press(a_school):
    ui, card = a_school.ui, a_school.worker.cards[0]
    assert ui.siteLabel.isHidden()
    scan = Volume(array=ball_scan(a_school.grid), grid=a_school.grid)
    record = {"beside": "tiny", "scans": groups_to_dict(groups_of([("ct", traits_of(scan))]))}
    site = replace(card, name="tiny-dijon", title="Tiny, Dijon", history=(record,))
    a_school.worker.cards = [card, site]
    a_school.panel.segment.models.load()
    a_school.quiet()
    assert ui.siteLabel.text == "These scans look like those that 'Tiny, Dijon' learned from."
    assert a_school.panel.segment.card.name == "tiny"
    assert ui.siteButton.text == "Use it"
    ui.siteButton.click()
    a_school.quiet()
    assert a_school.panel.segment.card.name == "tiny-dijon"
    assert ui.siteLabel.isHidden()
    assert ui.siteButton.isHidden()


def test_keeping_the_old_one_asks_for_nothing(a_school):
    judged(a_school, "keep")
    a_school.ui.keepButton.click()
    assert a_school.ui.keepButton.isHidden()
    assert not [m for m in a_school.worker.asked if m.verb == "adopt"]


def test_roll_back_is_there_when_there_is_a_version_before(a_school):
    ui, card = a_school.ui, a_school.worker.cards[0]
    assert not ui.rollBackButton.isEnabled()
    assert "The model in use is the first version." in ui.rollBackButton.toolTip
    a_school.worker.history = [
        version("base", "old"),
        version("second", card.sha256, parent="old", in_use=True),
    ]
    a_school.panel.learn.load_history("tiny")
    a_school.quiet()
    assert ui.rollBackButton.isEnabled()
    assert "Go back to version 0.1.0" in ui.rollBackButton.toolTip
    ui.rollBackButton.click()
    a_school.quiet()
    asked = [m.values for m in a_school.worker.asked if m.verb == "rollback"]
    assert asked == [{"model": "tiny", "to": ""}]


def test_the_losses_are_drawn_as_they_come(a_school):
    drawn = []

    def look(_progress):
        tables = a_school.scene.GetNodesByClass("vtkMRMLTableNode")
        tables = [tables.GetItemAsObject(n) for n in range(tables.GetNumberOfItems())]
        drawn.append([table.GetTable().GetNumberOfRows() for table in tables])

    a_school.panel.learn.progressed.connect(look)
    judged(a_school, "adopt")
    assert drawn == [[], [2]], "one point is no line"
    table = a_school.scene.GetFirstNodeByClass("vtkMRMLTableNode").GetTable()
    names = [table.GetColumnName(n) for n in range(table.GetNumberOfColumns())]
    assert names == ["%", "loss"]
    assert [table.GetValue(n, 1).ToDouble() for n in range(2)] == [1.0, 0.5]
    chart = a_school.scene.GetFirstNodeByClass("vtkMRMLPlotChartNode")
    assert chart.GetNumberOfPlotSeriesNodes() == 1
    view = a_school.scene.GetFirstNodeByClass("vtkMRMLPlotViewNode")
    assert view.GetPlotChartNodeID() == chart.GetID()
    assert view.GetParentLayoutNode() is chart, "else the layout manager would show it"


def test_nothing_is_segmented_while_the_worker_learns(a_school):
    seen = []
    button = a_school.ui.segmentButton
    a_school.panel.learn.progressed.connect(
        lambda _: seen.append((button.isEnabled(), "A fine-tuning is running" in button.toolTip))
    )
    judged(a_school, "adopt")
    assert seen == [(False, True)] * 2
    assert button.isEnabled()


def test_a_second_fine_tuning_draws_anew_even_after_the_scene_was_closed(a_school):
    judged(a_school, "adopt")
    a_school.scene.Clear(0)
    a_school.add("CT", "CT")
    a_school.quiet()
    judged(a_school, "adopt")
    table = a_school.scene.GetFirstNodeByClass("vtkMRMLTableNode").GetTable()
    assert table.GetNumberOfRows() == 2


def test_a_closed_panel_leaves_no_chart(a_school):
    judged(a_school, "adopt")
    a_school.panel.close()
    for kind in ("Table", "PlotSeries", "PlotChart", "PlotView"):
        assert a_school.scene.GetNumberOfNodesByClass(f"vtkMRML{kind}Node") == 0


CASES = {"pair-3": -0.2, "pair-1": 0.05}


class Comparing(Worker):
    """Also says what both models find: the new one finds no kidney."""

    def __call__(self, request, report):
        if request.verb != "look-at-both":
            return super().__call__(request, report)
        self.asked.append(request)
        grid = box((24, 22, 20), (6.0, 6.0, 7.0))
        scan = ball_scan(grid)
        found = by_value(scan)
        return Message(
            verb="look-at-both",
            values={"case": request.values["case"]},
            volumes={"ct": Volume(array=scan, grid=grid)},
            label_maps={
                "old ct": LabelMap(array=found, grid=grid, table=TABLE),
                "new ct": LabelMap(array=found * np.uint8(found == 1), grid=grid, table=TABLE),
            },
        )


@pytest.fixture
def two_models(a_host, a_panel, until):
    """A desk with a verdict whose two models can be compared."""
    from types import SimpleNamespace

    from inline_runner import InlineRunner

    worker = Comparing()
    panel = a_panel(InlineRunner(worker))
    desk = SimpleNamespace(scene=a_host.scene, worker=worker, panel=panel, ui=panel.ui)
    desk.quiet = lambda: until(lambda: not panel.runner.busy)
    desk.quiet()
    judged(desk, "keep", cases=CASES)
    return desk


def compared(scene):
    """Nodes by name of what both models found."""
    import slicer

    nodes = slicer.util.getNodesByClass("vtkMRMLDisplayableNode", scene)
    return {node.GetName(): node for node in nodes if node.GetAttribute("CMCSeg.kind")}


def test_both_models_can_be_looked_at_where_they_differ_most(two_models):
    from cmcseg.mrml.geometry import to_numpy
    from cmcseg.mrml.segments import get_labels

    ui, scene = two_models.ui, two_models.scene
    shown = [ui.caseCombo.itemText(n) for n in range(ui.caseCombo.count)]
    assert shown == ["a pair (-0.200)", "pair 1 (+0.050)"]  # one is no longer in the queue
    ui.lookBothButton.click()
    two_models.quiet()
    assert two_models.worker.asked[-1].values["case"] == "pair-3"
    nodes = compared(scene)
    assert set(nodes) == {"pair-3 ct", "pair-3 ct old", "pair-3 ct new"}
    grid = box((24, 22, 20), (6.0, 6.0, 7.0))
    found = by_value(ball_scan(grid))
    old = get_labels(nodes["pair-3 ct old"], grid, TABLE)
    np.testing.assert_array_equal(old, found)
    np.testing.assert_array_equal(get_labels(nodes["pair-3 ct new"], grid, TABLE), found == 1)
    import vtk

    matrix = vtk.vtkMatrix4x4()
    nodes["pair-3 ct"].GetIJKToRASMatrix(matrix)
    np.testing.assert_allclose(to_numpy(matrix), grid.affine)
    assert not two_models.panel.segment.scans(), "it is not offered as a scan to segment"
    ui.caseCombo.setCurrentIndex(1)
    two_models.quiet()
    assert set(compared(scene)) == {"pair-1 ct", "pair-1 ct old", "pair-1 ct new"}
    two_models.panel.close()
    assert not compared(scene)


def test_old_organs_lie_left_and_new_ones_right_until_the_users_views_come_back(two_models):
    import slicer

    ui, scene = two_models.ui, two_models.scene
    layout = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    before, seen = layout.GetViewArrangement(), []
    ui.lookBothButton.click()
    seen.append((ui.learnBar.isHidden(), ui.learnLabel.text, ui.lookBothButton.isEnabled()))
    two_models.quiet()
    assert seen == [(False, "asking both models", False)], "a sign of work meanwhile"
    assert layout.GetViewArrangement() != before
    for which in ("old", "new"):
        display = compared(scene)[f"pair-3 ct {which}"].GetDisplayNode()
        assert display.GetNumberOfViewNodeIDs() == 1
        view = scene.GetNodeByID(display.GetNthViewNodeID(0))
        assert which in view.GetLayoutName().lower()
        tag = view.GetLayoutName()
        composite = scene.GetSingletonNode(tag, "vtkMRMLSliceCompositeNode")
        assert composite.GetBackgroundVolumeID() == compared(scene)["pair-3 ct"].GetID()
    assert ui.lookBothButton.text == "Back to my scans"
    ui.lookBothButton.click()
    assert layout.GetViewArrangement() == before
    assert not compared(scene)


@pytest.mark.parametrize("button", ["keepButton", "adoptButton"])
def test_what_was_compared_and_its_verdict_go_with_the_decision(two_models, button):
    ui = two_models.ui
    ui.lookBothButton.click()
    two_models.quiet()
    ui.reasonEdit.setText("two readers agree")
    getattr(ui, button).click()
    two_models.quiet()
    assert not compared(two_models.scene)
    assert ui.verdictLabel.isHidden()
    assert ui.verdictTable.isHidden()
    assert two_models.panel.learn.verdict == {}


def test_after_a_change_of_models_the_queue_is_counted_anew(a_school):
    judged(a_school, "adopt")
    a_school.ui.adoptButton.click()
    a_school.quiet()
    asked = [m for m in a_school.worker.asked if m.verb in ("adopt", "queue-list")]
    assert asked[-1].verb == "queue-list"
    assert asked[-1].values["model"] == "tiny"


def test_without_a_verdict_there_is_nothing_to_compare(two_models):
    two_models.ui.keepButton.click()
    two_models.quiet()
    for name in ("caseCombo", "lookBothButton"):
        assert getattr(two_models.ui, name).isHidden(), name


def test_a_folder_of_unlabelled_scans_is_learned_from_only_when_asked(a_school):
    ui = a_school.ui

    def asked():
        judged(a_school, "keep")
        return [m.values.get("folder") for m in a_school.worker.asked if m.verb == "finetune"][-1]

    assert not ui.rehearseCheck.isEnabled()
    assert "Choose a folder of scans first." in ui.rehearseCheck.toolTip
    ui.folderEdit.setText("/scans")
    assert asked() is None
    ui.rehearseCheck.setChecked(True)
    assert asked() == "/scans"


def test_a_damaged_version_is_told(a_school):
    ui, card = a_school.ui, a_school.worker.cards[0]
    assert ui.versionsSection.isHidden()
    damaged = {**version("base", "old"), "damage": "weights.safetensors was changed."}
    second = version("second", card.sha256, parent="old", in_use=True)
    a_school.worker.history = [damaged, second]
    a_school.panel.learn.load_history("tiny")
    a_school.quiet()
    assert cells(ui.historyTable) == [
        ["base", "0.1.0", "weights.safetensors was changed."],
        ["second", "0.1.0", "in use"],
    ]
    assert not ui.rollBackButton.isEnabled(), "a damaged version is no way back"
