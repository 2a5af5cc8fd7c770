"""Which members of Qt, CTK and Slicer classes a module uses, found in its syntax tree.

A name's class is known where the code says it: ``button: qt.QWidget``, ``box = qt.QComboBox()``,
``self._timer = qt.QTimer()``, ``ui.NAME`` (from the .ui file) and what is built of those.
"""

import ast
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "CMCSegmentation"
UI = MODULE / "Resources" / "UI" / "CMCSegmentation.ui"
ROOTS = ("qt", "ctk", "slicer")
# What a call of a member gives, where the code goes on with it.
GIVES = {
    "slicer.app.layoutManager": "slicer.app.layoutManager()",
    "slicer.app.layoutManager().sliceWidget": "slicer.qMRMLSliceWidget",
}
# What a member is, where the code goes on with it.
IS = {"slicer.mrmlScene": "slicer.vtkMRMLScene"}


def slicer_files() -> list[Path]:
    """The files that speak to Qt and to Slicer's application."""
    return [*sorted((MODULE / "cmcseg" / "desktop").glob("*.py")), MODULE / "CMCSegmentation.py"]


def widgets_of(ui_file: Path) -> dict[str, str]:
    """Class by name of every widget of a .ui file, and of its layout by ``NAME.layout``."""
    found = {}
    for widget in ET.parse(ui_file).iter("widget"):
        kind = widget.get("class")
        home = {"c": "ctk", "q": "slicer", "Q": "qt"}[kind[0]]
        found[widget.get("name")] = f"{home}.{kind}"
        if (layout := widget.find("layout")) is not None:
            found[f"{widget.get('name')}.layout"] = f"qt.{layout.get('class')}"
    return found


@dataclass(frozen=True)
class Use:
    """A member that is used.

    Attributes:
        line: where.
        owner: the class or module it belongs to.
        member: its name.
        called: whether it is called.
        keywords: of the call.
    """

    line: int
    owner: str
    member: str
    called: bool = False
    keywords: tuple[str, ...] = ()


def uses(path: Path, widgets: dict[str, str]) -> Iterator[Use]:
    """All that one file uses."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    attributes = _assigned(tree, widgets, {})  # self._timer, the same in the whole file
    for scope in _scopes(tree):
        names = {**attributes, **_of_arguments(scope), **_assigned(scope, widgets, attributes)}
        nodes = list(_own_nodes(scope))
        calls = {id(node.func): node for node in nodes if isinstance(node, ast.Call)}
        for node in nodes:
            owner = _kind(node.value, widgets, names) if isinstance(node, ast.Attribute) else ""
            if owner:
                call = calls.get(id(node))
                words = tuple(k.arg for k in call.keywords if k.arg) if call else ()
                yield Use(node.lineno, owner, node.attr, call is not None, words)


def _scopes(tree: ast.Module) -> list[ast.AST]:
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.Lambda)]
    return [tree, *functions]


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope without those of the functions within it; lambdas see its names."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef):
            waiting.extend(ast.iter_child_nodes(node))


def _of_arguments(scope: ast.AST) -> dict[str, str]:
    if not isinstance(scope, ast.FunctionDef):
        return {}
    notes = {a.arg: a.annotation for a in (*scope.args.args, *scope.args.kwonlyargs)}
    return {name: _dotted(note) for name, note in notes.items() if note and _rooted(_dotted(note))}


def _assigned(scope: ast.AST, widgets: dict, known: dict) -> dict[str, str]:
    """Class by name of what is built in a scope: ``box = qt.QComboBox()``."""
    found = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            kind = _kind(node.value, widgets, known)
            name = _dotted(node.targets[0])
            if kind and name and (name.startswith("self.") or not isinstance(scope, ast.Module)):
                found[name] = kind
    return found


def _kind(node: ast.AST, widgets: dict, names: dict) -> str:
    """The class or module that an expression is, or empty."""
    if isinstance(node, ast.Call):
        called = _dotted(node.func).removeprefix("self._").removeprefix("self.")
        owner = (
            _kind(node.func.value, widgets, names) if isinstance(node.func, ast.Attribute) else ""
        )
        if owner and f"{owner}.{node.func.attr}" in GIVES:
            return GIVES[f"{owner}.{node.func.attr}"]
        if called.startswith("ui.") and called.endswith(".layout"):
            return widgets.get(called[3:], "")
        last = called.rpartition(".")[2]
        built = _rooted(called) and (last.startswith(("Q", "ctk", "qMRML")))
        return called if built else ""
    name = _dotted(node)
    plain = name.removeprefix("self._").removeprefix("self.")
    if plain.startswith("ui.") and plain[3:] in widgets:
        return widgets[plain[3:]]
    plain_name = name if _rooted(name) and name.count(".") <= 1 else ""
    return names.get(name) or IS.get(name) or plain_name


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = _dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""


def _rooted(name: str) -> bool:
    return name.split(".")[0] in ROOTS
