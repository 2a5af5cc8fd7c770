"""A short form of every class of attack; ``python Testing/attacks/run.py`` is the long one."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from classes import CLASSES
from run import tried

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
SHORT = 8


@pytest.mark.parametrize("name", CLASSES)
def test_attacks_are_held(name):
    assert tried(CLASSES[name], SHORT, seed=0) == []


def test_the_page_names_every_class_and_none_that_got_in():
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \|$", PAGE.read_text("utf-8"), re.M)
    assert {name for name, _, _ in rows} == {*CLASSES, "all"}
    assert all(int(count) == int(held) >= 100 for _, count, held in rows)
