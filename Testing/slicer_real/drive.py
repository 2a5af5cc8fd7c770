"""Drive the extension in a real Slicer, with its own widgets, views, mouse and Segment Editor.

    Slicer --no-splash --python-script Testing/slicer_real/drive.py

Nothing here is a stand-in. Prints one line a check and ends Slicer with 0 when all held, 1 when one
did not, 2 when the extension is not installed there. The scene is closed on the way: run it in a
Slicer that holds nothing of yours. Queue, report and DICOM database are made in a folder of their
own. It takes ten to thirty minutes, most of them the model's.
"""

import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import ctk  # noqa: F401 - only Slicer has it, so that a plain Python is told at once
import numpy as np
import qt
import slicer
import vtk

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "helpers")]
import keep_checks  # noqa: E402
import parts  # noqa: E402
import segment_checks  # noqa: E402
from steps import Checks, Heartbeat, Unmet  # noqa: E402

CHECKS = [  # seconds that each may take
    ("images are read as before", segment_checks.reading, 60),
    ("the module is opened", segment_checks.opening, 240),
    ("a sample pair", segment_checks.sampling, 120),
    ("cancel", segment_checks.cancelling, parts.WAIT),
    ("a worker that dies", segment_checks.killing, parts.WAIT),
    ("segment", segment_checks.segmenting, 2 * parts.WAIT),
    ("side by side", segment_checks.side_by_side, 60),
    ("disagreement", segment_checks.disagreeing, 60),
    ("review", segment_checks.reviewing, 300),
    ("paint", segment_checks.painting, 400),
    ("accept", keep_checks.accepting, parts.WAIT),
    ("report", keep_checks.reporting, 360),
    ("another module", keep_checks.leaving, 60),
    ("save and open again", keep_checks.reopening, parts.WAIT),
    ("fine-tune, adopt, roll back", keep_checks.learning, 2 * parts.WAIT),
    ("DICOM", keep_checks.exchanging, 2 * parts.WAIT),
    ("close the scene with a tool in hand", keep_checks.closing, 4 * parts.WAIT),
    ("reload", keep_checks.reloading, 180),
    ("Slicer's log", keep_checks.logging, 30),
]


class Desk:
    """What the checks share; panel and widgets are those of now, after a reload, too."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cmcseg-in-slicer-"))
        self.beat = Heartbeat()
        self.before: list = []  # pose of the Red view before anything was shown
        self.logged = parts.log_size()
        self.checks: Checks | None = None

    @property
    def panel(self) -> object:
        """The panel."""
        widget = getattr(slicer.modules, "CMCSegmentationWidget", None)
        if widget is None or widget.panel is None:
            raise Unmet("the module was not opened")
        return widget.panel

    @property
    def ui(self) -> object:
        """Its widgets."""
        return slicer.modules.CMCSegmentationWidget.ui

    def say(self, name: str, holds: object, more: object = "") -> bool:
        """One line a check."""
        return self.checks.say(name, holds, more)

    def stood(self, when: str) -> None:
        """Tell the longest stand-still of the window; drawing and Slicer's own work are in it."""
        self.checks.note(f"note    longest stand-still {when}: {self.beat.longest} ms")

    def result(self) -> object:
        """The result that the panel shows."""
        if self.panel.segment.result is None:
            raise Unmet("there is no result")
        return self.panel.segment.result

    @contextmanager
    def home(self):
        """The module finds its queue in this script's folder, not among the user's pairs."""
        theirs = Path.__dict__["home"]
        Path.home = classmethod(lambda _cls: self.folder)
        try:
            yield
        finally:
            Path.home = theirs


def main() -> None:
    """Run, count, leave."""
    desk = Desk()
    desk.checks = checks = Checks(CHECKS, desk)
    app = slicer.app
    checks.note(f"note    Slicer {app.applicationVersion}, revision {app.repositoryRevision}")
    checks.note(
        f"note    Python {sys.version.split()[0]}, VTK {vtk.VTK_VERSION}, NumPy {np.__version__}"
    )
    if not hasattr(slicer.modules, "cmcsegmentation") or app.layoutManager() is None:
        checks.note("The extension is not installed here, or there is no window: give its folder")
        checks.note("with --additional-module-paths.")
        checks.end(2)
        return
    app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    checks.start()
    globals()["RUNNING"] = desk  # else nobody would hold it once this has returned


qt.QTimer.singleShot(3000, main)
