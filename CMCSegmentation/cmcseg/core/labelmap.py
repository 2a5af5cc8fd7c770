"""Organs: their names, colours and codes, and the voxels they fill."""

import re
from dataclasses import dataclass

import numpy as np

from cmcseg.core.boxes import nonzero_box
from cmcseg.core.grid import Grid

UNANNOTATED = 255  # a voxel nobody looked at; it takes no part in any loss or score


@dataclass(frozen=True, kw_only=True)
class Code:
    """One entry of a coding scheme, as DICOM writes it (SNOMED CT is ``SCT``)."""

    value: str
    meaning: str
    scheme: str = "SCT"

    def __post_init__(self) -> None:
        if not (self.value and self.meaning and self.scheme):
            raise ValueError("A code needs a scheme, a value and a meaning.")


@dataclass(frozen=True, kw_only=True)
class Label:
    """One organ of a label table.

    Attributes:
        value: the number of its voxels in a label map, 1 to 254.
        name: what a clinician calls it ("left kidney").
        color: ``#rrggbb``; the same in both scans, in reports and plots.
        category: SNOMED category of the segmented property.
        code: SNOMED code of the organ.
        side: laterality, when the organ has one: ``left`` or ``right``.
    """

    value: int
    name: str
    color: str
    code: Code | None = None
    category: Code = Code(value="123037004", meaning="Anatomical Structure")
    side: Code | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.value <= 254:
            raise ValueError(f"Label value {self.value} is outside 1 to 254.")
        if not self.name.strip():
            raise ValueError(f"Label {self.value} has no name.")
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", self.color):
            raise ValueError(f"Colour {self.color!r} of {self.name} is not of the form #rrggbb.")

    @property
    def rgb(self) -> tuple[float, float, float]:
        """Red, green, blue from 0 to 1."""
        red, green, blue = (int(self.color[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return red, green, blue


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """The organs a model knows, numbered 1 to n without gaps; 0 is background.

    Attributes:
        labels: the organs in order of value.
        mirrored: pairs of values that swap when left and right swap (the kidneys).
    """

    labels: tuple[Label, ...]
    mirrored: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        values = [label.value for label in self.labels]
        if values != list(range(1, len(values) + 1)):
            raise ValueError(f"Label values must run from 1 without gaps, not {values}.")
        names = [label.name for label in self.labels]
        if len(set(names)) != len(names):
            raise ValueError("Two labels share a name.")
        if any(v not in values for pair in self.mirrored for v in pair):
            raise ValueError("A mirrored label is not in the table.")

    def __iter__(self):  # noqa: ANN204
        return iter(self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """Number of classes, background included."""
        return len(self.labels) + 1

    def named(self, name: str) -> Label:
        """The label of that name; KeyError when there is none."""
        for label in self.labels:
            if label.name == name:
                return label
        raise KeyError(name)


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelMap:
    """Which organ each voxel belongs to.

    Attributes:
        array: ``(I, J, K)`` uint8; 0 background, 255 not annotated.
        grid: where the voxels lie.
        table: what the values mean.

    Raises:
        ValueError: for a wrong shape or dtype, or values that the table does not hold.
    """

    array: np.ndarray
    grid: Grid
    table: LabelTable

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape:
            raise ValueError(f"Array {self.array.shape} does not fit grid {self.grid.shape}.")
        if self.array.dtype != np.uint8:
            raise ValueError(f"A label map holds uint8, not {self.array.dtype}.")
        if self.array.max() <= len(self.table):
            return  # the table has no gaps, so all of them are known
        strange = set(np.flatnonzero(_counts(self.array)).tolist())
        strange -= {0, UNANNOTATED} | {label.value for label in self.table}
        if strange:
            raise ValueError(f"Values {sorted(strange)} are not in the label table.")

    def cut_off(self) -> frozenset[str]:
        """Organs that reach the border of the scan, so that their volume is only a part.

        An axis of one voxel has no border; or a single slice would cut everything.
        """
        there = np.zeros(256, dtype=bool)
        for axis in (axis for axis, n in enumerate(self.array.shape) if n > 1):
            for end in (0, -1):
                there |= (
                    np.bincount(np.moveaxis(self.array, axis, 0)[end].ravel(), minlength=256) > 0
                )
        return frozenset(label.name for label in self.table if there[label.value])

    def volumes_ml(self) -> dict[str, float]:
        """Millilitres per organ name, in the table's order."""
        box = nonzero_box(self.array) or (slice(0, 0),) * 3
        counts = _counts(self.array[box])
        return {label.name: float(counts[label.value]) * self.grid.voxel_ml for label in self.table}


def _counts(array: np.ndarray) -> np.ndarray:
    """How often each of 0 to 255 occurs, plane by plane.

    One call for all voxels would hold Python's lock for half a second on a large scan, and a
    window stands still meanwhile, whichever thread asks.
    """
    total = np.zeros(256, dtype=np.int64)
    # Along the slowest axis, which in a box of an array is no longer told by its flags.
    for plane in array.T if abs(array.strides[0]) < abs(array.strides[-1]) else array:
        organs = plane[plane != 0]
        total[0] += plane.size - organs.size
        total += np.bincount(organs, minlength=256)
    return total
