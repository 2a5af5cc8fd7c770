"""A prepared cohort on disk: plain numpy, so training needs neither SimpleITK nor the files.

A cache is a folder with ``cache.json`` and one or two ``.npy`` files a scan.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.scan_traits import ScanTraits

INDEX = "cache.json"
PHANTOM = "phantom-"  # how the ids of rendered pairs begin


@dataclass(frozen=True, kw_only=True)
class CachedScan:
    """One scan of the cache.

    Attributes:
        pair: id of the subject; scans of one pair share a grid.
        role: which scan it is.
        split: ``train`` or ``validation``.
        image: file with ``(I, J, K)`` float16, normalised.
        labels: file with ``(I, J, K)`` uint8 (255 not annotated), or None.
        known: per class of the table, background first, whether it was annotated.
        dense: whether every voxel in the field of view was annotated.
        grid: where the voxels lie.
        own: whether a model labelled it, not a person.
        checksum: of the scan's numbers as they were read; empty in caches of before.
        repeated: slices of the truth that only repeat the one beside them; in training scans they
            are not annotated.
        traits: of the scan as it was read; None in caches of before.
    """

    pair: str
    role: str
    split: str
    image: Path
    labels: Path | None
    known: tuple[bool, ...]
    dense: bool
    grid: Grid
    own: bool = False
    checksum: str = ""
    repeated: int = 0
    traits: ScanTraits | None = None

    @property
    def phantom(self) -> bool:
        """Whether it was rendered and shows no real person."""
        return self.pair.startswith(PHANTOM)


@dataclass(frozen=True, kw_only=True)
class Cache:
    """A prepared cohort."""

    folder: Path
    card: ModelCard
    scans: tuple[CachedScan, ...]

    def of(self, split: str, role: str) -> list[CachedScan]:
        """The scans of one split and role, in the cohort's order."""
        return [scan for scan in self.scans if scan.split == split and scan.role == role]

    def twins(self) -> list[tuple[str, ...]]:
        """Cases that show the same scan, in groups."""
        cases: dict[str, list[str]] = {}
        for scan in self.scans:
            if scan.checksum:
                cases.setdefault(scan.checksum, []).append(scan.pair)
        groups = (tuple(dict.fromkeys(each)) for each in cases.values())
        return sorted({group for group in groups if len(group) > 1})


def open_cache(folder: Path) -> Cache:
    """Open a prepared folder; needs numpy only.

    Raises:
        BadInput: when it is not a cache.
    """
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        card = ModelCard.from_dict(index["card"])
        scans = tuple(_scan_from(row, folder) for row in index["scans"])
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(
            f"{folder} is not a prepared cache; make one with 'cmcseg prepare'."
        ) from error
    return Cache(folder=folder, card=card, scans=scans)


def _scan_from(row: dict, folder: Path) -> CachedScan:
    return CachedScan(
        pair=row["pair"],
        role=row["role"],
        split=row["split"],
        image=folder / row["image"],
        labels=folder / row["labels"] if row["labels"] else None,
        known=tuple(row["known"]),
        dense=row["dense"],
        grid=Grid.from_dict(row["grid"]),
        repeated=row.get("repeated", 0),
        checksum=row.get("checksum", ""),
        traits=ScanTraits.from_dict(row["traits"]) if "traits" in row else None,
    )
