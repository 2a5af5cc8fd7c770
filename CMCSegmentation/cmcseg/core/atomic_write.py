"""Files that are whole or not there: written beside their place, put on the disk, then renamed."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from cmcseg.core.errors import BadInput

CANNOT = (
    "{path} cannot be written ({why}); choose a folder that exists, has room and may be written to."
)


@contextlib.contextmanager
def atomic_path(path: Path, sentence: str = CANNOT) -> Iterator[Path]:
    """Lend a temporary name beside ``path``; on leaving, what was written there becomes ``path``.

    When anything fails, the temporary file is removed and an older ``path`` stays as it was. The
    temporary name ends as ``path`` does, since libraries choose a format by it.

    Args:
        path: of the file; an older one is replaced.
        sentence: what the user is told when the disk refuses, with ``{path}`` and ``{why}``.

    Raises:
        BadInput: when the folder or the disk does not take the file.
    """
    path = Path(path)
    draft = path.with_name(f".cmcseg-{secrets.token_hex(6)}-{path.name[-40:]}")
    try:
        draft.touch(exist_ok=False)
        yield draft
        flush(draft)
        draft.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        told = sentence.replace("{path}", str(path))  # names may hold braces of their own
        raise BadInput(told.replace("{why}", str(error.strerror or error))) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes, sentence: str = CANNOT) -> None:
    """Write a file in one step; text as UTF-8, its line ends as they are.

    Raises:
        BadInput: as ``atomic_path`` does.
    """
    with atomic_path(path, sentence) as draft:
        draft.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def flush(path: Path) -> None:
    """Wait until a file's bytes are on the disk, so that a power cut cannot leave half of it."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Make a folder's names last through a power cut; Windows cannot, and needs no such step."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
