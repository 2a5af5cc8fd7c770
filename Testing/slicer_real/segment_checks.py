"""From the first scan to a painted organ: what a clinician meets before anything is kept."""

import os
import signal
import time

import parts
import qt
import slicer
from steps import Unmet, settle, until


def reading(desk):
    """What our presence changes in how Slicer reads images: nothing."""
    path = str(next(parts.resources("SampleData").glob("*_ct.nii.gz")))
    kind = slicer.app.coreIOManager().fileType(path)
    desk.say("an image is read as a volume by default", kind == "VolumeFile", kind)
    node = slicer.util.loadNodeFromFile(path)
    desk.say("and is one", node is not None and node.IsA(parts.VOLUME))
    slicer.mrmlScene.Clear(0)
    yield from settle()


def opening(desk):
    """The module is opened; it fits a narrow dock, with each tool of the editor in hand, too."""
    if parts.APART:
        os.environ["XDG_DATA_HOME"] = str(desk.folder / "data")
    opened = hasattr(slicer.modules, "CMCSegmentationWidget")
    with desk.home():
        slicer.util.selectModule("CMCSegmentation")
        if opened:  # with the user's queue
            slicer.modules.CMCSegmentationWidget.onReload()
    yield from settle()
    panel, ui = desk.panel, desk.ui
    place = panel.learn.queue.place
    own = any(str(desk.folder) in str(value) for value in place.values())
    if not desk.say("the queue is this script's own", own, place):
        raise Unmet("nothing of this is to come among the user's pairs")
    why = ui.segmentButton.toolTip
    found = yield from until(lambda: panel.segment.models.cards, 180)
    desk.say("the models are there", found, "" if found else f"{ui.messageLabel.text} {why}")
    panel.segment.choose_model(parts.MODEL)
    width = parts.least_width()
    desk.say(f"the panel fits {parts.WIDE} pixels", width <= parts.WIDE, width)


def sampling(desk):
    """The pair of the sample data comes as volumes, and its roles are guessed."""
    panel = desk.panel
    desk.before = parts.pose("Red")
    nodes = parts.sample()
    kinds = [node.GetClassName() for node in nodes]
    desk.say(
        "the sample pair comes as two volumes", kinds == ["vtkMRMLScalarVolumeNode"] * 2, kinds
    )
    both = yield from until(lambda: len(panel.segment.chosen) == 2, 60)
    chosen = {
        role: slicer.mrmlScene.GetNodeByID(key).GetName()
        for role, key in panel.segment.chosen.items()
    }
    wanted = {"bssfp": "Phantom bSSFP", "lge": "Phantom LGE"}
    desk.say("and each scan has its role", both and chosen == wanted, chosen)


def cancelling(desk):
    """Cancel ends a segmentation at once, and another can start."""
    panel, ui = desk.panel, desk.ui
    yield from parts.under_way(desk)
    began = time.monotonic()
    ui.cancelButton.click()
    yield from until(lambda: panel.segment.stage.value != "segmenting", 30)
    took = time.monotonic() - began
    desk.say("cancel ends it within two seconds", took < 2, f"{took:.2f} s")
    desk.say("and leaves no result", panel.segment.result is None)
    yield from until(lambda: not panel.runner.busy, 60)


def killing(desk):
    """A worker that dies is told with a sentence, and replaced."""
    panel, ui = desk.panel, desk.ui
    yield from parts.under_way(desk)
    began = time.monotonic()
    os.kill(panel.runner.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    yield from until(lambda: panel.segment.stage.value != "segmenting", 30)
    took = time.monotonic() - began
    told = ui.messageLabel.text
    desk.say("a worker that is killed is noticed", took < 5 and told, f"{took:.2f} s, {told}")


def segmenting(desk):
    """A pair is segmented while the window lives."""
    yield from parts.segmented(desk)


def side_by_side(desk):
    """Each scan in a view of its own, with its own organs, both at one scale."""
    ui, scene = desk.ui, slicer.mrmlScene
    result = desk.result()
    ui.viewsCheck.setChecked(True)
    yield from settle(1.0)
    for tag, (role, scan) in zip(parts.VIEWS, result.scans.items(), strict=True):
        composite = parts.widget(tag).sliceLogic().GetSliceCompositeNode()
        desk.say(f"a view shows the {role}", composite.GetBackgroundVolumeID() == scan)
        colours = parts.colours(tag)
        desk.say(f"and is not black ({role})", colours >= 16, f"{colours} colours")
        view = parts.widget(tag).mrmlSliceNode()
        for other, key in result.segmentations.items():
            drawn = parts.shown_in(scene.GetNodeByID(key), view)
            words = "are" if other == role else "are not"
            desk.say(f"organs of the {other} {words} over the {role}", drawn == (other == role))
    nodes = [parts.widget(tag).mrmlSliceNode() for tag in parts.VIEWS]
    scales = [node.GetFieldOfView()[0] / node.GetDimensions()[0] for node in nodes]
    desk.say("both views have one scale", abs(scales[0] / scales[1] - 1) < 0.01, scales)


def disagreeing(desk):
    """The disagreement lies over its own scan while it is wanted."""
    ui = desk.ui
    desk.result()
    under = [parts.widget(tag).sliceLogic().GetSliceCompositeNode() for tag in parts.VIEWS]
    ui.disagreementCheck.setChecked(True)
    yield from settle()
    maps = [composite.GetForegroundVolumeID() for composite in under]
    desk.say("a map of its own lies over either scan", all(maps) and maps[0] != maps[1], maps)
    desk.say("with its scale", ui.disagreementScale.isVisible())
    ui.disagreementCheck.setChecked(False)
    yield from settle()
    maps = [composite.GetForegroundVolumeID() for composite in under]
    desk.say("and goes again", not any(maps), maps)


def reviewing(desk):
    """Doubts, keys, tools, surfaces."""
    panel, ui = desk.panel, desk.ui
    result = desk.result()
    for _ in range(2):
        ui.nextButton.click()
    yield from settle()
    rings = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    desk.say("a ring marks the place in either scan", len(rings) == 2, len(rings))
    viewport, console = slicer.app.layoutManager().viewport(), slicer.util.pythonShell()
    for place, holder in (("panel", ui.page), ("views", viewport)):
        keys = parts.keys(holder)
        desk.say(f"keys live on the {place}", bool(keys))
        astray = [key for key in keys if key.context != qt.Qt.WidgetWithChildrenShortcut]
        desk.say(f"and only there ({place})", not astray, len(astray))
        desk.say(f"the console is not in the {place}", not holder.isAncestorOf(console))
        bare = [key.key.toString() for key in keys]
        desk.say(f"no letter accepts ({place})", "A" not in bare and "Ctrl+Return" in bare, bare)
    desk.beat.reset()
    ui.toolsSection.collapsed = False
    yield from settle()
    desk.stood("when the tools open")
    widths = {}
    for tool in ("", "Threshold", "Paint", "Islands", "Smoothing", "Scissors"):
        panel._review._take(tool)
        yield from settle()
        widths[tool] = parts.least_width()
    panel._review._take("")
    desk.say("it stays narrow with any tool", max(widths.values()) <= parts.WIDE, widths)
    desk.beat.reset()
    ui.show3DCheck.setChecked(True)
    yield from until(lambda: not panel._result.busy, 120)
    yield from settle()
    desk.stood("for surfaces")
    kept = [slicer.mrmlScene.GetNodeByID(key) for key in result.segmentations.values()]
    made = [node.GetSegmentation().ContainsRepresentation("Closed surface") for node in kept]
    desk.say("all organs have surfaces", all(made))
    ui.show3DCheck.setChecked(False)
    yield from settle()


def painting(desk):
    """A stroke of the mouse is a correction: volumes follow it, and undo takes it back."""
    panel, ui = desk.panel, desk.ui
    desk.result()
    ui.roleCombo.setCurrentIndex(0)
    yield from until(lambda: panel.review.rows, 30)
    before = parts.volumes(panel)
    panel._review._take("Paint")
    yield from settle()
    wide, high = parts.widget(parts.VIEWS[0]).sliceView().renderWindow().GetSize()
    desk.beat.reset()
    stroke = {"start": (wide // 3, high // 3), "end": (2 * wide // 3, high // 3)}
    slicer.util.clickAndDrag(parts.widget(parts.VIEWS[0]), **stroke)
    drawn = yield from until(lambda: panel.review.stage.value == "correcting", 30)
    desk.say("a stroke of the mouse is a correction", drawn)
    follow = yield from until(lambda: parts.volumes(panel) != before, 60)
    desk.say("and the volumes follow", follow, f"{before} to {parts.volumes(panel)}")
    desk.stood("while painting")
    panel._review._editor.undo()
    back = yield from until(lambda: parts.volumes(panel) == before, 60)
    desk.say("undo takes it back", back, parts.volumes(panel))
    panel._review._take("")
    ui.copyButton.click()
    yield from until(lambda: not panel.review.busy, 120)
    ui.restoreButton.click()
    whole = yield from until(lambda: not panel.review.busy and parts.volumes(panel) == before, 120)
    desk.say("an organ that was copied can go back to the model's", whole, parts.volumes(panel))
