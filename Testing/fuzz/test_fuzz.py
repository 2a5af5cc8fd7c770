"""Damaged inputs of every kind end in a sentence or in a scan: the short form of ``run.py``."""

import random
import re
import time
from pathlib import Path

import pytest
from fuzz.mutate import mutated
from fuzz.targets import TARGETS

PAGE = Path(__file__).parents[2] / "docs" / "reading.md"
INPUTS, SLOW = 60, 10.0  # of each kind, seconds


@pytest.mark.filterwarnings("ignore")  # what libraries find odd is no fault here
@pytest.mark.parametrize("name", TARGETS)
def test_no_damaged_input_breaks_its_reader(name):
    if name in ("zip", "first_bytes", "websocket"):
        pytest.importorskip("aiohttp")
    dice = random.Random(name)
    for seed in TARGETS[name].seeds:
        TARGETS[name].ask(seed)
    for _ in range(INPUTS):
        data = mutated(dice.choice(TARGETS[name].seeds), dice)
        began = time.monotonic()
        TARGETS[name].ask(data)
        assert time.monotonic() - began < SLOW


def test_the_page_tells_of_every_reader_and_none_broke():
    row = re.compile(r"^\| (\w+) \| ([\d,]+) \| ([\d,]+) \| [\d.]+ \| none \|$", re.M)
    rows = row.findall(PAGE.read_text("utf-8").partition("## Fuzzing")[2])
    assert {name for name, *_ in rows} == set(TARGETS)
    assert all(int(count.replace(",", "")) >= 500 for *_, count in rows)
