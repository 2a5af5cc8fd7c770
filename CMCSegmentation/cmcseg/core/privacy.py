"""Folders of patients' data, closed to the other accounts of a computer.

A folder that only its owner can enter protects all that lies in it. Where a group shares a folder
on purpose, that carries the set-group-ID bit (``chmod g+s``) and the group may enter it: then the
group has the owner's rights, and everybody else has none. Windows keeps its own lists, which a
folder inherits; nothing is done there.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_SHARED = stat.S_ISGID | stat.S_IXGRP


def private_folder(folder: Path, *, like: Path | None = None) -> Path:
    """A folder that only its owner can enter; it is made when it is missing, with all above it.

    One that is there already is closed to others; what lies in it is not looked at.

    Args:
        folder: to be made or closed.
        like: a folder above it, whose group keeps its access where it is shared on purpose.

    Raises:
        OSError: when it cannot be made, or is no folder. Where it is somebody else's and cannot be
            closed, ``open_to_others`` tells.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    _close(folder, _is_shared(like or folder))
    return folder


def close(place: Path, *, like: Path | None = None) -> int:
    """Close a file, or a folder and all in it, to others.

    Args:
        place: file or folder.
        like: a folder whose group keeps its access where it is shared on purpose; ``place`` itself
            when None.

    Returns:
        How many files and folders were open to them.
    """
    shared = _is_shared(like or place)
    return sum(_close(path, shared) for path in _within(place))


def open_to_others(place: Path) -> bool:
    """Whether other accounts of this computer may read a file or enter a folder."""
    with contextlib.suppress(OSError):
        return bool(place.lstat().st_mode & _excess(_is_shared(place))) and os.name == "posix"
    return False


def _close(path: Path, shared: bool) -> bool:
    """Give a path the rights that it should have; whether others had more."""
    if os.name != "posix":
        return False
    with contextlib.suppress(OSError):  # somebody else's, or gone meanwhile
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):  # it has no rights of its own, and leads elsewhere
            return False
        owner = mode & stat.S_IRWXU
        wanted = owner | (owner >> 3 if shared else 0)
        if shared and stat.S_ISDIR(mode):
            wanted |= stat.S_ISGID
        if wanted != stat.S_IMODE(mode):
            path.chmod(wanted)
        return bool(mode & _excess(shared))
    return False


def _excess(shared: bool) -> int:
    """The rights that nobody but the owner (and the group) should have."""
    return stat.S_IRWXO if shared else stat.S_IRWXG | stat.S_IRWXO


def _is_shared(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return folder.stat().st_mode & _SHARED == _SHARED
    return False


def _within(place: Path) -> Iterator[Path]:
    yield place
    for folder, folders, files in os.walk(place):
        yield from (Path(folder, name) for name in (*folders, *files))
