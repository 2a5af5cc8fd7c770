"""Every name of Qt, CTK and Slicer that the desktop uses exists in desktop Slicer 5.13."""

import json
import re
from pathlib import Path

import pytest
from plain_words import untranslated
from slicer_names import ROOT, UI, slicer_files, uses, widgets_of
from slicer_sources import VERSIONS, names_used

API = ROOT.parent / "shared" / "slicer_api.json"
LOOKED_UP = Path(__file__).with_name("slicer_names.txt")
NODES = ("slicer.vtk", "slicer.mrmlScene")
needs_the_list = pytest.mark.skipif(
    not API.exists(), reason="the list of Slicer's names is not at hand"
)


@pytest.fixture(scope="module")
def listed():
    return json.loads(API.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def used():
    widgets = widgets_of(UI)
    files = [*slicer_files(), *sorted((ROOT / "Testing" / "slicer_real").glob("*.py"))]
    return [(path.name, use) for path in files for use in uses(path, widgets)]


def members(listed, owner):
    """What the list says of a class; None when it says nothing."""
    if owner not in listed:
        return None
    names = set(listed[owner])
    if "(+ all of qt.QWidget)" in names:
        names |= set(listed["qt.QWidget"])
    return names | set(listed["qt.QObject"]) if owner.startswith("qt.") else names


def test_the_search_sees_what_a_reader_sees(tmp_path):
    path = tmp_path / "seen.py"
    path.write_text(
        "import qt\n"
        "def show(box: qt.QComboBox, ui):\n"
        "    box.count()\n"
        "    ui.showCheck.toggled.connect(print)\n"
        "    bar = qt.QProgressBar()\n"
        "    bar.nonsense = 3\n"
        "    slicer.util.loadVolume('a', wrong=1)\n",
        encoding="utf-8",
    )
    found = {
        (use.owner, use.member, use.called, use.keywords) for use in uses(path, widgets_of(UI))
    }
    assert ("qt.QComboBox", "count", True, ()) in found
    assert ("qt.QCheckBox", "toggled", False, ()) in found
    assert ("qt.QProgressBar", "nonsense", False, ()) in found
    assert ("slicer.util", "loadVolume", True, ("wrong",)) in found


def test_every_name_of_slicers_stands_in_the_oldest_version_that_we_promise():
    """A new name is looked up in the sources first: run Testing/helpers/slicer_sources.py."""
    lines = LOOKED_UP.read_text(encoding="utf-8").splitlines()
    there = dict(line.split(":") for line in lines if not line.startswith("#"))
    assert set(there) == {f"{owner}.{member}" for owner, member in names_used()}
    every = " ".join(VERSIONS)
    assert {
        name for name, found in there.items() if found.strip() not in (every, "beneath")
    } == set()


@needs_the_list
def test_every_class_and_member_stands_in_the_list(listed, used):
    strange = []
    for name, use in used:
        if use.owner in ("qt", "ctk"):
            known = f"{use.owner}.{use.member}" in listed or use.member == "Qt"
        elif use.owner == "slicer":
            known = use.member.startswith(("vtk", "mrmlScene")) or any(
                key.split("(")[0].startswith(f"slicer.{use.member}") for key in listed
            )
        elif use.owner.startswith(NODES):
            continue  # asked of the real classes below
        elif use.owner == "slicer.modules" and use.member.lower().startswith("cmcseg"):
            continue  # that is us
        elif use.owner == "qt.Qt":
            continue  # the enums, which Slicer's own Python takes from there, are not listed
        else:
            known = use.member in (members(listed, use.owner) or ())
        if not known:
            strange.append(f"{name}:{use.line}: {use.owner}.{use.member}")
    assert strange == []


def test_every_node_class_and_its_members_are_real(used):
    slicer = pytest.importorskip("slicer")
    nodes = [(name, use) for name, use in used if use.owner.startswith("slicer.vtk")]
    assert nodes, "nothing is looked at"
    for name, use in nodes:
        kind = getattr(slicer, use.owner.removeprefix("slicer."))
        assert hasattr(kind, use.member), f"{name}:{use.line}: {use.owner}.{use.member}"


@needs_the_list
def test_keyword_arguments_are_those_of_slicers_functions(listed, used):
    for name, use in used:
        if use.owner in ("slicer.util", "slicer.packaging") and use.keywords:
            signature = listed[use.owner][use.member]
            for word in use.keywords:
                assert re.search(rf"\b{word}\b *[:=]", signature) or "**kwargs" in signature, (
                    f"{name}:{use.line}: {use.member}({word}=...)"
                )


def test_no_property_is_called(used):
    """PythonQt has Qt's properties as attributes; ``button.text()`` raises in Slicer."""
    kinds = {}
    for module in ("QtCore", "QtGui", "QtWidgets"):
        source = pytest.importorskip(f"PySide6.{module}", exc_type=ImportError)
        kinds |= {f"qt.{name}": kind for name, kind in vars(source).items() if name[:1] == "Q"}
    wrong = []
    for name, use in used:
        meta = getattr(kinds.get(use.owner), "staticMetaObject", None)
        if use.called and meta and meta.indexOfProperty(use.member) >= 0:
            wrong.append(f"{name}:{use.line}: {use.owner}.{use.member}()")
    assert wrong == []


def test_every_signal_is_connected_by_name(used):
    """No string signatures, no ``qt.SIGNAL``: a name that does not exist must raise at once."""
    assert not [use for _, use in used if use.member in ("connect", "SIGNAL", "SLOT")]
    for path in slicer_files():
        assert "SIGNAL(" not in Path(path).read_text(encoding="utf-8")


def test_every_sentence_of_the_desktop_can_be_translated():
    plain = {"Phantom CT", "Phantom MR", "Phantom bSSFP", "Phantom LGE", "The CMCSeg developers"}
    assert [line for path in slicer_files() for line in untranslated(path, plain)] == []
