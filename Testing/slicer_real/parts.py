"""What several checks use: how scans come, what a view shows, a database of DICOM for a while."""

import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import qt
import slicer
import vtk
from steps import Unmet, settle, until
from vtk.util import numpy_support

WAIT = 900.0  # seconds for a segmentation on a slow processor
WIDE = 400  # pixels of a narrow dock
MODEL = "heart-bssfp-lge"
VIEWS = ("CMCSegFirst", "CMCSegSecond")
VOLUME, EDITOR = "vtkMRMLScalarVolumeNode", "qMRMLSegmentEditorWidget"
# Where models are kept follows the environment on Linux alone; elsewhere the user's stay untouched.
APART = sys.platform == "linux"


def resources(name: str) -> Path:
    return Path(slicer.modules.cmcsegmentation.path).parent / "Resources" / name


def sample() -> list:
    import SampleData

    return SampleData.downloadSamples("CMCSegHeart")


def under_way(desk):
    """Press Segment and wait until the worker works."""
    panel, ui = desk.panel, desk.ui
    if not (yield from until(lambda: ui.segmentButton.isEnabled(), 120)):
        raise Unmet(f"Segment cannot be pressed: {ui.segmentButton.toolTip}")
    seen: list = []
    panel.segment.progressed.connect(seen.append)
    ui.segmentButton.click()
    ended = lambda: panel.segment.stage.value != "segmenting"  # noqa: E731 - asked twice
    yield from until(lambda: seen or ended(), 300)
    # The panel tells of its own reading first; a worker without a request is replaced silently.
    yield from until(lambda: panel.runner._running or ended(), 300)
    panel.segment.progressed.disconnect(seen.append)
    if panel.segment.stage.value != "segmenting":
        raise Unmet(f"it does not segment: {ui.messageLabel.text}")


def segmented(desk):
    """Press Segment and wait for the result."""
    panel, ui = desk.panel, desk.ui
    if not (yield from until(lambda: ui.segmentButton.isEnabled(), 120)):
        raise Unmet(f"Segment cannot be pressed: {ui.segmentButton.toolTip}")
    seen: list = []
    told = lambda progress: seen.append(progress.fraction)  # noqa: E731 - to be disconnected
    panel.segment.progressed.connect(told)
    desk.beat.reset()
    began = time.monotonic()
    ui.segmentButton.click()
    yield from until(lambda: panel.segment.stage.value != "segmenting", WAIT)
    took = f"{time.monotonic() - began:.0f} s"
    there = panel.segment.result is not None
    desk.say("a pair is segmented", there, took if there else ui.messageLabel.text)
    desk.say("the bar never goes back", seen == sorted(seen), len(seen))
    panel.segment.progressed.disconnect(told)
    yield from settle()
    desk.stood("while segmenting")
    return there


def one_pair(desk, name: str) -> None:
    rows = desk.panel.learn.rows
    pairs = sorted({row.pair for row in rows})
    desk.say(name, len(pairs) == len(rows) == 1, [row.id for row in rows])


def volumes(panel: object) -> list:
    """Millilitres of every organ in every scan."""
    return [round(found.ml, 3) for row in panel.review.rows for found in row.found.values()]


def voxels(key: str) -> list:
    """Voxels of every segment."""
    node = slicer.mrmlScene.GetNodeByID(key)
    segmentation = node.GetSegmentation()
    role = node.GetReferenceImageGeometryReferenceRole()
    scan = node.GetNodeReference(role)
    keys = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    masks = [slicer.util.arrayFromSegmentBinaryLabelmap(node, each, scan) for each in keys]
    return [int((mask > 0).sum()) for mask in masks]


def widget(tag: str) -> object:
    return slicer.app.layoutManager().sliceWidget(tag)


def least_width() -> int:
    """Pixels that the panel cannot be narrower than."""
    hint = slicer.modules.cmcsegmentation.widgetRepresentation().minimumSizeHint
    return (hint() if callable(hint) else hint).width()  # in PythonQt it is a property


def keys(holder: object) -> list:
    return [key for key in holder.findChildren(qt.QShortcut) if key.parent() == holder]


def shown_in(segmentation: object, view: object) -> bool:
    """Whether organs are drawn in a slice view."""
    display = segmentation.GetDisplayNode()
    names = [display.GetNthViewNodeID(n) for n in range(display.GetNumberOfViewNodeIDs())]
    return not names or view.GetID() in names


def colours(tag: str) -> int:
    """How many colours the middle of a slice view shows."""
    window = widget(tag).sliceView().renderWindow()
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.Update()
    wide, high, _ = grab.GetOutput().GetDimensions()
    numbers = numpy_support.vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())
    middle = numbers.reshape(high, wide, -1)[high // 4 : 3 * high // 4, wide // 4 : 3 * wide // 4]
    return len(np.unique(middle[..., :3].astype(np.int64) @ (65536, 256, 1)))


def pose(tag: str) -> list:
    """How a slice view is turned; where it lies and how much it shows follows the scans."""
    pose = widget(tag).mrmlSliceNode().GetSliceToRAS()
    return [[pose.GetElement(row, column) for column in range(3)] for row in range(3)]


def log_size() -> int:
    path = Path(slicer.app.errorLogModel().filePath)
    return path.stat().st_size if path.is_file() else 0


def modality(series: str) -> str:
    from slicer import dicomDatabase as database  # there once the DICOM module has opened it

    return database.fileValue(database.filesForSeries(series)[0], "0008,0060")


def write_study(folder: Path) -> None:
    """The sample pair as two series of one study."""
    from dicom_phantom import write_series
    from pydicom.uid import generate_uid

    study = generate_uid()

    def change(_k: int, one: object) -> None:
        one.StudyInstanceUID = study

    for number, node in enumerate(sample(), 2):
        matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(matrix)
        affine = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
        stored = slicer.util.arrayFromVolume(node).transpose(2, 1, 0).astype(np.int16)
        more = {"modality": "MR", "description": node.GetName(), "number": number}
        write_series(folder / str(number), stored, affine, patient="CMCSeg", change=change, **more)


@contextmanager
def database(folder: Path):
    """Slicer works with an empty database meanwhile; the user's own is opened again at the end."""
    from DICOMLib import DICOMUtils
    from slicer import dicomDatabase as database

    theirs = database.databaseDirectory
    folder.mkdir()
    try:
        DICOMUtils.openDatabase(str(folder))
        if Path(database.databaseDirectory).resolve() != folder.resolve():
            raise Unmet("no other DICOM database could be opened")
        yield database
    finally:
        if theirs:
            DICOMUtils.openDatabase(theirs)
