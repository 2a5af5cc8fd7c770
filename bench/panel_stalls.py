"""The longest time that the Slicer panel keeps its window waiting, step by step.

    python bench/panel_stalls.py [--large]

Runs the panel on the stand-ins of ``Testing/slicer_host`` with a worker that is a process and
answers at once; prints the main thread's CPU time of the longest pass of the event loop a step.
What Slicer itself does on the way (drawing, its editor, surfaces of its own) is not in it.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [
    str(ROOT / part) for part in ("Testing/helpers", "Testing/slicer_host", "CMCSegmentation")
]

import numpy as np  # noqa: E402

import bench  # noqa: E402

HOST, APP = bench.start()
sys.modules["qt"].QDesktopServices.openUrl = lambda _url: True
import slicer  # noqa: E402
from cmcseg.desktop.panel import Panel  # noqa: E402
from cmcseg.desktop.parameters import Choices  # noqa: E402
from cmcseg.session.process_runner import ProcessRunner  # noqa: E402
from mrml_scene import add_volume, balls, box  # noqa: E402

WORKER = [sys.executable, str(ROOT / "Testing" / "slicer_host" / "card_worker.py")]
SIZES = {  # shape and voxel size in mm of each scan
    "heart pair": {
        "ct": ((288, 288, 12), (1.25, 1.25, 9.0)),
        "mr": ((256, 256, 18), (1.4, 1.4, 6.0)),
    },
    "CT 512 x 512 x 300": {"ct": ((512, 512, 300), (0.8, 0.8, 1.0))},
}


def a_scan(grid):
    """The phantom of the tests, a plane at a time: a large one would fill the memory at once."""
    out = np.full(grid.shape, -1000, dtype=np.int16, order="F")
    i, j = np.meshgrid(*map(np.arange, grid.shape[:2]), indexing="ij")
    for k in range(grid.shape[2]):
        found = balls(grid.world(np.stack([i, j, np.full_like(i, k)], axis=-1)))
        out[:, :, k] += np.where(found == 1, 2000, np.where(found == 2, -2000, 0)).astype(np.int16)
    return out


class Clock:
    """Runs steps of a user and measures every pass of the loop meanwhile."""

    def __init__(self, panel):
        self.panel = panel
        panel._timer.stop()  # the passes are made, and measured, here

    def pass_(self):
        began = time.thread_time()
        self.panel.pump()
        APP.processEvents()
        return time.thread_time() - began

    def step(self, name, act, holds=lambda: True):
        began = time.thread_time()
        act()
        longest = time.thread_time() - began
        first, end = longest, time.monotonic() + 300
        while self.panel.runner.busy or not holds():
            assert time.monotonic() < end, (
                f"{name}: waited in vain; {self.panel.ui.messageLabel.text}"
            )
            longest = max(longest, self.pass_())
            time.sleep(0.002)
        print(
            f"  {name:34s} {1000 * longest:6.0f} ms   (the click itself {1000 * first:.0f})",
            flush=True,
        )


def measure(title, scans):
    print(title)
    folder = Path(tempfile.mkdtemp())
    root = slicer.util.loadUI(ROOT / "CMCSegmentation/Resources/UI/CMCSegmentation.ui")
    HOST.window.dock.layout().addWidget(root)
    ui = slicer.util.childWidgetVariables(root)
    panel = Panel(
        ui, ROOT / "CMCSegmentation/Resources", folder / "queue", ProcessRunner(WORKER, logs=folder)
    )
    choices = Choices(None)
    choices.connectGui(ui)
    panel.use(choices)
    clock = Clock(panel)
    clock.step("open the panel", panel.load, lambda: panel.segment.models.cards)
    panel.enter()
    arrays = {role: (a_scan(box(*size)), box(*size)) for role, size in scans.items()}

    def load():
        for role, (array, grid) in arrays.items():
            node = slicer.vtkMRMLScalarVolumeNode()
            filled = add_volume(HOST.scene, array, grid.affine, role, modality=role.upper())
            del node, filled

    load()  # reading files is Slicer's part
    clock.step("choose the scans", lambda: None, lambda: len(panel.segment.chosen) == len(scans))
    clock.step("segment", ui.segmentButton.click, lambda: panel.segment.result)
    if "--profile" in sys.argv:
        import cProfile
        import pstats

        watch = cProfile.Profile()
        watch.runcall(panel.refresh)
        pstats.Stats(watch).sort_stats("cumulative").print_stats(28)
    clock.step("next doubt", ui.nextButton.click)
    clock.step("open the tools", lambda: setattr(ui.toolsSection, "collapsed", False))
    clock.step(
        "a stroke, and its measuring", panel.review.edited, lambda: panel.review.rows is not None
    )
    clock.step("back to the model's result", ui.restoreButton.click)
    clock.step("3-D", lambda: ui.show3DCheck.setChecked(True), lambda: not panel._result.busy)
    clock.step("segment again, 3-D shown", ui.segmentButton.click, lambda: not panel._result.busy)
    clock.step("report", ui.reportButton.click)
    clock.step("accept", ui.acceptButton.click)
    panel.close()
    root.setParent(None)
    HOST.scene.Clear(0)


for title, scans in SIZES.items():
    if title.startswith("heart") == ("--large" not in sys.argv):
        measure(title, scans)
HOST.close()
