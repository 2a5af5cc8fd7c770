"""The panel on the stand-ins. Qt's classes are changed for good, so nothing of it is imported
before a test asks for the host; ``Testing/desktop`` runs these files in processes of their own.
"""

import sys
import threading
import time
import types
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORKER = [sys.executable, str(HERE / "card_worker.py")]
RESOURCES = ROOT / "CMCSegmentation" / "Resources"
WAIT = 60.0  # seconds; the machine may be busy


@pytest.fixture(scope="session")
def a_host():
    """The application with its scene, as ``host.scene`` and ``host.app``."""
    sys.path[:0] = [str(HERE), str(ROOT / "CMCSegmentation")]
    import bench

    host, app = bench.start()
    host.app = app
    yield host
    host.close()


@pytest.fixture
def a_panel(a_host, tmp_path):
    """Makes panels; each is closed in the end, and the scene is emptied."""
    import slicer
    from cmcseg.desktop.panel import Panel
    from cmcseg.desktop.parameters import Choices

    made = []

    def make(runner=None, load=True):
        root = slicer.util.loadUI(RESOURCES / "UI" / "CMCSegmentation.ui")
        a_host.window.dock.layout().addWidget(root)
        ui = slicer.util.childWidgetVariables(root)
        panel = Panel(ui, RESOURCES, tmp_path / "queue", runner)
        made.append((panel, root))
        choices = Choices(None)
        choices.connectGui(ui)
        panel.use(choices)
        if load:
            panel.load()
        return panel

    yield make
    for panel, root in made:
        panel.close()
        root.hide()
        root.setParent(None)
    a_host.scene.Clear(0)
    end = time.monotonic() + WAIT
    while left := [t.name for t in threading.enumerate() if t.name.startswith("cmcseg")]:
        assert time.monotonic() < end, f"left behind: {left}"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def no_crash(a_host):
    """Nothing may be done that would end Slicer."""
    import bench

    bench.CRASHES.clear()
    bench.LOG.clear()
    yield
    assert bench.CRASHES == []
    assert bench.LOG == []


@pytest.fixture
def until(a_host):
    """Lets the window live until something holds."""

    def wait(holds, seconds=WAIT):
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "waited in vain"
            a_host.app.processEvents()
            time.sleep(0.005)

    return wait


@pytest.fixture
def a_worker():
    """Answers within the test."""
    from session_parts import Worker

    return Worker()


@pytest.fixture
def a_desk(a_host, a_panel, a_worker, until):
    """A panel with two scans chosen, ready to segment, and what belongs to it."""
    from inline_runner import InlineRunner
    from mrml_scene import add_volume, ball_scan, box

    grid = box((24, 22, 20), (6.0, 6.0, 7.0))
    desk = types.SimpleNamespace(scene=a_host.scene, worker=a_worker, until=until, grid=grid)
    desk.add = lambda name, modality: add_volume(
        a_host.scene, ball_scan(grid), grid.affine, name, modality=modality
    )
    desk.panel = a_panel(InlineRunner(a_worker))
    desk.ui = desk.panel.ui
    desk.nodes = {"ct": desk.add("CT", "CT"), "mr": desk.add("MR", "MR")}

    def quiet():
        until(lambda: not desk.panel.runner.busy)

    def segmented():
        desk.ui.segmentButton.click()
        until(lambda: desk.panel.segment.result is not None)
        quiet()

    desk.quiet, desk.segmented = quiet, segmented
    until(lambda: len(desk.panel.segment.chosen) == 2)
    quiet()
    return desk


@pytest.fixture
def a_real_desk(a_host, a_panel, until, tmp_path):
    """A panel with two scans chosen and a worker that is a process."""
    from cmcseg.session.process_runner import ProcessRunner
    from mrml_scene import add_volume, ball_scan, box

    panel = a_panel(ProcessRunner(WORKER, logs=tmp_path / "logs"))
    grid = box((24, 22, 20), (6.0, 6.0, 7.0))
    for name in ("CT", "MR"):
        add_volume(a_host.scene, ball_scan(grid), grid.affine, name, modality=name)
    until(lambda: len(panel.segment.chosen) == 2 and not panel.runner.busy)
    return panel
