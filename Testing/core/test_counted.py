"""A number with its noun."""

import ast
import re
from pathlib import Path

import cmcseg
import pytest
from cmcseg.core.counted import counted

# A count before a plural, in a sentence that is put together: "1 corrected pairs" is none.
PLURAL = re.compile(
    r"^ (more |new |corrected )*(pairs|scans|cases|entries|slices|files|folders|keys)\b(?! a )"
)
ALWAYS_MORE = {"uploads.py", "queue_next.py", "noninferiority.py"}  # of a limit, or refused counts


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 pairs"), (1, "1 pair"), (2, "2 pairs"), (1200, "1200 pairs")]
)
def test_one_is_told_in_the_singular(number, told):
    assert counted(number, "pair") == told


def test_a_noun_without_an_s_is_given():
    assert counted(1, "entry is", "entries are") == "1 entry is"
    assert counted(3, "entry is", "entries are") == "3 entries are"


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
