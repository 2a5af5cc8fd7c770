"""What every command shares: the two consoles, the progress bar, folders that appear whole."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written before any work is done for it.

    Raises:
        BadInput: when it is a file, or cannot be made or written.
    """
    folder = folder.expanduser().absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise BadInput(f"{there} is a file, not a folder; give another place for the results.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise BadInput(f"{there} may not be written; give another place for the results.")


@contextmanager
def new_folder(folder: Path, former: tuple[str, ...] = ()) -> Iterator[Path]:
    """A draft whose files move into ``folder`` when all went well; else all is as it was.

    Args:
        folder: made if it is missing; files in it that are neither in the draft nor ``former``
            stay.
        former: names that an earlier run may have left; they go when the new files come, so that
            results of two runs never stand side by side.

    Raises:
        BadInput: when the folder cannot be made or written.
    """
    check_folder(folder)
    folder = folder.expanduser()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be written: {error.strerror}.") from error
    try:
        (draft / "new").mkdir()
        (draft / "old").mkdir()
        yield draft / "new"
        _exchange(draft / "new", draft / "old", folder, former)
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _exchange(new: Path, old: Path, folder: Path, former: tuple[str, ...]) -> None:
    """Move what is in the way to ``old`` and the new files in; on an error move all back."""
    folder.mkdir(exist_ok=True)
    names = sorted(path.name for path in new.iterdir())
    done: list[tuple[Path, Path]] = []
    try:
        for name in sorted({*names, *former}):
            if (folder / name).is_dir():
                raise IsADirectoryError(0, f"there is a folder called {name} in it")
            if (folder / name).exists():
                done.append(((folder / name).rename(old / name), folder / name))
        for name in names:
            done.append(((new / name).rename(folder / name), new / name))
    except OSError:
        for now, before in reversed(done):
            now.rename(before)
        raise


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
