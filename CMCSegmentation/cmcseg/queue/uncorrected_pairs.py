"""Pairs on the disk that nobody has corrected yet, and how doubtful a model was about each."""

import hashlib
import json
import math
from pathlib import Path

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.errors import BadInput
from cmcseg.core.json_file import read_json
from cmcseg.core.privacy import private_folder
from cmcseg.imaging.pair_files import pairs_in_folder
from cmcseg.queue.disk import in_words
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.pseudonyms import known_pair

DOUBTS = "doubts"


def pairs_waiting(
    folder: Path, roles: tuple[str, ...], ledger: Ledger, key: Path
) -> dict[str, dict[str, Path]]:
    """The scans by role of every pair of a folder that has no entry in the queue.

    What a pair is says ``pairs_in_folder``. It is in the queue when it was added with its name as
    its subject.

    Args:
        folder: where to look, not deeper.
        roles: of the model.
        ledger: the queue.
        key: the folder that says which subject has which id.

    Raises:
        BadInput: when the folder cannot be read, holds no pair, or two scans for one role.
    """
    found = pairs_in_folder(folder, roles)
    corrected = {entry.pair for entry in ledger.entries()}

    def waits(name: str) -> bool:
        pair = known_pair(name, key)
        return pair is None or ledger.scans.meant_by(pair) not in corrected

    return {name: scans for name, scans in found.items() if waits(name)}


def known_doubt(ledger: Ledger, sha256: str, scans: dict[str, Path]) -> float | None:
    """What ``keep_doubt`` has kept about these very scans and this model; None when nothing."""
    return _known(ledger, sha256, scans, "doubt")


def known_error(ledger: Ledger, sha256: str, scans: dict[str, Path]) -> float | None:
    """The error that was kept with the doubt; None when nothing."""
    return _known(ledger, sha256, scans, "error")


def keep_doubt(
    ledger: Ledger,
    sha256: str,
    scans: dict[str, Path],
    doubt: float,
    error: float | None = None,
) -> None:
    """Keep a doubt for the next time; its name is a hash, so that no path is told.

    Args:
        ledger: the queue.
        sha256: of the model's weights.
        scans: that the doubt is about.
        doubt: 0 to 1.
        error: of the model on these scans, 0 to 1, where the truth is known.

    Raises:
        BadInput: when the disk refuses.
    """
    try:
        path = _place(ledger, sha256, scans)
        private_folder(path.parent, like=ledger.folder)
        write_whole(path, json.dumps({"doubt": doubt, "error": error}) + "\n")
    except OSError as trouble:
        raise BadInput(
            f"The doubt of {ledger.folder} cannot be kept: {in_words(trouble)}."
        ) from trouble


def _known(ledger: Ledger, sha256: str, scans: dict[str, Path], what: str) -> float | None:
    try:
        value = float(read_json(_place(ledger, sha256, scans))[what])
        return min(max(value, 0.0), 1.0) if math.isfinite(value) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _place(ledger: Ledger, sha256: str, scans: dict[str, Path]) -> Path:
    """One file for a model and the scans as they are now."""
    stats = {role: (str(path.resolve()), path.stat()) for role, path in scans.items()}
    told = [[r, name, stat.st_size, stat.st_mtime_ns] for r, (name, stat) in sorted(stats.items())]
    digest = hashlib.sha256(json.dumps([sha256, told]).encode("utf-8")).hexdigest()
    return ledger.folder / DOUBTS / f"{digest}.json"
