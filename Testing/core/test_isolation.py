"""Nothing in the folder that a program happens to start in becomes part of it."""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cmcseg.core import isolation
from cmcseg.core.isolation import HOME, isolated, isolated_environment, system_program

TRAP = "open({mark!r}, 'a').write(__name__ + ' ')\n"
NAMES = ("json", "os", "runpy", "pkgutil", "importlib", "pathlib", "numpy", "sitecustomize",
         "usercustomize", "site", "encodings", "random", "queue", "cmcseg")  # fmt: skip
VERSIONS = ("3.10", "3.11", "3.12", "3.13")
TELL = "cmcseg.core.isolation"  # needs the standard library alone, and runs in a moment


@functools.cache
def pythons():
    """Every Python of the machine that is one of ours."""
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    for version in VERSIONS:
        places = [shutil.which(f"python{version}")]
        places += (Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python")
        places += Path("/opt/hostedtoolcache/Python").glob(f"{version}.*/*/bin/python")  # of a CI
        for place in map(str, filter(None, places)):
            asked = [place, "-c", "import sys; print(*sys.version_info[:2], sep='.')"]
            told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
            if told == version:
                found.setdefault(version, place)
    return found


@pytest.fixture
def downloads(tmp_path):
    """A folder of somebody's downloads, every module of it a trap."""
    folder, mark = tmp_path / "Downloads", tmp_path / "mark"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(TRAP.format(mark=str(mark)))
    return folder


def started(words, cwd, environment):
    done = subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    mark = cwd.parent / "mark"
    return done, mark.read_text() if mark.exists() else ""


@pytest.mark.parametrize("version", VERSIONS)
def test_no_module_of_the_current_folder_is_run(version, downloads):
    if version not in pythons():
        pytest.skip(f"Python {version} is not on this machine.")
    path = os.pathsep.join(["", ".", "here", ""])  # an empty part is the current folder
    environment = isolated_environment({**os.environ, "PYTHONPATH": path})
    done, ran = started(isolated([pythons()[version]], TELL), downloads, environment)
    assert (done.returncode, done.stderr, ran) == (0, "", "")


def test_without_it_the_trap_is_run(downloads):
    _, ran = started([sys.executable, "-c", "import json"], downloads, dict(os.environ))
    assert ran == "json "


def test_a_program_and_its_own_children_find_this_package_and_their_words(downloads):
    program = (
        "import json, os, subprocess, sys; import cmcseg; "
        "inner = subprocess.run([sys.executable, '-c', 'import cmcseg; print(cmcseg.__file__)'], "
        "capture_output=True, text=True).stdout.strip(); "
        "print(json.dumps([cmcseg.__file__, inner, sys.argv[1:]]))"
    )
    (downloads.parent / "elsewhere").mkdir()
    (downloads.parent / "elsewhere" / "program_of_a_test.py").write_text(program)
    environment = isolated_environment(
        {**os.environ, "PYTHONPATH": str(downloads.parent / "elsewhere")}
    )
    words = [*isolated([sys.executable], "program_of_a_test"), "a", "b c"]
    done, ran = started(words, downloads, environment)
    ours, inner, arguments = json.loads(done.stdout)
    assert Path(ours).parents[1] == HOME
    assert arguments == ["a", "b c"]
    assert ran == ""
    assert Path(inner).parents[1] == HOME or sys.version_info < (3, 11)


def test_on_windows_a_program_of_the_system_is_not_looked_for_in_the_current_folder(monkeypatch):
    assert system_program("nvidia-smi") == "nvidia-smi"
    monkeypatch.setattr(isolation.sys, "platform", "win32")
    monkeypatch.setenv("SYSTEMROOT", "/windows")
    assert system_program("taskkill") == str(Path("/windows/System32/taskkill.exe"))
