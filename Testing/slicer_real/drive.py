"""Drive the extension in a real Slicer, with its own widgets, views and Segment Editor.

    Slicer --no-splash --python-script Testing/slicer_real/drive.py

Nothing here is a stand-in. Prints one line a check and ends Slicer with 0 when all held, 1 when one
did not, 2 when the extension is not installed there. The scene is closed on the way: run it in a
Slicer that holds nothing of yours. It takes a few minutes, most of them the model's.
"""

import sys
import time
import traceback
from pathlib import Path

import ctk  # noqa: F401 - only Slicer has it, so that a plain Python is told at once
import qt
import slicer

WAIT = 900.0  # seconds for a segmentation on a slow processor
STALL = 0.05  # seconds that the window may stand still
FAILED: list[str] = []


def note(line: str) -> None:
    """A line that is no check."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def say(name: str, holds: bool, more: object = "") -> None:
    """One line a check."""
    note(f"{'ok    ' if holds else 'FAILED'}  {name}{f': {more}' if more != '' else ''}")
    if not holds:
        FAILED.append(name)


def until(holds, seconds: float = WAIT) -> bool:
    """Let the window live until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        slicer.app.processEvents()
        time.sleep(0.01)
    return True


def settle(seconds: float = 0.5) -> None:
    """Let queued events, of fresh views say, take their turn."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end)


def shown_in(segmentation, view) -> bool:
    """Whether organs are drawn in a slice view."""
    display = segmentation.GetDisplayNode()
    names = [display.GetNthViewNodeID(n) for n in range(display.GetNumberOfViewNodeIDs())]
    return not names or view.GetID() in names


def is_black(tag: str) -> bool:
    """Whether a slice view shows one colour only."""
    view = slicer.app.layoutManager().sliceWidget(tag).sliceView()
    view.forceRender()
    grab = view.grab().toImage()
    colors = {
        grab.pixel(x, y)
        for x in range(grab.width() // 4, 3 * grab.width() // 4, 7)
        for y in range(grab.height() // 4, 3 * grab.height() // 4, 7)
    }
    return len(colors) < 4


def where(view) -> list:
    """Pose and size of a slice view."""
    pose = view.GetSliceToRAS()
    numbers = [pose.GetElement(row, column) for row in range(3) for column in range(4)]
    return [round(n, 4) for n in (*numbers, *view.GetFieldOfView())]


class Heartbeat:
    """The longest time between two beats of the event loop."""

    def __init__(self) -> None:
        self._timer = qt.QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._beat)
        self.reset()
        self._timer.start()

    def reset(self) -> None:
        self.longest, self._last = 0.0, time.perf_counter()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.longest, self._last = max(self.longest, now - self._last), now


def reading(folder: Path) -> None:
    """What our presence changes in how Slicer reads images: nothing."""
    path = str(next(folder.glob("*_ct.nii.gz")))
    kind = slicer.app.coreIOManager().fileType(path)
    say("an image is read as a volume by default", kind == "VolumeFile", kind)
    node = slicer.util.loadNodeFromFile(path, kind)
    say("and is one", node is not None and node.IsA("vtkMRMLScalarVolumeNode"))
    slicer.mrmlScene.Clear(0)


def sample(name: str) -> list:
    """A pair of the extension's sample data."""
    import SampleData

    nodes = SampleData.downloadSamples(name)
    say(
        f"{name} comes as two volumes",
        [n.GetClassName() for n in nodes].count("vtkMRMLScalarVolumeNode") == 2,
    )
    return nodes


def segmented(panel, ui, beat: Heartbeat) -> bool:
    """Press Segment and wait."""
    if not until(lambda: ui.segmentButton.isEnabled(), 120):
        say("Segment can be pressed", False, ui.segmentButton.toolTip)
        return False
    seen: list = []
    panel.segment.progressed.connect(lambda progress: seen.append(progress.fraction))
    beat.reset()
    ui.segmentButton.click()
    done = until(lambda: panel.segment.result is not None or ui.messageLabel.isVisible())
    say("a pair is segmented", done and panel.segment.result is not None, ui.messageLabel.text)
    say("the bar never goes back", seen == sorted(seen))
    settle()
    note(f"note    longest stand-still while segmenting: {1000 * beat.longest:.0f} ms")
    return panel.segment.result is not None


def views(panel) -> None:
    """Side by side, organs of one scan alone, nothing of the user's moved."""
    manager, scene = slicer.app.layoutManager(), slicer.mrmlScene
    for tag, role in zip(("CMCSegFirst", "CMCSegSecond"), panel.segment.result.scans, strict=True):
        view = manager.sliceWidget(tag).mrmlSliceNode()
        say(f"the view of the {role} is not black at its first showing", not is_black(tag))
        for other, key in panel.segment.result.segmentations.items():
            drawn = shown_in(scene.GetNodeByID(key), view)
            say(f"organs of the {other} over the {role}: {drawn}", drawn == (other == role))
    sizes = [
        manager.sliceWidget(tag).mrmlSliceNode().GetFieldOfView()[0]
        / manager.sliceWidget(tag).mrmlSliceNode().GetDimensions()[0]
        for tag in ("CMCSegFirst", "CMCSegSecond")
    ]
    say("both views have one scale", abs(sizes[0] / sizes[1] - 1) < 0.01, sizes)


def reviewing(panel, ui, beat: Heartbeat) -> None:
    """Doubts, keys, tools."""
    for _ in range(2):
        ui.nextButton.click()
    settle()
    rings = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    say("a ring marks the place in either scan", len(rings) == 2, len(rings))
    viewport, console = slicer.app.layoutManager().viewport(), slicer.util.pythonShell()
    within = 3  # Qt.WidgetWithChildrenShortcut
    for place, holder in (("panel", ui.page), ("views", viewport)):
        keys = [key for key in holder.findChildren(qt.QShortcut) if key.parent() == holder]
        say(f"keys live on the {place}", bool(keys))
        say(f"and only there ({place})", all(int(key.context) == within for key in keys))
        say(f"the console is not in the {place}", not holder.isAncestorOf(console))
        bare = [key.key.toString() for key in keys]
        say(f"no letter accepts ({place})", "A" not in bare and "Ctrl+Return" in bare, bare)
    beat.reset()
    ui.toolsSection.collapsed = False
    settle()
    note(f"note    longest stand-still when the tools open: {1000 * beat.longest:.0f} ms")
    beat.reset()
    ui.show3DCheck.setChecked(True)
    until(lambda: not panel._result.busy, 120)
    settle()
    note(f"note    longest stand-still for surfaces: {1000 * beat.longest:.0f} ms")
    surfaces = [
        slicer.mrmlScene.GetNodeByID(key).GetSegmentation().ContainsRepresentation("Closed surface")
        for key in panel.segment.result.segmentations.values()
    ]
    say("all organs have surfaces", all(surfaces))
    ui.show3DCheck.setChecked(False)


def accepting(panel, ui) -> None:
    """Accepting twice is one pair."""
    for number in (1, 2):
        ui.acceptButton.click()
        until(lambda: panel.review.stage.value == "accepted", 300)
        until(lambda: not panel.runner.busy, 60)
        say(f"accepted ({number}), and a word follows", bool(ui.messageLabel.text))
        if number == 1:
            ui.restoreButton.click()
            until(lambda: panel.review.stage.value == "correcting" and not panel.review.busy, 120)
    pairs = {row.pair for row in panel.learn.rows}
    say("accepting again made a revision", len(pairs) == len(panel.learn.rows), sorted(pairs))


def closing(panel, ui) -> None:
    """The scene is closed with each tool in hand, which used to end Slicer."""
    for tool in ("Paint", "Erase"):
        panel._review._take(tool)
        settle()
        slicer.mrmlScene.Clear(0)
        settle()
        say(f"the scene was closed with {tool} in hand", panel.segment.result is None)
        say("and nothing of the old result stays", ui.resultTable.rowCount == 0)
        if tool == "Paint":
            sample("CMCSegHeart")
            until(lambda: len(panel.segment.chosen) == 2, 60)
            if not segmented(panel, ui, Heartbeat()):
                return


def reloading() -> None:
    """Three reloads leave one panel."""
    for _ in range(3):
        slicer.modules.CMCSegmentationWidget.onReload()
        settle()
    editors = [
        widget
        for widget in slicer.util.mainWindow().findChildren(qt.QWidget)
        if widget.className() == "qMRMLSegmentEditorWidget"
    ]
    holder = slicer.modules.cmcsegmentation.widgetRepresentation()
    ours = [e for e in editors if holder.isAncestorOf(e)]
    say("three reloads leave one editor", len(ours) == 1, len(ours))


def drive() -> None:
    """All checks, in the order of a user's hour."""
    if not hasattr(slicer.modules, "cmcsegmentation"):
        note("The extension is not installed here; add its module path.")
        slicer.util.exit(2)
        return
    manager = slicer.app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    settle()
    resources = Path(slicer.modules.cmcsegmentation.path).parent / "Resources"
    reading(resources / "SampleData")
    slicer.util.selectModule("CMCSegmentation")
    widget = slicer.modules.CMCSegmentationWidget
    panel, ui = widget.panel, widget.ui
    width = slicer.modules.cmcsegmentation.widgetRepresentation().sizeHint.width()
    say("the panel fits 400 pixels", width <= 400, width)
    red = manager.sliceWidget("Red").mrmlSliceNode()
    until(lambda: panel.segment.models.cards, 120)
    panel.segment.choose_model("heart-bssfp-lge")
    sample("CMCSegHeart")
    settle()
    before = where(red)
    beat = Heartbeat()
    until(lambda: len(panel.segment.chosen) == 2, 120)
    if segmented(panel, ui, beat):
        views(panel)
        reviewing(panel, ui, beat)
        accepting(panel, ui)
        ui.viewsCheck.setChecked(False)
        settle()
        four = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
        say("the user's layout comes back", manager.layout == four, manager.layout)
        pose = [round(a - b, 3) for a, b in zip(where(red)[:3], before[:3], strict=True)]
        say("the Red view was not turned", not any(pose), pose)
        closing(panel, ui)
    reloading()


def main() -> None:
    """Run, count, leave."""
    try:
        drive()
    except Exception:
        traceback.print_exc()
        FAILED.append("the script itself")
    note(f"{len(FAILED)} failed" if FAILED else "all held")
    slicer.util.exit(1 if FAILED else 0)


qt.QTimer.singleShot(3000, main)
