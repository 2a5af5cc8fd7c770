"""What an image file says about itself before its voxels are read, and whether it can be used."""

import os
from dataclasses import dataclass, field

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid

KINDS = "NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd) or a DICOM folder"
# Axes further from a right angle than this (as a cosine, 0.06 degrees) are sheared; below it the
# corners of a 400 mm scan move by less than half a voxel.
SHEAR = 1e-3
# No scan of a patient is longer than this, nor wider in two directions than any scanner's bore.
LONGEST_MM, WIDEST_MM = 2500.0, 1000.0
# Nor is one smaller than this with finer voxels than that: what is left of a scan whose voxel
# size is a tenth of the true one. Small pieces of a scan have its voxels, and are read.
SMALLEST_MM, FINEST_MM = 60.0, 0.2
# Deflate cannot pack more than this many bytes into one.
DEFLATE_LIMIT = 1032


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageHeader:
    """A file's own words, not yet believed.

    Attributes:
        name: of the file, for the error sentence.
        shape: voxels along each axis, of any number of axes.
        components: values per voxel.
        itemsize: bytes of one stored value.
        spacing: mm along the first three axes, as stored.
        affine: 4 x 4 voxel index to RAS in mm.
        stored: bytes of the file that hold the voxels; None when they are in another file.
        compressed: whether those bytes are packed.
        facts: what else is known.
    """

    name: str
    shape: tuple[int, ...]
    components: int
    itemsize: int
    spacing: tuple[float, ...]
    affine: np.ndarray
    stored: int | None
    compressed: bool
    facts: dict[str, str] = field(default_factory=dict)


def usable_grid(header: ImageHeader) -> Grid:
    """The grid of a header that describes one scalar 3-D image which fits into memory.

    Nothing of the image's size is allocated.

    Raises:
        BadInput: otherwise, saying what is wrong.
    """
    shape = _three_axes(header)
    _check_spacing(header)
    _check_axes(header)
    unfold = DEFLATE_LIMIT if header.compressed else 1
    check_size(header.name, header.shape, header.itemsize, header.stored, unfold)
    _check_extent(header)
    return Grid(shape=shape, affine=header.affine)


def memory_bytes() -> int | None:
    """Memory of this computer in bytes; None where the system does not say (Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def in_units(count: float) -> str:
    """A number of bytes for people: ``3.2 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB" if count < 1000 else f"{count:,.0f} TB"


def _three_axes(header: ImageHeader) -> tuple[int, int, int]:
    name = header.name
    shape = tuple(header.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if min(shape, default=0) < 1:
        raise BadInput(f"{name} has no voxels ({_times(shape)}); export the scan again.")
    if len(shape) == 5 and shape[3] == 1:  # NIfTI keeps vectors in its fifth axis
        components, shape = header.components * shape[4], shape[:3]
    else:
        components = header.components
    if components > 1:
        raise BadInput(
            f"{name} holds {components} values per voxel (colour or vectors), not one; "
            "give a greyscale image."
        )
    if len(shape) < 3:
        raise BadInput(
            f"{name} is {len(shape)}-D ({_times(shape)}), not a 3-D scan; give the whole stack of "
            "slices as one file or as a DICOM folder."
        )
    if len(shape) > 3:
        frames = int(np.prod(shape[3:], dtype=object))
        raise BadInput(
            f"{name} is {len(shape)}-D with {frames} frames ({_times(shape)}); save the frame you "
            "want as a 3-D image and give that."
        )
    if min(shape) < 2:
        raise BadInput(
            f"{name} has a single slice along axis {'ijk'[shape.index(min(shape))]} "
            f"({_times(shape)}); a scan needs at least 2 voxels along every axis."
        )
    return shape


def _check_spacing(header: ImageHeader) -> None:
    spacing = np.array(header.spacing[:3], dtype=np.float64)
    if not (np.isfinite(spacing) & (spacing > 0)).all():
        raise BadInput(
            f"{header.name} has the voxel spacing {_times(spacing)} mm; every spacing must be a "
            "number above 0, so repair the header or export the scan again."
        )


def _check_axes(header: ImageHeader) -> None:
    if not np.isfinite(header.affine).all():
        raise BadInput(
            f"{header.name} does not say where it lies (its header holds NaN or infinity); repair "
            "the header or export the scan again."
        )
    axes = header.affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not (lengths > 1e-6).all():
        raise BadInput(
            f"{header.name} has the voxel spacing {_times(lengths)} mm; every spacing must be a "
            "number above 0, so repair the header or export the scan again."
        )
    cosines = np.abs((axes / lengths).T @ (axes / lengths) - np.eye(3))
    if cosines.max() > SHEAR:
        angle = np.degrees(np.arcsin(min(float(cosines.max()), 1.0)))
        raise BadInput(
            f"{header.name} has axes that are not at right angles (sheared by {angle:.1f} "
            "degrees, as by a tilted gantry); give the DICOM folder, or resample it onto a "
            "straight grid."
        )
    # Two tools that trust different ones would measure different volumes.
    if (np.abs(lengths / np.array(header.spacing[:3]) - 1) > 0.01).any():
        raise BadInput(
            f"{header.name} gives two voxel sizes, {_times(header.spacing[:3])} mm and "
            f"{_times(lengths)} mm; repair the header or export the scan again."
        )


def _check_extent(header: ImageHeader) -> None:
    """Refuse a size that no patient has, before a working grid of that size is allocated."""
    steps = np.linalg.norm(header.affine[:3, :3], axis=0)
    extent = np.sort(np.array(header.shape[:3]) * steps)
    if extent[2] > LONGEST_MM or extent[1] > WIDEST_MM:
        told = f"{extent[2] / 1000:.3g} m wide by its header, more than any patient"
    elif extent[2] < SMALLEST_MM and steps.min() < FINEST_MM:
        told = f"{extent[2]:.3g} mm wide by its header, with voxels of {steps.min():.2g} mm"
    else:
        return
    raise BadInput(
        f"{header.name} is {told}; the unit or the voxel size is probably wrong, so export the "
        "scan again."
    )


def check_size(
    name: str, shape: tuple[int, ...], itemsize: int, stored: int | None, unfold: int
) -> None:
    """Refuse a header that promises more voxels than the file can hold or the memory take.

    Args:
        name: of the file, for the error sentence.
        shape: along all axes.
        itemsize: bytes of one stored value.
        stored: bytes that hold the voxels; None when that is not known.
        unfold: how many bytes one of them may stand for.

    Raises:
        BadInput: for either.
    """
    # Python's integers do not overflow, numpy's do.
    needed = itemsize
    for length in shape:
        needed *= int(length)
    claim = f"The header of {name} promises {_times(shape)} voxels"
    if stored is not None and needed > stored * unfold:
        raise BadInput(
            f"{claim} ({in_units(needed)}), but the file holds only {in_units(stored)}; it is "
            "damaged or was cut short, so copy it again."
        )
    memory = memory_bytes()
    if memory is not None and 2 * needed > memory:
        raise BadInput(
            f"{claim}; reading it needs {in_units(2 * needed)}, this computer has "
            f"{in_units(memory)}; crop or resample the scan first."
        )


def _times(numbers: object) -> str:
    return " x ".join(f"{n:g}" if isinstance(n, float) else str(n) for n in numbers)
