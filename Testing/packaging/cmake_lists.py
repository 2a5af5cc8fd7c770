"""Writes CMCSegmentation/CMakeLists.txt from what lies on the disk: ``python cmake_lists.py``."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "CMCSegmentation"
TEXT = """# Written by Testing/packaging/cmake_lists.py; a test fails when it is out of date.
set(MODULE_NAME CMCSegmentation)

set(MODULE_PYTHON_SCRIPTS
{scripts}
  )

set(MODULE_PYTHON_RESOURCES
{resources}
  )

slicerMacroBuildScriptedModule(
  NAME ${{MODULE_NAME}}
  SCRIPTS ${{MODULE_PYTHON_SCRIPTS}}
  RESOURCES ${{MODULE_PYTHON_RESOURCES}}
  WITH_GENERIC_TESTS
  )

if(BUILD_TESTING)
  slicer_add_python_unittest(SCRIPT ${{MODULE_NAME}}.py)
endif()
"""


def lists() -> str:
    """The file's text: every script, and everything else, that git would keep."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."]
    told = subprocess.run(command, cwd=MODULE, capture_output=True, text=True, check=True).stdout
    names = sorted(name for name in set(told.split("\n")) if (MODULE / name).is_file())
    names.remove("CMakeLists.txt") if "CMakeLists.txt" in names else None
    scripts = [name for name in names if name.endswith(".py")]
    others = [name for name in names if not name.endswith(".py")]
    return TEXT.format(
        scripts="\n".join(f"  {name}" for name in scripts),
        resources="\n".join(f"  {name}" for name in others),
    )


if __name__ == "__main__":
    (MODULE / "CMakeLists.txt").write_text(lists(), encoding="utf-8", newline="\n")
