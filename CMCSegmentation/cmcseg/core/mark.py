"""A stroke of a user's: what it says of an organ, and where."""

from dataclasses import dataclass

import numpy as np

from cmcseg.core.grid import Grid

MOST_VOXELS = 20_000  # of one stroke; a longer one is no stroke
MOST_AROUND = 250_000  # voxels of a box that is worked on; keeps a proposal under a second
THIN_MM = 6.0  # from slice to slice; where slices are thinner, an error goes on farther
SHARES = (1.0, 0.85, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)  # of that reach, when the box is too large


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far a mark reaches.

    Attributes:
        in_plane_mm: that is looked at around it.
        joins_mm: in the plane, of that what may change.
        through_mm: across its plane.
        slices: to either side, at most.
        counted_mm: what lies farther counts as this far.
    """

    in_plane_mm: float
    joins_mm: float
    through_mm: float
    slices: int
    counted_mm: float


NEAR = Reach(in_plane_mm=28.0, joins_mm=24.0, through_mm=24.0, slices=8, counted_mm=30.0)
FAR = Reach(in_plane_mm=48.0, joins_mm=40.0, through_mm=48.0, slices=16, counted_mm=24.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mark:
    """One stroke on one scan.

    Attributes:
        value: of the organ, as in the label table.
        is_organ: "this is the organ"; else "this is not".
        voxels: ``(n, 3)`` int indices on the scan's grid, at least one, none twice.
        seconds: how long the hand took.

    Raises:
        ValueError: when it has no voxel, too many, or negative ones.
    """

    value: int
    is_organ: bool
    voxels: np.ndarray
    seconds: float = 0.0

    def __post_init__(self) -> None:
        voxels = np.asarray(self.voxels, dtype=np.int64)
        if voxels.ndim != 2 or voxels.shape[1] != 3 or not len(voxels):
            raise ValueError("A mark needs at least one voxel of three indices.")
        if len(voxels) > MOST_VOXELS:
            raise ValueError(f"A mark holds {MOST_VOXELS} voxels at most, not {len(voxels)}.")
        if voxels.min() < 0:
            raise ValueError("A mark's indices must not be negative.")
        if not 1 <= self.value <= 254:
            raise ValueError(f"No organ has the value {self.value}.")
        object.__setattr__(self, "voxels", np.unique(voxels, axis=0))

    def normal(self, grid: Grid) -> int:
        """The axis across the plane it was drawn in; where several would do, the coarsest."""
        spread = np.ptp(self.voxels, axis=0) * np.array(grid.spacing)
        return int(np.lexsort((-np.array(grid.spacing), spread))[0])

    def reach(self, grid: Grid) -> Reach:
        """How far it reaches on a grid, whose slices may be thin or thick across its plane."""
        return FAR if grid.spacing[self.normal(grid)] < THIN_MM else NEAR

    def box(self, grid: Grid) -> tuple[slice, slice, slice]:
        """The part of the scan that it can change, cut at the scan's borders.

        A very long stroke, or one on a very fine scan, reaches less far.
        """
        low, high, normal = self.voxels.min(axis=0), self.voxels.max(axis=0) + 1, self.normal(grid)
        reach = self.reach(grid)
        for share in SHARES:
            margin = np.ceil(share * reach.in_plane_mm / np.array(grid.spacing))
            through = np.clip(
                round(share * reach.through_mm / grid.spacing[normal]), 1, reach.slices
            )
            margin[normal] = through
            first = np.maximum(low - margin, 0).astype(int)
            last = np.minimum(high + margin, grid.shape).astype(int)
            if np.prod(last - first) <= MOST_AROUND:
                break
        i, j, k = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        return i, j, k

    def within(self, box: tuple[slice, slice, slice]) -> np.ndarray:
        """Its voxels inside a box, ``(m, 3)``, counted from the box's corner."""
        low, high = np.array([(part.start, part.stop) for part in box]).T
        inside = ((self.voxels >= low) & (self.voxels < high)).all(axis=1)
        return self.voxels[inside] - low

    def to_dict(self) -> dict:
        """JSON-ready form."""
        return {
            "value": self.value,
            "is_organ": self.is_organ,
            "voxels": self.voxels.tolist(),
            "seconds": self.seconds,
        }

    @staticmethod
    def from_dict(value: dict) -> "Mark":
        """Inverse of ``to_dict``."""
        return Mark(**{**value, "voxels": np.array(value["voxels"])})


@dataclass(frozen=True, kw_only=True, eq=False)
class TakenMark:
    """A mark whose proposal was taken into the result.

    Attributes:
        role: of the scan.
        organ: its name.
        mark: the stroke.
        changed: voxels that became another organ's.
        carried: whether it came from the other scan through the alignment, and no hand drew it.
    """

    role: str
    organ: str
    mark: Mark
    changed: int
    carried: bool = False

    def record(self) -> dict:
        """What is told of it beside the voxels, JSON-ready."""
        return {
            "role": self.role,
            "organ": self.organ,
            "is_organ": self.mark.is_organ,
            "voxels": len(self.mark.voxels),
            "seconds": round(self.mark.seconds, 2),
            "changed_voxels": self.changed,
            "carried": self.carried,
        }
