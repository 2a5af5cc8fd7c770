"""Choose, cancel, segment, next doubt, edit, accept, close the scene, clean up.

Run as ``python click_through.py [picture.png]``; prints "clicked through" when all held.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT / part) for part in ("Testing/helpers", "Testing/slicer_host", "CMCSegmentation")
]

import bench

HOST, APP = bench.start()
import slicer
from cmcseg.desktop.panel import Panel
from cmcseg.desktop.parameters import Choices
from cmcseg.imaging.files import read_volume
from cmcseg.session.stage import Stage
from mrml_scene import add_volume


def wait(until, seconds=180):
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, f"waited in vain; the panel says: {ui.messageLabel.text}"
        APP.processEvents()
        time.sleep(0.01)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


folder = Path(tempfile.mkdtemp())
subprocess.run(
    [sys.executable, "-m", "cmcseg", "sample", str(folder)], check=True, stdout=subprocess.DEVNULL
)
root = slicer.util.loadUI(ROOT / "CMCSegmentation/Resources/UI/CMCSegmentation.ui")
ui = slicer.util.childWidgetVariables(root)
observers = HOST.scene.HasObserver(slicer.vtkMRMLScene.NodeAddedEvent)
panel = Panel(ui, ROOT / "CMCSegmentation/Resources", folder / "queue")
choices = Choices(None)
choices.connectGui(ui)
panel.use(choices)
panel.load()
wait(lambda: panel.segment.models.cards)
assert not ui.segmentButton.isEnabled()
assert "Choose a scan: CT or MR." in ui.segmentButton.toolTip

nodes = {}
for role in ("ct", "mr"):
    scan = read_volume(folder / f"{role}.nii.gz")
    nodes[role] = add_volume(HOST.scene, scan.array, scan.grid.affine, role.upper())
wait(lambda: panel.segment.card)
panel.segment.set_scan("ct", nodes["ct"].GetID())
panel.segment.set_scan("mr", nodes["mr"].GetID())
wait(lambda: ui.placementLabel.text)
assert ui.segmentButton.isEnabled()
assert not ui.reviewSection.isEnabled()

ui.segmentButton.click()
assert panel.segment.stage is Stage.SEGMENTING
wait(lambda: panel.runner.pid)
ui.cancelButton.click()
wait(lambda: panel.segment.stage is Stage.READY)
ui.segmentButton.click()
wait(lambda: panel.segment.stage is Stage.RESULT)
assert ui.resultTable.rowCount == 4
wait(lambda: not panel.runner.busy)
ui.nextButton.click()
ui.restoreButton.click()
wait(lambda: panel.review.stage is Stage.CORRECTING and not panel.review.busy)
assert ui.acceptButton.isEnabled(), ui.acceptButton.toolTip
ui.acceptButton.click()
wait(lambda: panel.review.stage is Stage.ACCEPTED)
wait(lambda: ui.queueTable.rowCount == 1)
if len(sys.argv) > 1:
    root.resize(400, 760)
    root.show()
    APP.processEvents()
    root.grab().save(sys.argv[1])
HOST.scene.Clear(0)
wait(lambda: not panel.segment.chosen)
assert not ui.reviewSection.isEnabled()
worker = panel.runner.pid
panel.close()
wait(lambda: not worker or not alive(worker), 5)
assert HOST.scene.HasObserver(slicer.vtkMRMLScene.NodeAddedEvent) == observers

HOST.close()
print("clicked through")
