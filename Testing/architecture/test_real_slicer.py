"""The script that drives a real Slicer names what is there; no test can run it here."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRIVE = ROOT / "Testing" / "slicer_real" / "drive.py"
OURS = ROOT / "CMCSegmentation"
HOLDERS = ("ui", "panel", "panel.segment", "panel.review", "panel.learn")


def named():
    """``(holder, name)`` of every part of the extension that the script reaches for."""
    tree = ast.parse(DRIVE.read_text(encoding="utf-8"))
    found = {
        (ast.unparse(node.value), node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in HOLDERS
    }
    return sorted(found)


@pytest.mark.parametrize(("holder", "name"), named())
def test_what_the_script_reaches_for_is_there(holder, name):
    form = (OURS / "Resources" / "UI" / "CMCSegmentation.ui").read_text(encoding="utf-8")
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("desktop", "session")
        for path in (OURS / "cmcseg" / folder).glob("*.py")
    )
    code += (OURS / "CMCSegmentation.py").read_text(encoding="utf-8")
    if holder == "ui":
        there = f'name="{name}"' in form or f'"{name}"' in code or f"ui.{name} =" in code
    else:
        there = re.search(rf"self\.{name}\b.*=|def {name}\(|^    {name}:", code, re.MULTILINE)
    assert there, f"{holder}.{name}"
