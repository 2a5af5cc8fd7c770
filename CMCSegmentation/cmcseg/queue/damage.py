"""Reading an entry with care: it may be damaged, edited by hand, or made to lead elsewhere."""

from pathlib import Path

from cmcseg.core.json_file import read_json
from cmcseg.queue.checksums import SUMS, read_sums, sha256_of
from cmcseg.queue.entry import QueueEntry, check_id

ENTRY = "entry.json"


def read_entry(folder: Path, name: str) -> QueueEntry:
    """What ``entry.json`` says.

    Args:
        folder: of the entry.
        name: the id that it must have.

    Raises:
        ValueError: when it cannot be read, or says that it is another.
    """
    try:
        if folder.is_symlink():
            raise ValueError("it is a link")
        value = read_json(folder / ENTRY)
    except OSError as error:
        raise ValueError(f"{ENTRY} cannot be read: {error.strerror}") from error
    entry = QueueEntry.from_dict(value)
    if entry.id != name:
        raise ValueError(f"its folder is called {name}, it says {entry.id}")
    return entry


def fault_of(folder: Path, name: str) -> str:
    """One sentence saying what is wrong with an entry, or empty; every byte is read."""
    try:
        check_id(name)
    except ValueError:
        return "Its name is not that of an entry."
    try:
        if folder.is_symlink() or not all(_is_plain(path) for path in folder.iterdir()):
            return "It is or holds a link or a folder, which could lead anywhere."
        return _fault_within(folder, read_entry(folder, name))
    except (ValueError, OSError) as error:
        return f"It cannot be read: {str(error).rstrip('.')}."


def _fault_within(folder: Path, entry: QueueEntry) -> str:
    """One sentence saying what is wrong with an entry's files, or empty."""
    sums = read_sums(folder / SUMS)
    files = {path.name for path in folder.iterdir()} - {SUMS}
    if files != set(sums):
        odd = ", ".join(sorted(files ^ set(sums)))
        return f"Its files are not those that were written ({odd})."
    for file, wanted in sums.items():
        if sha256_of(folder / file) != wanted:
            return f"{file} was changed after it was written."
    if lost := set(entry.files) - files:
        return f"It names files that it does not hold ({', '.join(sorted(lost))})."
    for role, scan in entry.scans.items():
        if scan.sha256 and not _same(Path(scan.image), scan.sha256):
            return f"The {role} scan it refers to is gone or was changed: {scan.image}."
    return ""


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _same(path: Path, digest: str) -> bool:
    try:
        return path.is_file() and sha256_of(path) == digest
    except OSError:
        return False
