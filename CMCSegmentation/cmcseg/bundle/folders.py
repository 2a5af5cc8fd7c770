"""A model's folder comes whole, changes in one step and goes in one step.

PARENT/.NAME.HEX          being written, or on its way out
PARENT/.NAME.HEX.old      made room for another model, where the system cannot exchange names
"""

import ctypes
import os
import re
import secrets
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

from cmcseg.bundle.verify import CARD, check_folder, read_folder
from cmcseg.core.atomic_write import flush_folder, write_whole
from cmcseg.core.errors import BadInput

STALE_SECONDS = 3600.0  # nobody writes a model for so long
_EXCHANGE = {"linux": 2, "darwin": 2}  # RENAME_EXCHANGE and RENAME_SWAP
_HERE = -100  # AT_FDCWD of Linux: a path is meant as it stands


def write_folder(files: dict[str, bytes], folder: Path, *, replace: bool = False) -> None:
    """Write a model's files so that ``folder`` holds all of them or is as it was.

    Args:
        files: content by name, verified.
        folder: where to; an empty folder counts as none, the very same model is left alone.
        replace: whether another model may make room; it is deleted once this one is in its place.

    Raises:
        BadInput: when the folder holds something else, or the disk refuses.
    """
    folder = folder.resolve()
    recover(folder)
    if folder.exists() and not _is_empty(folder):
        if _holds(folder, files):
            return
        if not replace:
            raise BadInput(f"{folder} holds something else; replace it or give another folder.")
        if not (folder / CARD).is_file():
            raise BadInput(f"{folder} holds something that is no model; give another folder.")
        check_folder(folder)  # a model is deleted, but never anything that lies beside it
    draft = beside(folder)
    try:
        for name, content in files.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(draft / name, content)
        _put(draft, folder)
        flush_folder(folder.parent)
    except OSError as error:
        raise BadInput(f"{folder} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def hide_folder(folder: Path) -> Path:
    """Take a model out of sight in one step; returns where it lies now.

    Raises:
        BadInput: when the disk refuses.
    """
    aside = beside(folder)
    try:
        folder.rename(aside)
    except OSError as error:
        raise BadInput(f"{folder} cannot be removed: {error.strerror}.") from error
    return aside


def delete_folder(folder: Path) -> None:
    """Out of sight in one step, then deleted: a model is never half there.

    Raises:
        BadInput: when the disk refuses.
    """
    erase(hide_folder(folder))


def erase(hidden: Path) -> None:
    """Delete what ``hide_folder`` has hidden; of a link, the link alone.

    Raises:
        BadInput: when the disk refuses.
    """
    try:
        if hidden.is_symlink():
            hidden.unlink()
        else:
            shutil.rmtree(hidden)
    except OSError as error:
        raise BadInput(f"{hidden} cannot be deleted: {error.strerror}.") from error


def recover(folder: Path) -> None:
    """Finish what a crash left: a model whose place nobody took comes back, drafts go."""
    left = re.compile(rf"\.{re.escape(folder.name)}\.[0-9a-f]{{8}}(\.old)?")
    with suppress(OSError):
        beside_it = [path for path in folder.parent.iterdir() if left.fullmatch(path.name)]
        for path in beside_it:
            if path.suffix == ".old" and not folder.exists():
                path.rename(folder)
            elif time.time() - path.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def beside(path: Path) -> Path:
    """A free hidden name on the same disk, which is no model's."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def _put(draft: Path, folder: Path) -> None:
    """``draft`` takes the place of ``folder``, which is there at every moment if it can be."""
    if not folder.exists():
        draft.rename(folder)
        return
    if _exchanged(draft, folder):
        return
    aside = draft.with_name(draft.name + ".old")
    folder.rename(aside)
    try:
        draft.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _exchanged(first: Path, second: Path) -> bool:
    """Whether the system exchanged two names in one step; Windows and some disks cannot."""
    if sys.platform not in _EXCHANGE:
        return False
    names, flag = (os.fsencode(first), os.fsencode(second)), _EXCHANGE[sys.platform]
    try:
        library = ctypes.CDLL(None)
        if sys.platform == "linux":
            return library.renameat2(_HERE, names[0], _HERE, names[1], flag) == 0
        return library.renamex_np(*names, flag) == 0
    except (AttributeError, OSError):
        return False


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _holds(folder: Path, files: dict[str, bytes]) -> bool:
    with suppress(BadInput):
        return read_folder(folder) == files
    return False
