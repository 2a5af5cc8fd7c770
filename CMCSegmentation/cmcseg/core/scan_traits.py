"""What tells scanners and protocols apart in the scans themselves; groups of such scans.

Voxels, field of view and the shape of the histogram are the scanner's and the protocol's; the
patient moves them little. None of them says who was scanned.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cmcseg.core.field_types import check_field_types
from cmcseg.core.volume import Volume

PERCENTILES = (5, 25, 50, 75, 90, 99)
SAMPLE = 500_000  # voxels of a scan that are looked at, about: a few milliseconds
FLOORS = (0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.1)  # of the scatter: few scans look too much alike
LOOKS_LIKE = 1.6  # scatters away from a group's mean; measured in decision 292
UNLIKE = 2.0  # from here on a scan is of another kind; decision 307
ALIKE = 1.1  # factor between voxels' edges that count as equal


@dataclass(frozen=True, kw_only=True)
class ScanTraits:
    """One scan.

    Attributes:
        finest_mm, coarsest_mm: smallest and largest distance of neighbouring voxels.
        field_mm: edge of the field of view within a slice, the mean of both.
        slices: how many, along the axis of the largest distance.
        quantiles: 25th, 50th, 75th and 99th percentile of the values, where the 5th is 0 and the
            90th is 1.
    """

    finest_mm: float
    coarsest_mm: float
    field_mm: float
    slices: int
    quantiles: tuple[float, float, float, float]

    def to_dict(self) -> dict:
        """JSON-ready form."""
        return asdict(self)

    @staticmethod
    def from_dict(value: dict) -> "ScanTraits":
        """Inverse of ``to_dict``."""
        return ScanTraits(**{**value, "quantiles": tuple(value["quantiles"])})

    @property
    def features(self) -> np.ndarray:
        """``(7,)`` numbers, each on a scale on which scans of one protocol scatter evenly."""
        lengths = np.log([self.finest_mm, self.coarsest_mm, self.field_mm])
        return np.array([*lengths, *self.quantiles[:3], math.log(max(self.quantiles[3], 1.0))])


@dataclass(frozen=True, kw_only=True)
class ScanGroup:
    """Scans of one role.

    Attributes:
        count: how many.
        mean, scatter: of their ``features``.
        finest_mm, coarsest_mm, slices: smallest and largest among them.
    """

    count: int
    mean: tuple[float, ...]
    scatter: tuple[float, ...]
    finest_mm: tuple[float, float]
    coarsest_mm: tuple[float, float]
    slices: tuple[int, int]

    def __post_init__(self) -> None:
        if not len(self.mean) == len(self.scatter) == len(FLOORS):
            raise ValueError(f"A group of scans is described by {len(FLOORS)} numbers.")

    def distance(self, scan: ScanTraits) -> float:
        """How many scatters a scan lies away, as a root mean square over its features."""
        away = (scan.features - self.mean) / np.maximum(self.scatter, FLOORS)
        return float(np.sqrt(np.mean(away**2)))


def traits_of(volume: Volume) -> ScanTraits:
    """The traits of a scan; of one that is the same nearly everywhere, with empty quantiles."""
    grid = volume.grid
    # Where edges are alike, the last axis counts as that of the slices, as files have it.
    axis = max(k for k in range(3) if grid.spacing[k] * ALIKE >= max(grid.spacing))
    plane = [k for k in range(3) if k != axis]
    step = math.ceil(math.sqrt(max(1.0, grid.size / SAMPLE)))
    index = tuple(slice(None, None, step if k in plane else 1) for k in range(3))
    values = volume.array[index].astype(np.float64)
    values = values[np.isfinite(values)]
    low, *inner, high, top = np.percentile(values, PERCENTILES) if values.size else [0.0] * 6
    span = high - low
    relative = [float((q - low) / span) if span > 0 else 0.0 for q in (*inner, top)]
    return ScanTraits(
        finest_mm=min(grid.spacing),
        coarsest_mm=max(grid.spacing),
        field_mm=math.sqrt(math.prod(grid.extent[k] for k in plane)),
        slices=grid.shape[axis],
        quantiles=(relative[0], relative[1], relative[2], relative[3]),
    )


def groups_of(scans: Iterable[tuple[str, ScanTraits]]) -> dict[str, ScanGroup]:
    """The groups of some scans by role.

    Args:
        scans: role and traits of each.
    """
    by_role: dict[str, list[ScanTraits]] = {}
    for role, scan in scans:
        by_role.setdefault(role, []).append(scan)
    return {role: _group(found) for role, found in by_role.items()}


def groups_to_dict(groups: dict[str, ScanGroup]) -> dict:
    """JSON-ready form, as it comes back from a file."""
    return {
        role: {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(group).items()}
        for role, group in groups.items()
    }


def groups_from_dict(value: Any) -> dict[str, ScanGroup]:
    """Inverse of ``groups_to_dict``; what is no group, as in a card of unknown origin, is none."""
    try:
        groups = {
            str(role): ScanGroup(**{k: _tuple(v) for k, v in group.items()})
            for role, group in value.items()
        }
        for group in groups.values():
            check_field_types(group)
    except (AttributeError, TypeError, ValueError):
        return {}
    return groups


def distance(groups: dict[str, ScanGroup], scans: dict[str, ScanTraits]) -> float | None:
    """How far some scans lie from a model's, that of the role that is farthest.

    Args:
        groups: of the model, by role.
        scans: by role.

    Returns:
        None where they have no role in common.
    """
    found = [groups[role].distance(scan) for role, scan in scans.items() if role in groups]
    return max(found) if found else None


def likeness(groups: Iterable[ScanGroup], scan: ScanTraits) -> float:
    """How much a scan is like those of the nearest group: 1 to 0, for one of another kind."""
    nearest = min((group.distance(scan) for group in groups), default=math.inf)
    return min(1.0, max(0.0, (UNLIKE - nearest) / (UNLIKE - LOOKS_LIKE)))


def in_words(groups: dict[str, ScanGroup], titles: dict[str, str]) -> str:
    """As in "bSSFP 1.5 mm, slices 5 to 10 mm apart, 6 to 18 of them", scan by scan.

    Args:
        groups: by role.
        titles: what a clinician calls the roles.
    """
    return "; ".join(f"{titles.get(role, role)} {_words(group)}" for role, group in groups.items())


def _words(group: ScanGroup) -> str:
    finest, coarsest = (_range(lengths) for lengths in (group.finest_mm, group.coarsest_mm))
    slices = _range(group.slices)
    if group.coarsest_mm[1] <= ALIKE * group.finest_mm[0]:
        return f"{finest} mm, {slices} {'slice' if slices == '1' else 'slices'}"
    return f"{finest} mm, slices {coarsest} mm apart, {slices} of them"


def _range(ends: tuple[float, float]) -> str:
    low, high = (f"{end:.2g}" if end < 10 else f"{end:.0f}" for end in ends)
    return low if low == high else f"{low} to {high}"


def _group(scans: list[ScanTraits]) -> ScanGroup:
    features = np.array([scan.features for scan in scans])
    finest, coarsest = ([getattr(s, name) for s in scans] for name in ("finest_mm", "coarsest_mm"))
    slices = [scan.slices for scan in scans]
    return ScanGroup(
        count=len(scans),
        mean=tuple(features.mean(axis=0).tolist()),
        scatter=tuple(features.std(axis=0).tolist()),
        finest_mm=(min(finest), max(finest)),
        coarsest_mm=(min(coarsest), max(coarsest)),
        slices=(min(slices), max(slices)),
    )


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
