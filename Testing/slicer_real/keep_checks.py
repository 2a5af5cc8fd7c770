"""From Accept to a fine-tuned model and back, through saved scenes, DICOM and reloads."""

import time
from pathlib import Path

import numpy as np
import parts
import qt
import slicer
import vtk
from steps import Unmet, settle, until


def accepting(desk):
    """Accepting twice is one pair."""
    panel, ui = desk.panel, desk.ui
    desk.result()
    for number in (1, 2):
        ui.acceptButton.click()
        yield from until(lambda: panel.review.stage.value == "accepted", 300)
        yield from until(lambda: not panel.runner.busy, 60)
        told = ui.messageLabel.text
        desk.say(f"accepted ({number}), and a word follows", bool(told), told)
        if number == 1:
            ui.restoreButton.click()
            yield from until(
                lambda: panel.review.stage.value == "correcting" and not panel.review.busy, 120
            )
    parts.one_pair(desk, "accepting again made a revision")


def reporting(desk):
    """The report is written and says what was found; the system's browser opens it."""
    panel, ui = desk.panel, desk.ui
    result = desk.result()
    written: list = []
    panel.segment.reported.connect(written.append)
    desk.beat.reset()
    ui.reportButton.click()
    yield from until(lambda: written, 300)
    if desk.say("a report is written", written):
        page = Path(written[0]).read_text(encoding="utf-8")
        lacking = [label.name for label in result.card.table if label.name not in page]
        desk.say("and names every organ", not lacking, lacking or written[0])
    desk.stood("for the report")


def leaving(desk):
    """Another module is shown: keys are silent there, and the user's views are as they were."""
    panel, ui = desk.panel, desk.ui
    manager = slicer.app.layoutManager()
    ui.viewsCheck.setChecked(False)
    yield from settle()
    four = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    now = manager.layoutLogic().GetLayoutNode().GetViewArrangement()
    desk.say("the user's layout comes back", now == four, now)
    turned = np.abs(np.array(parts.pose("Red")) - desk.before).max()
    desk.say("the Red view was not turned", turned < 1e-3, turned)
    slicer.util.selectModule("Data")
    yield from settle()
    keys = [*parts.keys(ui.page), *parts.keys(manager.viewport())]
    loud = [key for key in keys if key.isEnabled()]
    desk.say("our keys are silent in other modules", not loud, len(loud))
    slicer.util.selectModule("CMCSegmentation")
    yield from settle()
    desk.say("and the result is still there", panel.segment.result is not None)


def reopening(desk):
    """A scene that was saved and opened again goes on where it was."""
    panel, ui = desk.panel, desk.ui
    result = desk.result()
    names = sorted(label.name for label in result.card.table)
    drawn = {role: parts.voxels(key) for role, key in result.segmentations.items()}
    path = desk.folder / "pair.mrb"
    desk.say("the scene is saved", slicer.util.saveScene(str(path)) and path.exists())
    slicer.mrmlScene.Clear(0)
    yield from settle()
    desk.say("nothing of the old result stays", ui.resultTable.rowCount == 0)
    slicer.util.loadScene(str(path))
    there = yield from until(lambda: panel.segment.result is not None, 180)
    desk.say("the result is there again", there, ui.messageLabel.text)
    result = desk.result()
    for role, key in result.segmentations.items():
        segmentation = slicer.mrmlScene.GetNodeByID(key).GetSegmentation()
        found = sorted(
            segmentation.GetNthSegment(n).GetName()
            for n in range(segmentation.GetNumberOfSegments())
        )
        desk.say(f"with all its organs ({role})", found == names, found)
        desk.say(
            f"as they were drawn ({role})", parts.voxels(key) == drawn[role], parts.voxels(key)
        )
    yield from until(lambda: not panel.review.busy, 120)
    if not panel.review.why_not():
        ui.acceptButton.click()
        yield from until(lambda: panel.review.stage.value == "accepted", 300)
        yield from until(lambda: not panel.runner.busy, 60)
    parts.one_pair(desk, "accepted from the reopened scene it is the same pair")


def learning(desk):
    """A short fine-tuning, its verdict, adopt, and back again."""
    panel, ui = desk.panel, desk.ui
    if not panel.learn.rows:
        raise Unmet("the queue is empty")
    ui.minutesSpin.setValue(1)
    seen: list = []
    panel.learn.progressed.connect(lambda progress: seen.append(progress.fraction))
    desk.beat.reset()
    began = time.monotonic()
    ui.fineTuneButton.click()
    yield from until(lambda: panel.learn.stage.value == "fine-tuning", 30)
    yield from until(lambda: panel.learn.stage.value != "fine-tuning", parts.WAIT)
    took = f"{time.monotonic() - began:.0f} s for a minute"
    judged = panel.learn.stage.value == "verdict"
    desk.say("a fine-tuning comes to a verdict", judged, took if judged else ui.messageLabel.text)
    desk.say("its bar never goes back", seen == sorted(seen), len(seen))
    desk.say("its curve has points", len(panel.learn.curve) > 1, len(panel.learn.curve))
    desk.stood("while fine-tuning")
    if not judged:
        return
    desk.say("the verdict is a sentence", ui.verdictLabel.text, ui.verdictLabel.text)
    if ui.caseCombo.count:
        ui.lookBothButton.click()
        both = yield from until(lambda: panel._learn._comparison.shown, 300)
        yield from settle()
        desk.say("old and new are looked at", both)
        ui.lookBothButton.click()
        yield from settle()
        left = [
            n for n in slicer.util.getNodesByClass("vtkMRMLVolumeNode") if " old" in n.GetName()
        ]
        desk.say("and put away", not panel._learn._comparison.shown and not left)
    if not parts.APART or ui.adoptButton.isHidden():
        ui.keepButton.click()
        yield from settle()
        desk.say("the old model is kept", panel.learn.stage.value == "kept")
        return
    if not ui.reasonEdit.isHidden():
        ui.reasonEdit.setText("tried in Slicer")
    ui.adoptButton.click()
    yield from until(lambda: panel.learn.stage.value == "adopted" and panel.learn.before, 120)
    desk.say("adopted, and there is a way back", panel.learn.before, ui.messageLabel.text)
    yield from until(lambda: ui.rollBackButton.isEnabled(), 60)
    ui.rollBackButton.click()
    back = yield from until(
        lambda: panel.learn.stage.value == "idle" and not panel.runner.busy, 120
    )
    yield from until(lambda: not panel.learn.before, 60)
    desk.say("rolled back", back and not panel.learn.before, ui.rollBackButton.toolTip)


def exchanging(desk):
    """A study of the DICOM database is segmented, and its organs are written back into it."""
    from cmcseg.core.errors import CMCSegError
    from DICOMLib import DICOMUtils

    from CMCSegmentation import CMCSegmentationLogic

    series = desk.folder / "series"
    parts.write_study(series)
    slicer.mrmlScene.Clear(0)
    yield from settle()
    with parts.database(desk.folder / "database") as database:
        DICOMUtils.importDicom(str(series))
        studies = [
            study for each in database.patients() for study in database.studiesForPatient(each)
        ]
        desk.say("the study is in the database", len(studies) == 1, studies)
        logic = CMCSegmentationLogic()
        items = logic.segmentStudies(studies, parts.MODEL, timeout=parts.WAIT)
        done = [item for item in items if item.result and len(item.scans) == 2]
        desk.say("its pair is segmented", len(done) == 1, [item.trouble for item in items])
        yield
        try:
            written = logic.keepInDatabase(items)
        except CMCSegError as refusal:  # before 5.12, without QuantitativeReporting
            desk.say(
                "this Slicer writes no DICOM SEG, and says so", "5.12" in str(refusal), refusal
            )
            return
        segs = [uid for uid in database.seriesForStudy(studies[0]) if parts.modality(uid) == "SEG"]
        desk.say("a DICOM SEG of either scan is in the database", written == len(segs) == 2, segs)
        for uid in segs:
            (key, *_more) = DICOMUtils.loadSeriesByUID([uid])
            segmentation = slicer.mrmlScene.GetNodeByID(key).GetSegmentation()
            kind = vtk.reference("")
            segmentation.GetNthSegment(0).GetTag("DICOM.SegmentAlgorithmType", kind)
            desk.say("it says that a model drew it", str(kind) == "AUTOMATIC", kind)
            yield


def closing(desk):
    """The scene is closed with each tool in hand, which used to end Slicer."""
    panel, ui = desk.panel, desk.ui
    for tool in ("Paint", "Erase"):
        slicer.mrmlScene.Clear(0)
        yield from settle()
        parts.sample()
        yield from until(lambda: len(panel.segment.chosen) == 2, 60)
        if not (yield from parts.segmented(desk)):
            return
        panel._review._take(tool)
        yield from settle()
        slicer.mrmlScene.Clear(0)
        yield from settle()
        desk.say(f"the scene was closed with {tool} in hand", panel.segment.result is None)
        desk.say("and nothing of the old result stays", ui.resultTable.rowCount == 0)


def reloading(desk):
    """Three reloads leave one panel."""
    for _ in range(3):
        with desk.home():
            slicer.modules.CMCSegmentationWidget.onReload()
        yield from settle()
    holder = slicer.modules.cmcsegmentation.widgetRepresentation()
    editors = [w for w in holder.findChildren(qt.QWidget) if w.className() == parts.EDITOR]
    desk.say("three reloads leave one editor", len(editors) == 1, len(editors))
    panel = desk.panel
    there = yield from until(lambda: panel.segment.models.cards, 120)
    desk.say("and a panel that works", there)


def logging(desk):
    """Nothing was raised anywhere meanwhile."""
    path = Path(slicer.app.errorLogModel().filePath)
    with path.open(encoding="utf-8", errors="replace") as log:
        log.seek(desk.logged)
        told = log.read()
    desk.say("no traceback in Slicer's log", "Traceback" not in told, path)
    yield
