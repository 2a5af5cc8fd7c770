"""Which files of a folder are the scans of a pair, by their names."""

import os
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import IMAGES


def pairs_in_folder(folder: Path, roles: tuple[str, ...]) -> dict[str, dict[str, Path]]:
    """The scans by role of every pair of a folder, by name, in order.

    A pair is a folder ``NAME`` that holds ``ROLE.nii.gz`` (or another image, or a DICOM folder
    ``ROLE``), or files ``NAME_ROLE.nii.gz``. One scan of a pair is enough.

    Args:
        folder: where to look, not deeper.
        roles: of the model.

    Raises:
        BadInput: when the folder cannot be read, holds no pair, or two scans for one role.
    """
    try:
        found = _found(folder, roles)
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be read: {error.strerror}.") from error
    if not found:
        raise BadInput(
            f"{folder} holds no scan called NAME_{roles[0]}.nii.gz or NAME/{roles[0]}.nii.gz."
        )
    return found


def _found(folder: Path, roles: tuple[str, ...]) -> dict[str, dict[str, Path]]:
    found: dict[str, dict[str, Path]] = {}
    for entry in _entries(folder):
        inside = _entries(entry.path) if entry.is_dir() else []
        stem = _stem(entry.name)
        for place, name in [(entry, stem), *((e, f"{entry.name}_{_stem(e.name)}") for e in inside)]:
            for role in roles:
                pair = name.removesuffix(f"_{role}")
                if pair == name or not pair or not _is_scan(place):
                    continue
                if role in found.setdefault(pair, {}):
                    raise BadInput(f"{folder} holds two scans {role} of {pair}; keep one.")
                found[pair][role] = Path(place.path)
    return dict(sorted(found.items()))


def _entries(folder: Path | str) -> list[os.DirEntry]:
    """What a folder holds, in order, without what is hidden; a listing knows what are folders."""
    with os.scandir(folder) as entries:
        return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)


def _is_scan(entry: os.DirEntry) -> bool:
    return entry.is_dir() or entry.name.lower().endswith(IMAGES)


def _stem(name: str) -> str:
    suffix = next((s for s in IMAGES if name.lower().endswith(s)), "")
    return name[: -len(suffix)] if suffix else name
