"""Counts in sentences: one is told in the singular."""

import ast
import re
from pathlib import Path

import cmcseg

# A count before a plural, in a sentence that is put together: "1 corrected pairs" is none.
PLURAL = re.compile(
    r"^ (more |new |corrected )*(pairs|scans|cases|entries|slices|files|folders|keys)\b(?! a )"
)
ALWAYS_MORE = {"uploads.py", "queue_next.py", "noninferiority.py"}  # of a limit, or refused counts


def test_no_sentence_counts_by_itself():
    found = []
    for path in Path(cmcseg.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = zip(node.values, node.values[1:], strict=False)
                found += [
                    f"{path.name}:{node.lineno}"
                    for before, after in parts
                    if isinstance(before, ast.FormattedValue)
                    and isinstance(after, ast.Constant)
                    and PLURAL.match(str(after.value))
                    and path.name not in ALWAYS_MORE
                ]
    assert found == []
