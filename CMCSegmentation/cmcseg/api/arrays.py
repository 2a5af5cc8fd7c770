"""Arrays and files as volumes; an array without its orientation is refused, never guessed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap, LabelTable
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import read_label_map, read_volume

Scan: TypeAlias = str | Path | np.ndarray | Volume
TOWARDS = {
    "R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0),
    "S": (0, 0, 1), "I": (0, 0, -1),
}  # fmt: skip


def volumes_of(
    scans: Mapping[str, Scan], *, spacing: Any = None, axes: Any = "", affine: Any = None
) -> dict[str, Volume]:
    """Every scan as a volume.

    Args:
        scans: a file, a DICOM folder, an array or a volume by role.
        spacing, axes, affine: of arrays, as of ``grid_of``; one for all of them, or a mapping with
            one for each role.

    Raises:
        BadInput: when an array comes without its orientation, or a file cannot be read.
    """
    found = {}
    for role, scan in scans.items():
        if isinstance(scan, Volume):
            found[role] = scan
        elif isinstance(scan, str | Path):
            found[role] = read_volume(Path(scan))
        else:
            array = np.asarray(scan)
            own = (_of(role, value) for value in (spacing, axes, affine))
            grid = grid_of(f"The {role} array", array.shape, *own)
            try:
                found[role] = Volume(array=array, grid=grid)
            except ValueError as error:
                raise BadInput(f"The {role} array cannot be a scan: {error}") from error
    return found


def labels_of(labels: Mapping[str, Any], volumes: Mapping[str, Volume], table: LabelTable) -> dict:
    """Label maps by role: files, or arrays in the axes of their scan.

    Raises:
        BadInput: when there is no such scan, shapes differ or values are not in the table.
    """
    found = {}
    for role, each in labels.items():
        if role not in volumes:
            raise BadInput(f"Labels were given for {role}, but no scan.")
        grid = volumes[role].grid
        if isinstance(each, str | Path):
            found[role] = read_label_map(Path(each), table, on=grid)
            continue
        array = np.asarray(each)
        if array.dtype.kind not in "iub" or array.min() < 0 or array.max() > 255:
            raise BadInput(f"The {role} labels must be whole numbers from 0 to 255.")
        try:
            found[role] = LabelMap(array=array.astype(np.uint8), grid=grid, table=table)
        except ValueError as error:
            raise BadInput(f"The {role} labels cannot be used: {error}") from error
    return found


def grid_of(
    what: str, shape: tuple[int, ...], spacing: Any = None, axes: str = "", affine: Any = None
) -> Grid:
    """Where the voxels of an array lie.

    Args:
        what: what errors call the array.
        shape: of it.
        spacing: mm between neighbours along its three axes.
        axes: where the index grows to along each axis: three of R or L, A or P, S or I. ``LPS`` is
            how DICOM and SimpleITK count (of ``GetArrayFromImage``, which turns the axes round,
            ``SPL``), ``RAS`` an array of nibabel in its canonical form. The array's middle is put
            at 0, 0, 0.
        affine: 4 x 4, voxel index to RAS in mm, as nibabel's; in place of both.

    Raises:
        BadInput: when neither is given, or they say nothing that can be.
    """
    if len(shape) != 3:
        raise BadInput(f"{what} has {len(shape)} axes; a scan has three.")
    try:
        if affine is not None:
            return Grid(shape=shape, affine=np.asarray(affine, dtype=np.float64))
        if spacing is None or not axes:
            raise BadInput(
                f"{what} does not say where its voxels lie; give spacing=(x, y, z) in mm and "
                "axes='LPS' (where its indices grow to), or affine=. A guess would find other "
                "organs."
            )
        steps = np.array(spacing, dtype=np.float64)
        kinds = sorted("RLAPSI".find(letter) // 2 for letter in axes.upper())
        if kinds != [0, 1, 2] or steps.shape != (3,) or not (steps > 0).all():
            raise BadInput(
                f"{what}: axes are three letters, one of R or L, one of A or P, one of S or I, and "
                f"spacing three lengths in mm; given were {axes!r} and {spacing!r}."
            )
        matrix = np.eye(4)
        matrix[:3, :3] = np.array([TOWARDS[x] for x in axes.upper()], dtype=float).T * steps
        matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(shape) - 1) / 2)
        return Grid(shape=shape, affine=matrix)
    except (ValueError, TypeError) as error:
        raise BadInput(f"{what} cannot be placed: {error}") from error


def _of(role: str, value: Any) -> Any:
    return value.get(role) if isinstance(value, Mapping) else value
