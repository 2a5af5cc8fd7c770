"""Checksums of an entry's files, in the format of ``sha256sum``."""

import hashlib
from pathlib import Path

SUMS = "SHA256SUMS"
MOST_BYTES = 1 << 20  # of a list of them


def sha256_of(path: Path) -> str:
    """Checksum of a file."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def sums_of(folder: Path) -> str:
    """The text of ``SHA256SUMS`` for every other file of a folder."""
    names = sorted(path.name for path in folder.iterdir() if path.name != SUMS)
    return "".join(f"{sha256_of(folder / name)}  {name}\n" for name in names)


def read_sums(path: Path) -> dict[str, str]:
    """Checksums by name; ValueError when the file is not of that format."""
    sums = {}
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path.name} is larger than {MOST_BYTES >> 20} MiB")
    for line in path.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name or "/" in name:
            raise ValueError(f"{path.name} holds the line {line[:40]!r}")
        sums[name] = digest
    return sums
