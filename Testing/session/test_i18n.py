"""Every sentence of the sessions and of the scene can be translated, and English is what it was."""

import ast
import subprocess
import symtable
import sys
from pathlib import Path

import cmcseg
import pytest
from plain_words import told, untranslated

PACKAGE = Path(cmcseg.__file__).parent
FILES = [path for name in ("session", "mrml") for path in sorted((PACKAGE / name).glob("*.py"))]
PLAIN = {
    # states of a session, kept in scenes and compared by hosts
    "no scans",
    # names that Slicer gives
    "exit abnormally",
    "Binary labelmap",
    "Closed surface",
    "Segmentation category and type - DICOM master list",
    "Anatomic codes - DICOM master list",
    "CMCSeg doubt",
    "CMCSeg place",
    # words of a result table; the panel translates them
    "not found",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
class TestEveryFile:
    def test_its_sentences_go_through_the_translation(self, path):
        assert untranslated(path, PLAIN) == []

    def test_what_it_tells_is_no_bare_text(self, path):
        bare = [n for n in told(path) if isinstance(n, ast.JoinedStr | ast.Constant)]
        assert [ast.unparse(node) for node in bare if ast.unparse(node) != "''"] == []

    def test_no_variable_hides_the_translation(self, path):
        table = symtable.symtable(path.read_text(encoding="utf-8"), path.name, "exec")
        assert [t.get_name() for t in functions(table) if hides(t)] == []


def functions(table):
    for child in table.get_children():
        yield from functions(child)
        if child.get_type() == "function":
            yield child


def hides(table):
    """Whether a function calls a ``_`` that is not the file's own."""
    names = {symbol.get_name(): symbol for symbol in table.get_symbols()}
    mine = names.get("_")
    return mine is not None and mine.is_referenced() and not mine.is_global()


def test_a_bare_sentence_is_found(tmp_path):
    path = tmp_path / "seen.py"
    path.write_text(
        '"""A file."""\n'
        'raise BadInput(f"{name} is gone.")\n'
        'x = _("It is {a}.")\n'
        'y = "It went away."\n'
        "def f(_):\n    return _('a')\n",
        encoding="utf-8",
    )
    assert untranslated(path) == ["seen.py:4: It went away.", "seen.py:2:  is gone."]
    assert [ast.unparse(node) for node in told(path)] == ["f'{name} is gone.'"]
    table = symtable.symtable(path.read_text(encoding="utf-8"), path.name, "exec")
    assert [t.get_name() for t in functions(table) if hides(t)] == ["f"]


def test_a_session_speaks_slicers_language():
    """In a process of its own, where something that only looks like Slicer translates."""
    program = """
import sys, types
i18n = types.ModuleType("slicer.i18n")
files = []
def tr(text):
    files.append(sys._getframe(1).f_code.co_filename)
    return {"Choose a model; when there is none, import one.": "Bitte ein Modell wählen."}[text]
i18n.tr = tr
slicer = types.ModuleType("slicer")
slicer.i18n = i18n
sys.modules.update({"slicer": slicer, "slicer.i18n": i18n})
from cmcseg.core.signal import Signal
from cmcseg.session.segment import SegmentSession
scene = types.SimpleNamespace(changed=Signal(), removed=Signal(), closed=Signal())
print(SegmentSession(scene, None).why_not())
print(files[0])
"""
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", program],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    sentence, file = done.stdout.splitlines()
    assert sentence == "Bitte ein Modell wählen."
    assert Path(file) == PACKAGE / "session" / "segment.py", "Slicer looks under the caller's name"
