"""An image: numbers on a grid."""

from dataclasses import dataclass, field

import numpy as np

from cmcseg.core.grid import Grid


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume:
    """One scalar image.

    Attributes:
        array: ``(I, J, K)`` numbers, axes in the grid's order.
        grid: where they lie.
        facts: what the file said beside the numbers ("modality", "series", "source"); never
            a patient's name, number or date.

    Raises:
        ValueError: when array and grid differ in shape, or the array does not hold real numbers.
    """

    array: np.ndarray
    grid: Grid
    facts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape:
            raise ValueError(f"Array {self.array.shape} does not fit grid {self.grid.shape}.")
        if self.array.dtype.kind not in "iufb":
            raise ValueError(f"A volume holds real numbers, not {self.array.dtype}.")

    def is_same_as(self, other: "Volume") -> bool:
        """Whether both hold the same numbers at the same places."""
        return self.grid.agrees_with(other.grid) and np.array_equal(self.array, other.array)
