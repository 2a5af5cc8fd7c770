"""Sentences that a user reads and that nobody can translate, found in a file's syntax tree."""

import ast
import re
from pathlib import Path

CALLS = ("_", "translate", "delayDisplay", "skipTest")  # the last two speak to developers
# Of pages, styles and patterns.
MARKS = re.compile(r"[<>=^\\]|font-weight|(background|color|padding): ")


def untranslated(path: Path, plain: set[str] = frozenset()) -> list[str]:
    """Texts of more than a word that do not go through ``_``, with their place.

    Docstrings do not count, nor what looks like code, nor a word that the file translates later.

    Args:
        path: of a Python file.
        plain: texts that stay as they are.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if _is_translated(node)]
    inside = {id(part) for call in calls for part in ast.walk(call)}
    later = {part.value for call in calls for part in call.args if isinstance(part, ast.Constant)}
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        f"{path.name}:{node.lineno}: {node.value}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and " " in node.value.strip()
        and id(node) not in inside | documents
        and node.value not in {*plain, *later}
        and not MARKS.search(node.value)
    ]


def told(path: Path) -> list[ast.expr]:
    """What a file raises as an error of ours, or tells as a failure."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    return [call.args[0] for call in calls if _name(call) in ("BadInput", "CMCSegError", "failed")]


def _is_translated(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name(node) in CALLS


def _name(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))
