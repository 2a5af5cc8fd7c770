"""NIfTI files (.nii, .nii.gz), read and written byte by byte.

SimpleITK is not used here, because of what it does without a word: a file that was cut short is
read as if it were whole, a full disk leaves half a file, a zero spacing becomes 1 mm, and a sheared
position gives way to another one. The formats: https://nifti.nimh.nih.gov/nifti-1 and nifti-2.
"""

import gzip
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.imaging.gzip_runs import GzipRuns
from cmcseg.imaging.header import ImageHeader, usable_grid

TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
COLOURS = {128: 3, 2304: 4}  # RGB and RGBA, one byte each
MILLIMETRES = {1: 1000.0, 2: 1.0, 3: 0.001}  # by the header's spatial unit
PIECE = 2**24  # bytes that are unpacked at a time
SCANNER = 1  # code of a position in the scanner's own coordinates

_HEADER_1 = np.dtype(
    {
        "names": [
            *("size", "dim", "datatype", "bitpix", "pixdim", "vox_offset", "slope", "intercept"),
            *("units", "qform_code", "sform_code", "quaternion", "offset", "srow", "magic"),
        ],
        "formats": [
            *("i4", "8i2", "i2", "i2", "8f4", "f4", "f4", "f4"),
            *("u1", "i2", "i2", "3f4", "3f4", "(3,4)f4", "S4"),
        ],
        "offsets": [0, 40, 70, 72, 76, 108, 112, 116, 123, 252, 254, 256, 268, 280, 344],
        "itemsize": 348,
    }
)
_HEADER_2 = np.dtype(
    {
        "names": list(_HEADER_1.names),
        "formats": [
            *("i4", "8i8", "i2", "i2", "8f8", "i8", "f8", "f8"),
            *("i4", "i4", "i4", "3f8", "3f8", "(3,4)f8", "S4"),
        ],
        "offsets": [0, 16, 12, 14, 104, 168, 176, 184, 500, 344, 348, 352, 376, 400, 4],
        "itemsize": 540,
    }
)


def is_nifti(path: Path) -> bool:
    """Whether the name says NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def read(path: Path) -> tuple[np.ndarray, Grid, dict[str, str]]:
    """Read the voxels as stored (scaled only when the header asks for it), their grid and facts.

    Where the file gives two positions, the one that ITK and 3D Slicer choose is taken: the sform
    when it is in scanner coordinates or alone, else the qform.

    Returns:
        ``(I, J, K)`` numbers, the grid, and a "note" when the position is doubtful.

    Raises:
        BadInput: when it is damaged, or not one scalar 3-D image.
        OSError: when it cannot be opened.
    """
    try:
        packed = _is_packed(path)
        with gzip.open(path) if packed else path.open("rb") as file:
            record = _record(file, path.name)
            header = _header(record, path, packed)
            grid = usable_grid(header)
            return _voxels(file, record, grid.shape, path.name), grid, header.facts
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(
            f"{path.name} is damaged or was cut short (its compressed data end too early or do "
            "not fit together); copy or export it again."
        ) from error


def write(
    array: np.ndarray,
    grid: Grid,
    path: Path,
    slope: float = 1.0,
    stored: Callable[[np.ndarray], np.ndarray] = np.asarray,
    *,
    repeats: bool = False,
) -> None:
    """Write ``(I, J, K)`` numbers as NIfTI-1, packed when the name ends in .gz.

    The same input gives the same bytes. sform and qform both hold the grid.

    Args:
        array: whole or real numbers of a type in ``TYPES``, or bool.
        grid: where they lie.
        path: the file.
        slope: what readers multiply the numbers by.
        stored: makes the numbers that the file holds of an ``(I, J)`` plane of them.
        repeats: whether most voxels repeat the one before, as in label maps; packing looks for
            nothing else then.

    Raises:
        OSError: when the file cannot be written.
    """
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    kind = stored(array[:, :, 0]).dtype.str[1:]
    record = _new_record(grid, kind)
    record["slope"] = slope
    with path.open("wb") as raw, _packer(raw, path, repeats=repeats) as file:
        file.write(record.tobytes() + bytes(4))
        for k in range(array.shape[2]):
            plane = stored(array[:, :, k]).astype("<" + kind, copy=False)
            file.write(plane.tobytes(order="F"))


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _packer(
    raw: BinaryIO, path: Path, *, repeats: bool
) -> AbstractContextManager[BinaryIO | GzipRuns]:
    """A context that packs what it is given, or hands ``raw`` itself out."""
    if not path.name.lower().endswith(".gz"):
        return nullcontext(raw)
    return GzipRuns(raw) if repeats else gzip.GzipFile("", "wb", 5, raw, mtime=0)


def _record(file: BinaryIO, name: str) -> np.void:
    """The header in this machine's byte order."""
    data = file.read(_HEADER_1.itemsize)
    for form, size in ((_HEADER_1, 348), (_HEADER_2, 540)):
        for order in "<>":
            if data[:4] != np.array(size, dtype=order + "i4").tobytes():
                continue
            data += file.read(size - len(data))
            if len(data) < size:
                break
            record = np.frombuffer(data, dtype=form.newbyteorder(order))[0]
            if record["magic"] in (b"n+1", b"n+2") and 1 <= record["dim"][0] <= 7:
                return record
    raise BadInput(f"{name} is not a NIfTI image, although its name says so; export it again.")


def _header(record: np.void, path: Path, packed: bool) -> ImageHeader:
    code = int(record["datatype"])
    if code not in TYPES and code not in COLOURS:
        raise BadInput(
            f"{path.name} stores its voxels as type {code} (complex or unusual); convert them to "
            "16-bit integers or 32-bit floating point."
        )
    axes = int(record["dim"][0])
    unit = MILLIMETRES.get(int(record["units"]) & 7, 1.0)
    spacing = record["pixdim"][1:4].astype(np.float64) * unit
    affine, note = _affine(record, spacing, unit)
    size = path.stat().st_size
    return ImageHeader(
        name=path.name,
        shape=tuple(int(n) for n in record["dim"][1 : axes + 1]),
        components=COLOURS.get(code, 1),
        itemsize=np.dtype(TYPES.get(code, "u1")).itemsize,
        spacing=tuple(spacing.tolist()),
        affine=affine,
        stored=size if packed else max(size - _offset(record), 0),
        compressed=packed,
        facts={"note": note} if note else {},
    )


def _affine(record: np.void, spacing: np.ndarray, unit: float) -> tuple[np.ndarray, str]:
    sform = np.vstack([record["srow"].astype(np.float64) * unit, (0, 0, 0, 1)])
    qform = _qform(record, spacing, unit)
    has_s, has_q = record["sform_code"] > 0, record["qform_code"] > 0
    if not has_s and not has_q:
        # As ITK does: the axes run to the left, backwards and up from the origin.
        return np.diag([-spacing[0], -spacing[1], spacing[2], 1.0]), (
            "The file does not say where in the patient it lies."
        )
    note = ""
    if has_s and has_q:
        ends = np.array([0, 0, 0, 1]), np.append(record["dim"][1:4], 1)
        apart = max(float(np.linalg.norm((sform - qform) @ end)) for end in ends)
        if apart > 1:
            note = f"The file gives two positions that lie up to {apart:.0f} mm apart."
    use_s = has_s and (record["sform_code"] == SCANNER or not has_q)
    return (sform if use_s else qform), note


def _qform(record: np.void, spacing: np.ndarray, unit: float) -> np.ndarray:
    """Rotation from a unit quaternion whose real part is left out; "method 2" of nifti1.h."""
    b, c, d = record["quaternion"].astype(np.float64)
    a = np.sqrt(max(1 - b * b - c * c - d * d, 0.0))
    length = np.sqrt(a * a + b * b + c * c + d * d)
    a, b, c, d = np.array((a, b, c, d)) / length
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    turn[:, 2] *= -1 if record["pixdim"][0] < 0 else 1
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = record["offset"].astype(np.float64) * unit
    return affine


def _offset(record: np.void) -> int:
    """Where the voxels start; some writers leave it 0 and mean "right behind the header"."""
    start = int(record["size"]) + 4
    given = float(record["vox_offset"])
    return int(given) if start <= given < 2**31 else start


def _voxels(file: BinaryIO, record: np.void, shape: tuple[int, int, int], name: str) -> np.ndarray:
    dtype = np.dtype(TYPES[int(record["datatype"])])
    needed = int(np.prod(shape)) * dtype.itemsize
    file.seek(_offset(record))
    data, have = bytearray(needed), 0
    while have < needed and (more := file.readinto(memoryview(data)[have : have + PIECE])):
        have += more
    if have < needed:
        raise BadInput(
            f"{name} was cut short: {have:,} of {needed:,} bytes of voxels are there; copy "
            "or export it again."
        )
    file.read(1)  # at the end, gzip compares its checksum
    order = record.dtype["dim"].base.byteorder.replace("|", "=")
    stored = np.frombuffer(data, dtype=dtype.newbyteorder(order)).reshape(shape, order="F")
    array = stored.astype(dtype, copy=False)
    slope, intercept = float(record["slope"]), float(record["intercept"])
    # A slope of 0 means that the numbers stand for themselves.
    if not np.isfinite([slope, intercept]).all() or slope == 0 or (slope, intercept) == (1, 0):
        return array
    return array.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _new_record(grid: Grid, kind: str) -> np.ndarray:
    record = np.zeros((), dtype=_HEADER_1.newbyteorder("<"))
    handed, quaternion = _quaternion(grid.direction)
    record["size"], record["magic"], record["units"] = 348, b"n+1", 2
    record["dim"] = (3, *grid.shape, 1, 1, 1, 1)
    record["datatype"] = next(code for code, known in TYPES.items() if known == kind)
    record["bitpix"] = 8 * np.dtype(kind).itemsize
    record["pixdim"] = (handed, *grid.spacing, 1, 1, 1, 1)
    record["vox_offset"] = 352
    record["qform_code"] = record["sform_code"] = SCANNER
    record["quaternion"], record["offset"] = quaternion, grid.origin
    record["srow"] = grid.affine[:3]
    return record


def _quaternion(direction: np.ndarray) -> tuple[float, np.ndarray]:
    """Handedness (1 or -1) and (b, c, d) of the rotation nearest to the axes.

    The quaternion is the eigenvector of the largest eigenvalue of a 4 x 4 matrix made of the
    rotation (Bar-Itzhack 2000), which is exact at every angle.
    """
    left, _, right = np.linalg.svd(direction)
    turn = left @ right
    handed = float(np.sign(np.linalg.det(turn)))
    turn = turn * (1, 1, handed)
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = turn
    matrix = np.array(
        [
            [xx + yy + zz, zy - yz, xz - zx, yx - xy],
            [zy - yz, xx - yy - zz, xy + yx, xz + zx],
            [xz - zx, xy + yx, yy - xx - zz, yz + zy],
            [yx - xy, xz + zx, yz + zy, zz - xx - yy],
        ]
    )
    _, vectors = np.linalg.eigh(matrix)
    best = vectors[:, -1]
    return handed, (best if best[0] >= 0 else -best)[1:]
