"""Damaged inputs of every kind end in a sentence or in a scan: the short form of ``run.py``."""

import random
import time

import pytest
from fuzz.mutate import mutated
from fuzz.targets import TARGETS

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
