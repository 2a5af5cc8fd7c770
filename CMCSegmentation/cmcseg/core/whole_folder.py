"""Folders whose files appear together, when all went well."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.user_path import user_path


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written before any work is done for it.

    Raises:
        BadInput: when it is a file, or cannot be made or written.
    """
    folder = user_path(folder).absolute()
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
    folder = user_path(folder)
    with _draft(folder, "The folder") as draft:
        (draft / "new").mkdir()
        (draft / "old").mkdir()
        yield draft / "new"
        _exchange(draft / "new", draft / "old", folder, former)


@contextmanager
def fresh_folder(folder: Path, what: str = "The folder") -> Iterator[Path]:
    """A draft that becomes ``folder``, which must not exist yet, when all went well.

    Args:
        folder: where it shall lie.
        what: how messages call it.

    Raises:
        BadInput: when it exists or cannot be written.
    """
    if folder.exists():
        raise BadInput(f"{what} {folder} exists already; give another folder or remove it.")
    with _draft(folder, what) as draft:
        yield draft
        draft.rename(folder)


@contextmanager
def _draft(folder: Path, what: str) -> Iterator[Path]:
    """A folder beside ``folder`` that goes away in the end; what the disk refuses is a sentence.

    Folders above it that were made for it, and hold nothing in the end, go as well.
    """
    draft = None
    above = [place for place in folder.absolute().parents if not place.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        yield draft
    except OSError as error:
        raise BadInput(f"{what} {folder} cannot be written: {error.strerror}.") from error
    finally:
        if draft:
            shutil.rmtree(draft, ignore_errors=True)
        with suppress(OSError):  # the first that holds something stays, and all above it
            for place in above:
                place.rmdir()


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
