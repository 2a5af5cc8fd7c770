"""The panel on real widgets, a real scene and a real worker; runs in a process of its own.

The host changes Qt's classes for good, so nothing else may share its process.
"""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import machine
import pytest

ROOT = Path(__file__).resolve().parents[2]
DESKTOP = ROOT / "CMCSegmentation" / "cmcseg" / "desktop"
UI = ROOT / "CMCSegmentation" / "Resources" / "UI" / "CMCSegmentation.ui"


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
    assert wanted == {"minutes", "device", "align", "overlap", "outOfMemory"}
    assert wanted <= fields


@pytest.fixture
def a_desktop():
    """Libraries of the system that Qt needs."""
    if not machine.panel_loads():
        machine.cannot_test("the panel of the Slicer module", "panel")


@pytest.mark.usefixtures("a_desktop")
def test_the_panel_is_clicked_through_and_leaves_nothing_behind():
    script = ROOT / "Testing" / "slicer_host" / "click_through.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "clicked through"


@pytest.mark.usefixtures("a_desktop")
@pytest.mark.parametrize(
    "names",
    [
        ("doorway",),  # it takes our package out of memory again and again
        (
            "advanced",
            "bad_inputs",
            "beginning",
            "installing",
            "learning",
            "listing",
            "panel_size",
            "preflight",
            "result",
            "reviewing",
            "series",
        ),
        ("presence",),  # it shows a layout and a scan of its own
        ("rehearsal",),  # it opens the module as a real Slicer does
        ("marking",),  # its views draw, and so have a size of their own
        pytest.param(
            ("window",), marks=pytest.mark.alone
        ),  # it measures how long it is kept waiting
    ],
    ids=["doorway", "panel", "presence", "rehearsal", "marking", "window"],
)
def test_every_test_in_the_host_holds(names):
    paths = [str(ROOT / "Testing" / "slicer_host" / f"{name}.py") for name in names]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=580, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout[-6000:]


def test_every_file_of_the_host_is_run():
    files = {path.stem for path in (ROOT / "Testing" / "slicer_host").glob("*.py")}
    text = Path(__file__).read_text(encoding="utf-8")
    others = {"bench", "card_worker", "conftest", "click_through"}
    assert {name for name in files - others if f'"{name}"' not in text} == set()
