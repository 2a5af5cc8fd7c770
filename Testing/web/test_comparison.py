"""Old beside new, and two ways to look at the other scan, in views of a process of their own."""

import subprocess
import sys
from pathlib import Path

import machine
from cmcseg.web.drawing import can_draw

HELPERS = Path(__file__).parents[1] / "helpers"
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from types import SimpleNamespace

import numpy as np
import vtk
from trame.app import get_server
from trame_slicer import module
from trame_slicer.core import SlicerApp

from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.messages import Message
from cmcseg.core.volume import Volume
from cmcseg.mrml.new_scan import put_scan
from cmcseg.web.comparison import Comparison
from cmcseg.web.page import Page
from cmcseg.web.views import Views
from pathlib import Path
from session_parts import CARD

server = get_server("test", client_type="vue3")
server.enable_module(module)
app = SlicerApp()
page = Page(server, Path("/nowhere"))
views = Views(page, app)
grid = Grid(shape=(20, 18, 16), affine=np.diag([3.0, 3.0, 3.0, 1.0]))
values = np.arange(grid.size, dtype=np.int16).reshape(grid.shape)
image = Volume(array=np.asfortranarray(values), grid=grid)
own = {role: put_scan(app.scene, image, role) for role in ("ct", "mr")}
inputs = {spec.role: spec for spec in CARD.inputs}
views.show(own, inputs)

# The other scan, three ways, and moved.
for kind in ("blend", "checkerboard", "edges"):
    views.overlays.blend(0.5, kind)
across = np.eye(4)
across[0, 3] = 7.0
views.overlays.move(across)
for role in own:
    laid_over = views.slice(list(own).index(role)).get_foreground_volume_id()
    matrix = vtk.vtkMatrix4x4()
    app.scene.GetNodeByID(laid_over).GetIJKToRASMatrix(matrix)
    print("laid over", role, matrix.GetElement(0, 3))
views.overlays.clear()

# Two models on one pair.
organ = np.zeros(grid.shape, np.uint8)
organ[5:10, 5:10, 5:10] = 1
labels = LabelMap(array=organ, grid=grid, table=CARD.table)
maps = {f"{which} {role}": labels for which in ("old", "new") for role in own}
answer = Message(verb="look-at-both", volumes=dict.fromkeys(own, image), label_maps=maps)
case = SimpleNamespace(show=lambda: views.show(own, inputs))
comparison = Comparison(
    page,
    app.scene,
    views=views,
    case=case,
    segment=SimpleNamespace(result=None),
    tools=SimpleNamespace(use=lambda tool: print("laid down", repr(tool))),
)
volumes = lambda: app.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
before = volumes()
comparison.show(answer, CARD)
print("compared", views.comparing, views.state.data.corners[:2], volumes() - before)
comparison.turn("mr")
print("turned", comparison.state.data.role, volumes() - before)
comparison.put_away()
print("back", views.comparing, views.state.data.corners[:2], volumes() - before)
print("segmentations", app.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"))
"""


def test_two_models_are_shown_beside_each_other_and_the_users_scans_come_back():
    if not can_draw():
        machine.cannot_test("the views of the browser app", "drawing")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(HELPERS)], capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    assert lines == [
        "laid over ct -7.0",
        "laid over mr 7.0",
        "laid down ''",
        "compared True ['the model in use', 'the new model'] 1",
        "laid down ''",
        "turned mr 1",
        "back False ['CT', 'MR'] 0",
        "segmentations 0",
    ], done.stderr[-3000:]
