"""Long work in small steps: a generator that yields after each and returns its value in the end.

A window that drives one stands still for a step at a time; see ``session.ports.Runner.steps``.
"""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]


def finish(steps: Steps[T]) -> T:
    """Take all steps at once, for those who need not wait for a window."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
