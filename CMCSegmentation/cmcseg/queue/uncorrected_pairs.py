"""Pairs on the disk that nobody has corrected yet, and how doubtful a model was about each."""

import hashlib
import json
import math
from pathlib import Path

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import IMAGES
from cmcseg.core.json_file import read_json
from cmcseg.core.privacy import private_folder
from cmcseg.queue.disk import in_words
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.pseudonyms import known_pair

DOUBTS = "doubts"


def pairs_waiting(
    folder: Path, roles: tuple[str, ...], ledger: Ledger, key: Path
) -> dict[str, dict[str, Path]]:
    """The scans by role of every pair of a folder that has no entry in the queue.

    A pair is a folder ``NAME`` that holds ``ROLE.nii.gz`` (or another image, or a DICOM folder
    ``ROLE``), or files ``NAME_ROLE.nii.gz``. It is in the queue when it was added with ``NAME`` as
    its subject.

    Args:
        folder: where to look, not deeper.
        roles: of the model.
        ledger: the queue.
        key: the folder that says which subject has which id.

    Raises:
        BadInput: when the folder cannot be read, holds no pair, or two scans for one role.
    """
    try:
        found = _found(folder, roles)
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be read: {in_words(error)}.") from error
    if not found:
        raise BadInput(
            f"{folder} holds no scan called NAME_{roles[0]}.nii.gz or NAME/{roles[0]}.nii.gz."
        )
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


def _found(folder: Path, roles: tuple[str, ...]) -> dict[str, dict[str, Path]]:
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        inside = sorted(path.iterdir()) if path.is_dir() else []
        for place, name in [(path, _stem(path)), *((p, f"{path.name}_{_stem(p)}") for p in inside)]:
            for role in roles:
                pair = name.removesuffix(f"_{role}")
                if pair == name or not pair or not _is_scan(place):
                    continue
                if role in found.setdefault(pair, {}):
                    raise BadInput(f"{folder} holds two scans {role} of {pair}; keep one.")
                found[pair][role] = place
    return dict(sorted(found.items()))


def _is_scan(path: Path) -> bool:
    return path.is_dir() or path.name.lower().endswith(IMAGES)


def _stem(path: Path) -> str:
    suffix = next((s for s in IMAGES if path.name.lower().endswith(s)), "")
    return path.name[: -len(suffix)] if suffix else path.name


def _place(ledger: Ledger, sha256: str, scans: dict[str, Path]) -> Path:
    """One file for a model and the scans as they are now."""
    stats = {role: (str(path.resolve()), path.stat()) for role, path in scans.items()}
    told = [[r, name, stat.st_size, stat.st_mtime_ns] for r, (name, stat) in sorted(stats.items())]
    digest = hashlib.sha256(json.dumps([sha256, told]).encode("utf-8")).hexdigest()
    return ledger.folder / DOUBTS / f"{digest}.json"
