"""What two scans of different contrast have in common: where something changes.

Each intensity is put in relation to its surroundings, (I - mean) / deviation within a Gaussian of
``REACH_MM``, over the body only. Coils' unevenness disappears and faint edges count as much as
strong ones, which is what made registration of heart scans dependable (``docs/alignment.md``).
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging.resample import grid_of, to_image

REACH_MM = 12.0
AIR = 0.1  # of the scan's own range; below it there is no body
DEVIATIONS = 2.5  # that fit into 0 to 1 on either side
FLAT = 0.02  # deviation below which a region counts as flat, so that noise is not blown up


@dataclass(frozen=True, kw_only=True, eq=False)
class Level:
    """One scan at one coarseness.

    Attributes:
        image: float32, 0 to 1; SimpleITK, LPS.
        body: uint8 mask on the same voxels.
        spacing: of the coarse voxels as asked for, in mm.
    """

    image: sitk.Image
    body: sitk.Image
    spacing: float

    @property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        return grid_of(self.image)


def levels(volume: Volume, coarse_mm: float, fine_mm: float) -> tuple[Level, Level]:
    """The scan's local contrast, coarse and fine.

    Args:
        volume: any scan.
        coarse_mm, fine_mm: spacings of the voxels, at least; thicker slices stay as they are.
    """
    fine = _binned(to_image(_unit(volume.array), volume.grid), fine_mm)
    body = sitk.BinaryFillhole(sitk.BinaryMorphologicalClosing(fine > AIR, [2, 2, 1]))
    share = _binned(sitk.Cast(body, sitk.sitkFloat32), coarse_mm)
    return (
        _level(_binned(fine, coarse_mm), sitk.Cast(share > 0.5, sitk.sitkUInt8), coarse_mm),
        _level(fine, body, fine_mm),
    )


def _unit(array: np.ndarray) -> np.ndarray:
    """0 to 1 between the 0.5th and the 99.5th percentile of what is above the minimum."""
    inside = array[array > array.min()]
    step = max(1, inside.size // 200_000)
    low, high = np.percentile(inside[::step], (0.5, 99.5)).astype(np.float32)
    return np.clip((array.astype(np.float32) - low) / max(high - low, np.float32(1e-6)), 0, 1)


def _binned(image: sitk.Image, spacing: float) -> sitk.Image:
    """Mean over whole voxels, until they are about as wide as asked."""
    factors = [
        max(1, min(count, int(spacing / width + 0.5)))
        for count, width in zip(image.GetSize(), image.GetSpacing(), strict=True)
    ]
    return sitk.BinShrink(image, factors)


def _level(image: sitk.Image, body: sitk.Image, spacing: float) -> Level:
    weight = sitk.Cast(body, sitk.sitkFloat32)
    total = sitk.Abs(_smooth(weight)) + 1e-3

    def mean(x: sitk.Image) -> sitk.Image:
        return sitk.Divide(_smooth(x * weight), total)

    above = image - mean(image)
    deviation = sitk.Sqrt(sitk.Abs(mean(above * above)) + FLAT**2)
    unit = (sitk.Divide(above, deviation) + DEVIATIONS) / (2 * DEVIATIONS)
    unit = sitk.Clamp(unit, sitk.sitkFloat32, 0, 0.9999)
    return Level(image=unit, body=body, spacing=spacing)


def _smooth(image: sitk.Image) -> sitk.Image:
    """Gaussian of ``REACH_MM``; axes of fewer than four voxels are left alone."""
    for axis, count in enumerate(image.GetSize()):
        if count >= 4:
            image = sitk.RecursiveGaussian(image, sigma=REACH_MM, direction=axis)
    return sitk.Cast(image, sitk.sitkFloat32)
