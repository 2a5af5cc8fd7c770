import subprocess
import sys
from pathlib import Path

import cmcseg
import pytest

PACKAGE = Path(cmcseg.__file__).parent
MODULES = [
    ".".join(("cmcseg", *path.relative_to(PACKAGE).with_suffix("").parts))
    for folder in ("core", "session", "mrml")
    for path in sorted((PACKAGE / folder).glob("*.py"))
]


@pytest.mark.parametrize("absent", ["torch monai SimpleITK safetensors tyro rich scipy"])
def test_a_slicer_without_torch_can_import_all_that_a_window_needs(absent):
    program = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent.split()!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
for name in {MODULES!r}:
    __import__(name)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
