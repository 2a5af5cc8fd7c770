"""How a Python of ours is started: with this package, and with nothing of the folder it starts in.

``python -m`` and ``python -c`` look for modules in the current folder first, so that a file
``json.py`` among somebody's downloads would be run. ``-I`` forbids that, but it forgets PYTHONHOME
and PYTHONPATH as well, without which Slicer's Python does not start, and the packages that were
installed for one user only; ``-P`` does neither, but Python 3.10 has no such option. So the first
statement of the program mends the path, before anything else is imported.
"""

import os
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]  # what must be on the path for ``import cmcseg``
# ``sys`` is built in: no file can stand in for it.
_START = (
    "import sys; sys.path[:] = [sys.argv[1], *filter(None, sys.path)]; name = sys.argv[2]; "
    "del sys.argv[1:3]; import runpy; runpy.run_module(name, run_name='__main__', alter_sys=True)"
)


def isolated(python: list[str], module: str) -> list[str]:
    """The words that start a module as a program; its own arguments follow them.

    Args:
        python: the Python to start, with its options.
        module: dotted name, as after ``-m``.
    """
    return [*python, "-c", _START, str(HOME), module]


def isolated_environment(environment: dict[str, str]) -> dict[str, str]:
    """The environment for such a program and all that it starts in turn.

    PYTHONPATH begins with this package and keeps none but absolute folders: an empty part means the
    current one.
    """
    given = environment.get("PYTHONPATH", "").split(os.pathsep)
    paths = [str(HOME), *(path for path in given if path and Path(path).is_absolute())]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}


def system_program(name: str) -> str:
    """What starts a program of the system.

    On Windows that is its whole path, as programs are looked for in the current folder first.
    """
    if sys.platform != "win32":
        return name
    return str(Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", f"{name}.exe"))
