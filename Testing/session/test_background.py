"""What is told to the window comes in pieces that it does not notice."""

import time

import pytest
from cmcseg.session.background import SLICE_SECONDS, BackgroundTasks


@pytest.fixture
def some_tasks():
    """Tasks whose thread ends with the test."""
    tasks = BackgroundTasks()
    yield tasks
    tasks.close()


def test_two_slow_answers_are_not_told_in_one_turn_of_the_window(some_tasks):
    told = []

    def slow(value):
        told.append(value)
        end = time.perf_counter() + 2 * SLICE_SECONDS
        while time.perf_counter() < end:
            pass

    def steps():
        yield
        return "steps"

    for name in ("first", "second"):
        some_tasks.aside(lambda name=name: name, slow, pytest.fail)
    some_tasks.steps(steps(), told.append, pytest.fail)
    end = time.monotonic() + 30
    while some_tasks._news.qsize() < 2 and time.monotonic() < end:
        time.sleep(0.01)
    after = []
    while some_tasks.busy and time.monotonic() < end:
        some_tasks.pump()
        after.append(len(told))
    assert told == ["first", "second", "steps"]
    assert after == [1, 2, 3]
