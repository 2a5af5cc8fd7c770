"""Folders of patients' data, closed to the other accounts of a computer.

A folder that only its owner can enter protects all that lies in it. Where a group shares a folder
on purpose, it carries the set-group-ID bit (``chmod g+s``): then the group keeps its access, and
everybody else has none. Windows keeps its own lists, which a folder inherits; nothing is done
there.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_OWNER, _GROUP, _OTHERS = stat.S_IRWXU, stat.S_IRWXG, stat.S_IRWXO


def private_folder(folder: Path) -> Path:
    """Make a folder, with all above it, that only its owner (or a group on purpose) can enter.

    One that is there already is closed to others; what lies in it is not looked at.

    Raises:
        OSError: when it cannot be made. That it cannot be closed is no error: ``open_to_others``
            tells.
    """
    shared = _is_shared(folder.parent)
    try:
        folder.mkdir(mode=_OWNER, parents=True)
        if shared:
            folder.chmod(_OWNER | _GROUP | stat.S_ISGID)
    except FileExistsError:
        if not folder.is_dir():
            raise
        _close(folder, _is_shared(folder))
    return folder


def close(folder: Path) -> int:
    """Close a folder and all in it to others.

    Returns:
        How many files and folders were open to them.
    """
    shared = _is_shared(folder)
    return sum(_close(path, shared) for path in _within(folder))


def open_to_others(folder: Path) -> bool:
    """Whether other accounts of this computer can enter a folder or read a file."""
    with contextlib.suppress(OSError):
        return _excess(folder, _is_shared(folder if folder.is_dir() else folder.parent)) != 0
    return False


def _close(path: Path, shared: bool) -> bool:
    with contextlib.suppress(OSError):  # somebody else's, or gone meanwhile
        if excess := _excess(path, shared):
            mode = stat.S_IMODE(path.lstat().st_mode)
            path.chmod(mode & ~excess)
            return True
    return False


def _excess(path: Path, shared: bool) -> int:
    """The rights that others have and should not; 0 for a link, which has none of its own."""
    mode = path.lstat().st_mode
    if os.name != "posix" or stat.S_ISLNK(mode):
        return 0
    return mode & (_OTHERS if shared else _GROUP | _OTHERS)


def _is_shared(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return bool(folder.stat().st_mode & stat.S_ISGID)
    return False


def _within(folder: Path) -> Iterator[Path]:
    yield folder
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *files))
