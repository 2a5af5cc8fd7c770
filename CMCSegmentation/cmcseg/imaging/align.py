"""How two scans of one patient lie to each other, and how far that can be trusted.

Scans are compared by the normalised mutual information of Studholme, Hill and Hawkes (1999),
(H(A) + H(B)) / H(A, B), after their local contrast has been made equal, so that neither the
coils' unevenness nor the body's outline decides. A similarity means nothing by itself: it is
judged against the similarities of the same two scans displaced by 15 to 40 mm.

Matrices are 4 x 4, RAS, mm, from the moving scan's world to the fixed one's. SimpleITK's
transforms are LPS and map the other way, points of the sampled image to points of the other.
"""

import time
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.prediction import Alignment
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.core.settings import ALIGNMENTS
from cmcseg.core.volume import Volume
from cmcseg.imaging.resample import LPS, field_of_view, resample, to_array, to_image

COARSE_MM, FINE_MM = 8.0, 4.0
BINS = {COARSE_MM: 16, FINE_MM: 32}
SAMPLES = 25_000  # voxels that the optimiser looks at per step
UNITS = 4  # shares of the work; fixed, so that sums do not depend on the number of threads
CONTRAST_MM = 12.0  # deviation of the Gaussian that local contrast is measured with


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How two scans lie to each other as their files say.

    Attributes:
        centers_mm: distance of the two fields of view's middles.
        overlap: share of the smaller field of view that both scans see, 0 to 1.
        tilt_deg: angle between the two stacks' slice normals, 0 to 90.
    """

    centers_mm: float
    overlap: float
    tilt_deg: float

    def sentence(self) -> str:
        """One line for the screen, known before anything runs."""
        return (
            f"Centres {self.centers_mm:.0f} mm apart, {self.overlap:.0%} shared view, "
            f"{self.tilt_deg:.0f} degrees tilted."
        )


def describe(fixed: Grid, moving: Grid, matrix: np.ndarray | None = None) -> Placement:
    """What the headers alone tell; takes milliseconds.

    Args:
        fixed, moving: where the voxels lie.
        matrix: 4 x 4 rigid RAS matrix that moves the moving scan; identity if None.
    """
    if matrix is not None:
        moving = moving.moved(matrix)
    small, large = sorted((fixed, moving), key=lambda grid: grid.size * grid.voxel_ml)
    shared = field_of_view(large, _lattice(small, 32))
    cosine = abs(float(_slice_normal(fixed) @ _slice_normal(moving)))
    return Placement(
        centers_mm=float(np.linalg.norm(fixed.center - moving.center)),
        overlap=float(shared.mean()),
        tilt_deg=float(np.degrees(np.arccos(min(cosine, 1.0)))),
    )


def align(
    fixed: Volume,
    moving: Volume,
    *,
    method: str,
    fixed_role: str,
    moving_role: str,
    fixed_title: str | None = None,
    moving_title: str | None = None,
    report: Report = ignore,
) -> Alignment:
    """Find how the moving scan lies to the fixed one."""
    began = time.perf_counter()
    names = fixed_title or fixed_role.upper(), moving_title or moving_role.upper()
    if method not in ALIGNMENTS:
        raise ValueError(f"Alignment {method!r} is not one of {', '.join(ALIGNMENTS)}.")
    placement = describe(fixed.grid, moving.grid)
    if placement.overlap == 0 and method != "rigid":
        raise BadInput(
            f"The {names[1]} does not overlap the {names[0]} (centres "
            f"{placement.centers_mm:.0f} mm apart). Are they the same patient?"
        )
