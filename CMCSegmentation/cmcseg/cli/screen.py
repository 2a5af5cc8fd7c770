"""What every command shares: the two consoles, the progress bar, folders that appear whole."""

import shutil
import tempfile
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
def new_folder(folder: Path) -> Iterator[Path]:
    """A draft whose files move into ``folder`` when all went well; else nothing is left."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be written: {error.strerror}.") from error
    try:
        yield draft
        folder.mkdir(exist_ok=True)
        for path in draft.iterdir():
            path.replace(folder / path.name)
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def bar(*, quiet: bool = False) -> Iterator[Report]:
    """A progress bar on the terminal's error stream."""
    if quiet:
        yield ignore
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Bar(*columns, TimeRemainingColumn(), console=ERRORS) as shown:
        task = shown.add_task("starting", total=1.0)

        def report(progress: Progress) -> None:
            shown.update(task, description=progress.stage, completed=progress.fraction)

        yield report
