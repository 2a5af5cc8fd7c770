"""The arrows of the house: which folder may import what."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "CMCSegmentation" / "cmcseg"
ALLOWED = {
    "core": ("", "numpy"),
    "imaging": ("core", "numpy SimpleITK pydicom highdicom"),
    "nets": ("core", "numpy torch monai"),
    "losses": ("core", "numpy torch monai"),
    "data": ("core imaging", "numpy torch monai SimpleITK"),
    "bundle": ("core nets", "numpy torch safetensors platformdirs filelock"),
    "learn": (
        "core imaging nets losses data bundle",
        "numpy torch monai safetensors lightning_fabric",
    ),
    "predict": ("core imaging nets bundle", "numpy torch monai safetensors"),
    "batch": ("core imaging data bundle predict queue report", "torch filelock ray"),
    "report": ("core", "numpy matplotlib jinja2 PIL tensorboardX"),
    "study": ("core data learn nets report", "numpy torch tomli"),
    "queue": ("core imaging", "numpy"),
    "api": ("core imaging data bundle learn predict queue report", "numpy"),
    "worker": (
        "core imaging nets data bundle learn predict queue report",
        "numpy torch PIL",
    ),
    "session": ("core queue", "numpy slicer.i18n"),
    "mrml": ("core session", "numpy vtk slicer"),
    "desktop": (
        "core session mrml",
        "DICOMLib PyTorchUtils SampleData qt ctk slicer vtk numpy psutil",
    ),
    "web": (
        "core session mrml",
        "trame trame_server trame_slicer wslink undo_stack aiohttp vtk slicer numpy",
    ),
    "cli": (
        "core imaging nets losses data bundle batch learn predict report queue study worker web",
        "numpy torch tyro rich psutil",
    ),
}
FILES = sorted(p for folder in ALLOWED for p in (PACKAGE / folder).rglob("*.py"))


def imported(source: str) -> set[str]:
    """Dotted names that a file imports, at any depth."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def strangers(source: str, folder: str) -> set[str]:
    """Imports that the folder may not have."""
    ours, outside = (words.split() for words in ALLOWED[folder])
    wrong = set()
    for name in imported(source):
        top, _, rest = name.partition(".")
        if top == "cmcseg":
            room = rest.partition(".")[0]
            fine = not room or room == folder or room in ours
        else:
            fine = bool({top, name} & {*outside, *sys.stdlib_module_names})
        if not fine:
            wrong.add(name)
    return wrong


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_folder_may(path):
    folder = path.relative_to(PACKAGE).parts[0]
    assert strangers(path.read_text(encoding="utf-8"), folder) == set()


def test_a_wrong_import_is_found():
    assert strangers("from cmcseg.learn.loop import fit\nimport qt", "core") == {
        "cmcseg.learn.loop",
        "qt",
    }


def test_of_slicer_a_session_may_have_the_words_alone():
    assert strangers("from slicer.i18n import tr\nimport slicer", "session") == {"slicer"}


def test_every_folder_with_code_stands_in_the_table():
    folders = {p.name for p in PACKAGE.iterdir() if p.is_dir() and list(p.glob("*.py"))}
    assert folders <= set(ALLOWED)
