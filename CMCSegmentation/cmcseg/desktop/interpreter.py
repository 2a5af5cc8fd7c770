"""Which Python works for Slicer, and how to wait for it without a frozen window."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from cmcseg.core.errors import CMCSegError

STEP = 0.02  # seconds between two looks


def python() -> str:
    """PythonSlicer beside the application; ``sys.executable`` may be empty inside Slicer."""
    folder = Path(slicer.app.slicerHome) / "bin"
    found = [folder / name for name in ("PythonSlicer", "PythonSlicer.exe")]
    return next((str(path) for path in found if path.exists()), sys.executable)


def wait(
    until: Callable[[], bool], timeout: float, pump: Callable[[], None] = lambda: None
) -> None:
    """Let Slicer's window live until something holds.

    Args:
        until: asked again and again.
        timeout: seconds.
        pump: called before each question.

    Raises:
        CMCSegError: when the time is over.
    """
    end = time.monotonic() + timeout
    while True:
        pump()
        if until():
            return
        if time.monotonic() > end:
            sentence = _("There was no answer within {:g} s; the work was stopped.")
            raise CMCSegError(sentence.format(timeout))
        slicer.app.processEvents()
        time.sleep(STEP)
