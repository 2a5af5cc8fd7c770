"""Long work in small steps: a generator that yields after each and returns its value in the end."""

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
