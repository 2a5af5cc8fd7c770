"""The drawing in ``docs/architecture.md`` shows the imports that there are."""

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_drawing_is_that_of_the_imports():
    command = [sys.executable, str(DOCS / "draw_imports.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_file_that_the_pages_name_is_there():
    package = DOCS.parent / "CMCSegmentation" / "cmcseg"
    named = {
        name
        for page in ("architecture.md", "glossary.md")
        for name in re.findall(
            r"`([a-z_]+/[a-z_/]+\.py)`", (DOCS / page).read_text(encoding="utf-8")
        )
        if not name.startswith("docs/")
    }
    assert sorted(name for name in named if not (package / name).exists()) == []
