"""What every command shares: the two consoles and the progress bar."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Progress, Report, ignore

T = TypeVar("T")
ERRORS = Console(stderr=True)
SCREEN = Console()
LINE_SECONDS = 60.0  # between two lines of a log


def fail(sentence: str, code: int) -> None:
    """Tell the person one sentence and leave with the code."""
    ERRORS.print(sentence, style="red", soft_wrap=True, markup=False, highlight=False)
    raise SystemExit(code)


def checked(settings: type[T], **values: object) -> T:
    """Settings, with a refused value told as bad input."""
    try:
        return settings(**values)
    except ValueError as error:
        raise BadInput(str(error)) from error


@contextmanager
def bar(*, quiet: bool = False) -> Iterator[Report]:
    """A progress bar on the terminal's error stream; lines now and then where it is no terminal."""
    if quiet:
        yield ignore
        return
    if not ERRORS.is_terminal:
        yield _lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Bar(*columns, TimeRemainingColumn(), console=ERRORS) as shown:
        task = shown.add_task("starting", total=1.0)

        def report(progress: Progress) -> None:
            shown.update(task, description=progress.stage, completed=progress.fraction)

        try:
            yield report
        except BaseException:
            shown.live.transient = True  # the sentence that comes now stands alone
            raise
        shown.update(task, description="done", completed=1.0)


def _lines() -> Report:
    """For a log: a line when the work begins and ends, and at most one a minute in between."""
    last = [-LINE_SECONDS]

    def report(progress: Progress) -> None:
        now = time.monotonic()
        if progress.fraction >= 1 or now - last[0] >= LINE_SECONDS:
            last[0] = now
            clock = time.strftime("%H:%M:%S")
            ERRORS.print(
                f"{clock} {progress.fraction:4.0%} {progress.stage}", soft_wrap=True, markup=False
            )

    return report
