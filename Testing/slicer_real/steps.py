"""What runs the checks in a real Slicer, one after the other, from its own event loop.

A check is a generator function: every ``yield`` gives the window its turn. One that raises, or that
takes longer than it may, is told and the next one begins; a dialog that keeps it waiting is closed;
where Slicer itself stands still, Python's fault handler says where and ends it.
"""

import faulthandler
import sys
import tempfile
import time
import traceback
from pathlib import Path

import qt
import slicer

STEP_MS, WATCH_MS = 10, 250
GRACE = 120.0  # seconds after a check's end until Slicer is taken for dead


class Unmet(Exception):
    """What a check needs is not there."""


class Checks:
    """Runs checks, prints a line each, ends Slicer.

    Args:
        checks: ``(name, generator function, seconds)``; each is called with ``desk``.
        desk: what the checks hand on to each other.
    """

    def __init__(self, checks: list, desk: object) -> None:
        self._waiting, self._desk = list(checks), desk
        self._name, self._now, self._end = "", None, 0.0
        self._inside = False
        self.failed: list[str] = []
        self.lines = Path(tempfile.gettempdir()) / "cmcseg-in-slicer.txt"
        self._file = self.lines.open("w", encoding="utf-8")
        self._timer = qt.QTimer()
        self._timer.setInterval(STEP_MS)
        self._timer.timeout.connect(self._turn)
        # A timer does not fire within its own turn, where a dialog would hold it.
        self._watch = qt.QTimer()
        self._watch.setInterval(WATCH_MS)
        self._watch.timeout.connect(self._close_what_waits)

    def start(self) -> None:
        """Begin; the event loop does the rest."""
        self.note(f"These lines are kept in {self.lines}")
        self._timer.start()
        self._watch.start()

    def note(self, line: str) -> None:
        """A line that is no check; on Windows a program with windows prints nowhere."""
        self._file.write(f"{line}\n")
        self._file.flush()
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def say(self, name: str, holds: object, more: object = "") -> bool:
        """One line a check."""
        told = f": {more}" if more != "" else ""
        self.note(f"{'ok    ' if holds else 'FAILED'}  {name}{told}")
        if not holds:
            self.failed.append(name)
        return bool(holds)

    def end(self, code: int) -> None:
        """Leave; a second call of Slicer's exit would overwrite the first one's code."""
        self._timer.stop()
        self._watch.stop()
        faulthandler.cancel_dump_traceback_later()
        self._file.close()
        slicer.util.exit(code)

    def _turn(self) -> None:
        if self._inside:
            return
        self._inside = True
        try:
            self._go_on()
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            told = str(error) if isinstance(error, Unmet) else repr(error)
            self.say(
                self._name, False, f"{told} (line {where.lineno} of {Path(where.filename).name})"
            )
            self._now = None
        finally:
            self._inside = False

    def _close_what_waits(self) -> None:
        box = slicer.app.activeModalWidget()
        if self._inside and box and time.monotonic() > self._end:
            box.close()

    def _go_on(self) -> None:
        if self._now is None:
            if not self._waiting:
                self.note(f"{len(self.failed)} failed" if self.failed else "all held")
                self.end(1 if self.failed else 0)
                return
            self._name, check, seconds = self._waiting.pop(0)
            self.note(f"      * {self._name}")
            self._now, self._end = check(self._desk), time.monotonic() + seconds
            faulthandler.dump_traceback_later(seconds + GRACE, exit=True, file=self._file)
        try:
            next(self._now)
        except StopIteration:
            self._now = None
            return
        if time.monotonic() > self._end:
            self._now.close()
            raise Unmet("it took longer than it may")


def until(holds, seconds: float):
    """Give the window its turn until something holds; whether it did.

    ``done = yield from until(lambda: ..., 60)``
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        yield
    return True


def settle(seconds: float = 0.5):
    """Let queued events, of fresh views say, take their turn."""
    end = time.monotonic() + seconds
    yield from until(lambda: time.monotonic() > end, seconds + 1)


class Heartbeat:
    """The longest time between two beats of the event loop, in ms."""

    def __init__(self) -> None:
        self._timer = qt.QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._beat)
        self.reset()
        self._timer.start()

    def reset(self) -> None:
        """Begin anew."""
        self._longest, self._last = 0.0, time.perf_counter()

    @property
    def longest(self) -> int:
        """Since ``reset``."""
        return round(1000 * self._longest)

    def _beat(self) -> None:
        now = time.perf_counter()
        self._longest, self._last = max(self._longest, now - self._last), now
