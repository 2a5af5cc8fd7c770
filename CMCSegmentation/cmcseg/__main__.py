"""``python -m cmcseg`` is the command ``cmcseg``."""

import sys
from pathlib import Path

# Python puts the current folder first; a numpy.py that happens to lie there is not what is meant.
if not getattr(sys.flags, "safe_path", False) and Path(sys.path[0]) == Path.cwd():
    del sys.path[0]

from cmcseg.cli import main

main()
