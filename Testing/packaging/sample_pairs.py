"""Writes CMCSegmentation/Resources/SampleData: ``python sample_pairs.py`` (half a minute).

One synthetic pair per model, small enough to travel with the extension: the phantoms of
``cmcseg sample`` on coarser voxels. The files are compressed at level 5 without a time stamp; where
zlib is another one their bytes may differ, and their voxels do not.
"""

import hashlib
from pathlib import Path

import numpy as np
from cmcseg.bundle.store import task_card
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.volume import Volume
from cmcseg.data.synthesis import PhantomScan, make_pair
from cmcseg.imaging.files import write_label_map, write_volume
from cmcseg.imaging.resample import resample, resample_labels

FOLDER = Path(__file__).resolve().parents[2] / "CMCSegmentation" / "Resources" / "SampleData"
# By name: the task, and the edge of a voxel within the slice in mm. Thick slices stay as they are.
PAIRS = {"CMCSegAbdomen": ("abdomen", 3.0), "CMCSegHeart": ("heart", 2.0)}
SEED = 0
SHIFT_MM = 8.0  # patients do not lie twice alike


def small_pair(name: str) -> dict[str, PhantomScan]:
    """A pair as it is shipped, by role."""
    task, edge_mm = PAIRS[name]
    pair = make_pair(task, task_card(task).table, seed=SEED, shift_mm=SHIFT_MM)
    return {role: _coarser(scan, edge_mm) for role, scan in pair.items()}


def write(folder: Path) -> None:
    """Write ``NAME_ROLE.nii.gz``, ``NAME_ROLE_truth.nii.gz`` and the list of their checksums."""
    folder.mkdir(exist_ok=True)
    for name in PAIRS:
        for role, scan in small_pair(name).items():
            write_volume(scan.volume, folder / f"{name}_{role}.nii.gz")
            write_label_map(scan.truth, folder / f"{name}_{role}_truth.nii.gz")
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.glob("*.nii.gz"))
    ]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8", newline="\n")


def _coarser(scan: PhantomScan, edge_mm: float) -> PhantomScan:
    fine = scan.volume.grid
    size = np.array([edge_mm, edge_mm, fine.spacing[2]])
    affine = fine.affine.copy()
    affine[:3, :3] = fine.direction * size
    affine[:3, 3] = np.round(fine.world((size / fine.spacing - 1) / 2), 6)  # the corners agree
    shape = tuple(int(n) for n in np.array(fine.shape) * fine.spacing / size + 1e-6)
    grid = Grid(shape=shape, affine=affine)
    image = resample(scan.volume.array, fine, grid, fill=float(scan.volume.array.min()))
    return PhantomScan(
        volume=Volume(array=np.rint(image).astype(np.int16), grid=grid, facts=scan.volume.facts),
        truth=LabelMap(array=resample_labels(scan.truth, grid), grid=grid, table=scan.truth.table),
    )


if __name__ == "__main__":
    write(FOLDER)
