"""Generated series, read by us and by dcm2niix: ``python Testing/helpers/against_dcm2niix.py``.

It prints the table of ``docs/reading.md``; ``Testing/imaging/test_dcm2niix.py`` holds every row to
its bound. dcm2niix comes with Debian (``apt install dcm2niix``) and PyPI (``pip install
dcm2niix``).
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
from cmcseg.core.grid import Grid
from cmcseg.imaging.dicom import read_series
from cmcseg.imaging.lattice import pasted
from dicom_phantom import write_series
from pydicom.uid import generate_uid

SHAPE = (32, 28, 10)
AXIAL = np.array([[-0.7, 0, 0, 10], [0, -0.8, 0, -20], [0, 0, 2.5, 33], [0, 0, 0, 1]])
HEIGHTS = np.array([0, 2.5, 5.2, 7.5, 9.7, 12.5, 15, 17.5, 20, 22.5])
TILT = 14.0  # degrees

Theirs = dict[str, tuple[np.ndarray, Grid]]
Twins = list[tuple[np.ndarray, np.ndarray]]  # values of both readers at the same places


@dataclass(frozen=True, kw_only=True)
class Series:
    """One generated series.

    Attributes:
        name: in the table.
        write: writes it into a folder.
        twins: what both readers made of it, where both say something.
        bound: the largest difference that is none, in stored units.
    """

    name: str
    write: Callable[[Path], None]
    twins: Callable[[Path, Theirs], Twins]
    bound: float = 0.0


def converted(folder: Path) -> Theirs:
    """Volumes and grids that dcm2niix makes of a folder, in the order of their names."""
    found = {}
    with tempfile.TemporaryDirectory() as out:
        command = ["dcm2niix", "-z", "n", "-b", "n", "-f", "%s_%e", "-o", out, str(folder)]
        subprocess.run(command, check=True, capture_output=True)
        for path in sorted(Path(out).glob("*.nii")):
            image = nibabel.load(path)
            array = np.asarray(image.dataobj).copy()
            found[path.name] = (array, Grid(shape=array.shape[:3], affine=image.affine))
    return found


def difference(series: Series) -> tuple[int, float]:
    """How many volumes were held against each other, and their largest difference."""
    with tempfile.TemporaryDirectory() as folder:
        series.write(Path(folder))
        twins = series.twins(Path(folder), converted(Path(folder)))
    away = [np.abs(ours.astype(float) - theirs.astype(float)).max() for ours, theirs in twins]
    return len(twins), float(max(away))


def _stored() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2000, SHAPE).astype(np.int16)


def _turned(seed: int) -> np.ndarray:
    """An oblique right-handed grid."""
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    affine = AXIAL.copy()
    affine[:3, :3] = (turn if np.linalg.det(turn) > 0 else turn[:, [1, 0, 2]]) * (0.7, 0.8, 2.5)
    return affine


def _plain(affine: np.ndarray, folder: Path) -> None:
    write_series(folder, _stored(), affine)


def _sloped(folder: Path) -> None:
    def rescale(k: int, one: object) -> None:
        one.RescaleSlope, one.RescaleIntercept = 0.5 + k, 10 * k

    write_series(folder, _stored(), AXIAL, modality="MR", change=rescale)


def _several(count: int, tag: Callable, folder: Path) -> None:
    """Volumes of the same places in one series."""
    uid = generate_uid()
    for number in range(count):

        def spoil(k: int, one: object, number: int = number) -> None:
            one.SeriesInstanceUID, one.SeriesNumber = uid, 5
            one.InstanceNumber = 100 * number + k + 1
            tag(number, one)

        voxels = _stored() + number
        write_series(folder, voxels, AXIAL, modality="MR", number=5 + number, change=spoil)


def _echo(number: int, one: object) -> None:
    one.EchoTime, one.EchoNumbers = 2.3 * (number + 1), number + 1


def _phase(number: int, one: object) -> None:
    one.TemporalPositionIdentifier = one.AcquisitionNumber = number + 1


def _tilted_affine() -> np.ndarray:
    affine, angle = AXIAL.copy(), np.radians(TILT)
    affine[:3, 2] = 2.5 * np.array([0, np.sin(angle), np.cos(angle)])
    return affine


def _tilted(folder: Path) -> None:
    def tilt(_k: int, one: object) -> None:
        one.GantryDetectorTilt = TILT

    affine = _tilted_affine()
    points = _places(SHAPE) @ affine[:3, :3].T + affine[:3, 3]
    smooth = np.round(points @ np.array([3.0, -2.0, 4.0]) + 500).astype(np.int16)
    write_series(folder, smooth, affine, change=tilt)


def _uneven(folder: Path) -> None:
    def move(k: int, one: object) -> None:
        one.ImagePositionPatient[2] = 33.0 + HEIGHTS[k]

    write_series(folder, _field(HEIGHTS), AXIAL, change=move)


def _field(heights: np.ndarray) -> np.ndarray:
    """Values that grow evenly upwards, so that interpolation does not change them."""
    return np.broadcast_to(np.round(40 * heights).astype(np.int16), (*SHAPE[:2], len(heights)))


def _places(shape: tuple[int, ...]) -> np.ndarray:
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)


def _each(folder: Path, theirs: Theirs) -> Twins:
    """The n-th of their volumes, frames counted one by one, is our stack of that number."""
    twins = []
    for array, grid in theirs.values():
        for frame in np.moveaxis(array.reshape(*SHAPE, -1), -1, 0):
            volume = read_series(folder, len(twins) + 1)
            twins.append((volume.array, pasted(frame, grid, volume.grid)))
    return twins


def _within(folder: Path, theirs: Theirs) -> Twins:
    """Where neither has mixed the rim of the tilted stack with air."""
    array, grid = next(pair for name, pair in theirs.items() if "Tilt" in name)
    volume = read_series(folder)
    affine = _tilted_affine()
    places = volume.grid.world(_places(volume.grid.shape)) - affine[:3, 3]
    old = places @ np.linalg.inv(affine[:3, :3]).T
    seen = ((old >= 1) & (old <= np.array(SHAPE) - 2)).all(axis=-1)
    if seen.mean() < 0.4:
        raise ValueError("Too little of the stack is left to compare.")
    return [(volume.array[seen], pasted(array, grid, volume.grid)[seen])]


def _upwards(folder: Path, theirs: Theirs) -> Twins:
    """Their steps are the smallest, ours the mean ones: both against the field itself."""
    array, grid = next(pair for name, pair in theirs.items() if "Eq" in name)
    volume = read_series(folder)
    found, true = [], []
    for voxels, where in ((volume.array, volume.grid), (array, grid)):
        heights = where.world(np.array([(0, 0, k) for k in range(voxels.shape[2])]))[:, 2] - 33
        found.append(voxels[5, 5])
        true.append(40 * heights)
    return [(np.concatenate(found), np.concatenate(true))]


SERIES = (
    Series(name="axial", write=partial(_plain, AXIAL), twins=_each),
    Series(name="oblique", write=partial(_plain, _turned(1)), twins=_each),
    Series(name="oblique, nearly coronal", write=partial(_plain, _turned(2)), twins=_each),
    Series(name="a slope for every slice", write=_sloped, twins=_each, bound=1e-2),
    Series(name="two echoes", write=partial(_several, 2, _echo), twins=_each),
    Series(name="three phases", write=partial(_several, 3, _phase), twins=_each),
    Series(name=f"gantry tilted by {TILT:.0f} degrees", write=_tilted, twins=_within, bound=2),
    Series(name="uneven steps, 2.2 to 2.8 mm", write=_uneven, twins=_upwards, bound=2),
)


def main() -> int:
    """Print the table."""
    if shutil.which("dcm2niix") is None:
        sys.stderr.write("dcm2niix is not installed; apt install dcm2niix brings it.\n")
        return 2
    lines = ["| series | volumes | largest difference |", "|---|---|---|"]
    for series in SERIES:
        count, away = difference(series)
        lines.append(f"| {series.name} | {count} | {away:.2g} |")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
