"""The panel on real widgets, a real scene and a real worker; runs in a process of its own.

The host changes Qt's classes for good, so nothing else may share its process.
"""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DESKTOP = ROOT / "CMCSegmentation" / "cmcseg" / "desktop"
UI = ROOT / "CMCSegmentation" / "Resources" / "UI" / "CMCSegmentation.ui"
API = ROOT.parent / "shared" / "slicer_api.json"


def test_every_widget_that_is_used_stands_in_the_ui_file():
    names = {widget.get("name") for widget in ET.parse(UI).iter("widget")}
    used = set()
    for path in DESKTOP.glob("*.py"):
        used |= set(re.findall(r"\bui\.(\w+)", path.read_text(encoding="utf-8")))
    assert used - names == set()


def test_every_parameter_of_the_ui_is_a_choice():
    text = (DESKTOP / "parameters.py").read_text(encoding="utf-8")
    fields = set(re.findall(r"^    (\w+): ", text, flags=re.M))
    root = ET.parse(UI).getroot()
    wanted = {
        item.findtext("string")
        for item in root.iter("property")
        if item.get("name") == "SlicerParameterName"
    }
    assert wanted == {"minutes", "device", "align", "overlap"}
    assert wanted <= fields


@pytest.mark.skipif(not API.exists(), reason="the list of Slicer's names is not at hand")
def test_every_name_of_slicers_stands_in_its_list():
    listed = json.loads(API.read_text(encoding="utf-8"))
    paths = [*DESKTOP.glob("*.py"), ROOT / "CMCSegmentation" / "CMCSegmentation.py"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    for name in set(re.findall(r"\bqt\.(Q\w+)", text)):
        assert f"qt.{name}" in listed, name
    for name in set(re.findall(r"slicer\.util\.(\w+)", text)):
        assert name in listed["slicer.util"], name
    for name in set(re.findall(r"slicer\.app\.(\w+)", text)):
        assert name in listed["slicer.app"], name
    # self._editor.NAME is the embedded segment editor everywhere.
    editor = listed["slicer.qMRMLSegmentEditorWidget"]
    for name in set(re.findall(r"_editor\.(\w+)", text)):
        assert name in editor, name


def qt_loads():
    """PySide6 may be installed while the system lacks a library that it needs (libEGL, say)."""
    words = [sys.executable, "-c", "import PySide6.QtWidgets"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not qt_loads(), reason="PySide6 or a system library it needs is missing")
def test_the_panel_is_clicked_through_and_leaves_nothing_behind():
    script = ROOT / "Testing" / "slicer_host" / "click_through.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "clicked through"
