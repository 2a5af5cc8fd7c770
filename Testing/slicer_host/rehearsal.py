"""The script for a real Slicer is played on the stand-ins, as far as they go.

It is there to be right the first time: a misspelt name, a forgotten ``yield`` or an exit code that
is overwritten shows here. What it finds wrong with Slicer it can find in a real one alone.
"""

import sys
import time
import types
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REAL = HERE.parent / "slicer_real"
WORKER = [sys.executable, str(HERE / "card_worker.py"), "--lasting"]


@pytest.fixture
def a_script(a_host, monkeypatch, tmp_path):
    """``drive.py``, loaded in a host that has what it asks for and nothing more."""
    import qt
    import slicer

    monkeypatch.setitem(sys.modules, "ctk", types.ModuleType("ctk"))
    monkeypatch.setattr(qt.QTimer, "singleShot", lambda *_when: None)
    monkeypatch.syspath_prepend(str(REAL))
    log = tmp_path / "slicer.log"
    log.write_text("", encoding="utf-8")
    facts = {
        "applicationVersion": "0",
        "repositoryRevision": "0",
        "activeModalWidget": lambda: None,
    }
    for name, value in facts.items():
        monkeypatch.setattr(slicer.app, name, value, raising=False)
    monkeypatch.setattr(
        slicer.app, "errorLogModel", lambda: types.SimpleNamespace(filePath=str(log)), raising=False
    )
    codes = []
    monkeypatch.setattr(slicer.util, "exit", codes.append, raising=False)
    import drive
    import steps

    monkeypatch.setattr(steps.tempfile, "gettempdir", lambda: str(tmp_path))
    yield types.SimpleNamespace(drive=drive, steps=steps, codes=codes)
    for path in REAL.glob("*.py"):
        sys.modules.pop(path.stem, None)


def played(script, host, checks, seconds=120.0):
    """The lines of some checks, to their end."""
    desk = script.drive.Desk()
    desk.checks = runner = script.steps.Checks(checks, desk)
    runner.start()
    end = time.monotonic() + seconds
    while not script.codes:
        assert time.monotonic() < end, runner.lines.read_text(encoding="utf-8")
        host.app.processEvents()
        time.sleep(0.002)
    return runner.lines.read_text(encoding="utf-8").splitlines()


def test_every_check_has_its_line_and_the_first_exit_code_counts(a_script, a_host):
    def good(desk):
        yield
        desk.say("this holds", True, 7)

    def bad(desk):
        yield
        desk.say("this does not", False)

    def raising(desk):
        yield
        raise KeyError("gone")

    def endless(desk):
        while True:
            yield

    checks = [("a", bad, 5), ("b", raising, 5), ("c", endless, 0.05), ("d", good, 5)]
    lines = played(a_script, a_host, checks)
    told = [line for line in lines[1:] if not line.startswith("      *")]
    assert told[0] == "FAILED  this does not"
    assert told[1].startswith("FAILED  b: KeyError('gone') (line ")
    assert told[2].startswith("FAILED  c: it took longer than it may")
    assert told[3:] == ["ok      this holds: 7", "3 failed"]
    assert a_script.codes == [1]


def test_where_all_holds_the_exit_code_is_zero(a_script, a_host):
    def good(desk):
        desk.say("this holds", True)
        yield

    assert played(a_script, a_host, [("a", good, 5)])[-1] == "all held"
    assert a_script.codes == [0]


def test_a_dialog_that_holds_a_check_up_is_closed(a_script, a_host, monkeypatch):
    import slicer

    closed = []
    box = types.SimpleNamespace(close=lambda: closed.append(True))
    monkeypatch.setattr(slicer.app, "activeModalWidget", lambda: box)

    def asking(desk):
        """As ``exec()`` of a dialog: it comes back when that is closed."""
        end = time.monotonic() + 20
        while not closed and time.monotonic() < end:
            a_host.app.processEvents()
        yield
        desk.say("it went on", bool(closed))

    lines = played(a_script, a_host, [("a", asking, 0.05)])
    assert closed
    assert lines[-1] == "1 failed", "it took longer than it may"


def test_without_the_extension_the_script_says_so(a_script, a_host, monkeypatch):
    import slicer

    monkeypatch.delattr(slicer.modules, "cmcsegmentation", raising=False)
    a_script.drive.main()
    assert a_script.codes == [2], "and nothing overwrites it"


def test_a_users_hour_is_played(a_script, a_host, monkeypatch, tmp_path):
    """The checks run from their first line to their last."""
    import slicer
    from cmcseg.desktop import panel as panel_file
    from cmcseg.session.process_runner import ProcessRunner
    from mrml_scene import add_volume, ball_scan, box

    drive, parts = a_script.drive, a_script.drive.parts
    grid = box((24, 22, 20), (6.0, 6.0, 7.0))

    def sample():
        return [
            add_volume(a_host.scene, ball_scan(grid), grid.affine, name, modality=name)
            for name in ("CT", "MR")
        ]

    def stroke(widget, start, end):
        """Draw a cube into the organ in hand."""
        editor = desk.panel._review._editor
        node = editor.segmentationNode()
        editor.saveStateForUndo()
        image = (
            node.GetSegmentation().GetSegment(editor.segment).GetRepresentation("Binary labelmap")
        )
        low = image.GetExtent()
        for k in range(3):
            image.SetScalarComponentFromDouble(low[0], low[2], low[4] + k, 0, 1)
        image.Modified()
        node.GetSegmentation().InvokeEvent(slicer.vtkSegmentation.SourceRepresentationModified)

    def undo(editor):
        editor.node.GetSegmentation().DeepCopy(editor.states.pop())
        editor.node.GetSegmentation().InvokeEvent(
            slicer.vtkSegmentation.SourceRepresentationModified
        )

    monkeypatch.setattr(slicer.qMRMLSegmentEditorWidget, "undo", undo)
    monkeypatch.setattr(parts, "MODEL", "tiny")
    monkeypatch.setattr(parts, "sample", sample)
    monkeypatch.setattr(parts, "colours", lambda tag: 99)
    monkeypatch.setattr(slicer.util, "clickAndDrag", stroke, raising=False)

    def select(name):
        widget = slicer.modules.CMCSegmentationWidget
        (widget.enter if name == "CMCSegmentation" else widget.exit)()

    monkeypatch.setattr(slicer.util, "selectModule", select, raising=False)
    monkeypatch.setattr(slicer.util, "pythonShell", lambda: a_host.window.console, raising=False)
    monkeypatch.setattr(sys.modules["qt"].QDesktopServices, "openUrl", lambda _url: True)
    monkeypatch.setattr(
        panel_file, "ProcessRunner", lambda _python: ProcessRunner(WORKER, logs=tmp_path / "logs")
    )
    four = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    slicer.app.layoutManager().setLayout(four)
    with monkeypatch.context() as away:
        away.setattr(Path, "home", classmethod(lambda _cls: tmp_path))
        a_host.open_module()
    desk = drive.Desk()
    slicer.modules.CMCSegmentationWidget.enter()
    wanted = (  # the tests' worker compares no scans and writes no report
        "cancel", "a worker that dies", "segment", "side by side", "review", "paint", "accept",
        "another module",
    )  # fmt: skip

    def begin(desk):
        sample()
        yield from a_script.steps.until(lambda: len(desk.panel.segment.chosen) == 2, 30)
        desk.before = parts.pose("Red")

    checks = [("begin", begin, 60), *(check for check in drive.CHECKS if check[0] in wanted)]
    try:
        lines = played(a_script, a_host, checks, 500.0)
    finally:
        slicer.modules.CMCSegmentationWidget.cleanup()
        a_host.scene.Clear(0)
    assert len([line for line in lines if line.startswith("      *")]) == len(wanted) + 1
    raised = [line for line in lines if "(line " in line]
    assert raised == [], "\n".join(lines)
    failed = [line for line in lines if line.startswith("FAILED")]
    beyond = ["FAILED  a ring marks the place in either scan: 1"]  # nothing was aligned
    assert failed == beyond, "\n".join(lines)
