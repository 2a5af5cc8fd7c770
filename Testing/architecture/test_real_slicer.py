"""The script that drives a real Slicer names what is there; no test can run it here."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = sorted((ROOT / "Testing" / "slicer_real").glob("*.py"))
OURS = ROOT / "CMCSegmentation"
HOLDERS = (
    "ui",
    "panel",
    *(f"panel.{part}" for part in ("segment", "review", "learn", "runner")),
    *(f"panel.{part}" for part in ("_result", "_review", "_learn", "_learn._comparison")),
)


def named():
    """``(holder, name)`` of every part of the extension that the script reaches for."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SCRIPT]
    found = {
        (ast.unparse(node.value).removeprefix("desk."), node.attr)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value).removeprefix("desk.") in HOLDERS
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


def test_the_script_is_plain_ascii():
    """Slicer reads it in the system's own encoding, which on Windows is not UTF-8."""
    for path in SCRIPT:
        assert path.read_bytes().isascii(), path.name
