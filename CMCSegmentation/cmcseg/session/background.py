"""Small work beside the worker: generators in slices of the host's time, and functions in a thread.

Nothing here may hold Python's lock for long: a C function that keeps it stops the window, whatever
thread it runs in.
"""

import queue
import threading
import time
from collections.abc import Callable

from cmcseg.core.errors import CMCSegError
from cmcseg.core.steps import Steps
from cmcseg.session.i18n import _

SLICE_SECONDS = 0.015  # of one pump; a frame of the screen lasts about as long

Done = Callable[[object], None]
Failed = Callable[[str, str], None]


class BackgroundTasks:
    """A line of generators and a thread, both told on the thread that calls ``pump``."""

    def __init__(self) -> None:
        self._generators: list[tuple[Steps, Done, Failed]] = []
        self._wanted: queue.SimpleQueue = queue.SimpleQueue()
        self._news: queue.SimpleQueue = queue.SimpleQueue()
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._pending = 0
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether anything is still to be told."""
        return bool(self._generators) or self._pending > 0

    def steps(self, work: Steps, done: Done, failed: Failed) -> None:
        """Drive a generator; what it returns is told to ``done``."""
        self._generators.append((work, done, failed))

    def aside(self, work: Callable[[], object], done: Done, failed: Failed) -> None:
        """Run a function in a thread; what it returns is told to ``done``."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="cmcseg-aside", daemon=True)
            self._thread.start()
        self._pending += 1
        self._wanted.put((work, done, failed))

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call a function after a pause; nobody is kept busy by it."""
        self._later.append((time.monotonic() + seconds, call))

    def pump(self) -> None:
        """Tell what is done, and go on with the first generator, for a moment in all.

        What comes after that moment waits for the next call: a table, views and a measurement that
        are told at once would stop the window together.
        """
        until = time.perf_counter() + SLICE_SECONDS
        due = [item for item in self._later if item[0] <= time.monotonic()]
        for item in due:
            self._later.remove(item)
            item[1]()
        while not self._news.empty() and time.perf_counter() < until:
            self._pending -= 1
            tell, values = self._news.get()
            tell(*values)
        if self._generators and time.perf_counter() < until:
            self._advance(until)

    def close(self) -> None:
        """Forget everything; the thread ends after the function it runs."""
        self._generators.clear()
        self._later.clear()
        self._wanted.put(None)
        self._thread = None

    def _advance(self, until: float) -> None:
        work, done, failed = self._generators[0]
        try:
            while time.perf_counter() < until:
                next(work)
        except StopIteration as end:
            self._generators.pop(0)
            done(end.value)
        except Exception as error:
            self._generators.pop(0)
            failed(sentence_of(error), "")

    def _run(self) -> None:
        while (item := self._wanted.get()) is not None:
            work, done, failed = item
            try:
                self._news.put((done, (work(),)))
            except Exception as error:
                self._news.put((failed, (sentence_of(error), "")))


def sentence_of(error: Exception) -> str:
    """What a person reads of an error: our own words, or its kind and words."""
    if isinstance(error, CMCSegError):
        return str(error)
    if isinstance(error, MemoryError):
        return _("The memory is full; close other programs and try again.")
    sentence = _("Something unforeseen happened ({kind}: {words}); please report it.")
    return sentence.format(kind=type(error).__name__, words=error)
