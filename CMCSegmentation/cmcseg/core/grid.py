"""Where the voxels of an image lie in the patient.

World coordinates are RAS in millimetres (right, anterior, superior positive), as in
NIfTI and 3D Slicer. SimpleITK and DICOM use LPS; only ``imaging`` knows about that.
"""

from dataclasses import dataclass

import numpy as np

# Two grids whose corners differ by less than this are the same grid: well below any
# voxel, well above what float32 headers lose.
CORNER_TOLERANCE_MM = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """A regular, possibly oblique, possibly left-handed lattice of voxels.

    Attributes:
        shape: voxels along the axes i, j, k.
        affine: 4 x 4, voxel index (i, j, k, 1) to RAS position in mm; a read-only copy is kept.

    Raises:
        ValueError: for an empty shape, or a matrix that is not finite, invertible and affine.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        affine = np.array(self.affine, dtype=np.float64)
        if len(shape) != 3 or min(shape) < 1:
            raise ValueError(f"A grid needs three axes of at least one voxel, not {shape}.")
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError("A grid needs a finite 4 x 4 affine.")
        if not np.allclose(affine[3], (0, 0, 0, 1)):
            raise ValueError("The last row of a grid's affine must be 0 0 0 1.")
        if np.linalg.norm(affine[:3, :3], axis=0).min() < 1e-6:
            raise ValueError("A grid needs a positive spacing along every axis.")
        if abs(np.linalg.det(_unit_columns(affine))) < 1e-3:
            raise ValueError("A grid's axes must not lie in one plane.")
        affine.flags.writeable = False
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbours along i, j, k in mm."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return i, j, k

    @property
    def direction(self) -> np.ndarray:
        """3 x 3, unit vectors of the axes i, j, k as columns, in RAS."""
        return _unit_columns(self.affine)

    @property
    def origin(self) -> np.ndarray:
        """RAS position of the centre of voxel (0, 0, 0) in mm."""
        return self.affine[:3, 3].copy()

    @property
    def center(self) -> np.ndarray:
        """RAS position of the middle of the grid in mm."""
        return self.world((np.array(self.shape) - 1) / 2)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape))

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000

    @property
    def extent(self) -> tuple[float, float, float]:
        """Edge to edge lengths along i, j, k in mm, half voxels included."""
        i, j, k = (n * s for n, s in zip(self.shape, self.spacing, strict=True))
        return i, j, k

    def world(self, index: np.ndarray) -> np.ndarray:
        """RAS positions in mm of voxel indices, both ``(..., 3)``."""
        return np.asarray(index, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def index(self, world: np.ndarray) -> np.ndarray:
        """Fractional voxel indices of RAS positions in mm, both ``(..., 3)``."""
        inverse = np.linalg.inv(self.affine)
        return np.asarray(world, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3]

    def corners(self) -> np.ndarray:
        """``(8, 3)`` RAS positions of the outer corners (half voxels included) in mm."""
        ends = [(-0.5, n - 0.5) for n in self.shape]
        return self.world(np.array([(i, j, k) for i in ends[0] for j in ends[1] for k in ends[2]]))

    def agrees_with(self, other: "Grid", tolerance_mm: float = CORNER_TOLERANCE_MM) -> bool:
        """Whether both grids put the same voxels in the same places."""
        return self.shape == other.shape and bool(
            np.abs(self.corners() - other.corners()).max() <= tolerance_mm
        )

    def moved(self, matrix: np.ndarray) -> "Grid":
        """The same voxels after the patient was moved by a 4 x 4 RAS matrix."""
        return Grid(shape=self.shape, affine=np.asarray(matrix) @ self.affine)

    def to_dict(self) -> dict:
        """JSON-ready form; ``from_dict`` reads it back exactly."""
        return {"shape": list(self.shape), "affine": self.affine.tolist()}

    @staticmethod
    def from_dict(value: dict) -> "Grid":
        """Inverse of ``to_dict``."""
        return Grid(shape=tuple(value["shape"]), affine=np.array(value["affine"]))


def _unit_columns(affine: np.ndarray) -> np.ndarray:
    axes = affine[:3, :3]
    return axes / np.linalg.norm(axes, axis=0)
