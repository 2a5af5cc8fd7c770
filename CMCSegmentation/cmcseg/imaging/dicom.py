"""Reading one scan from a folder of DICOM slices.

pydicom reads the headers, because every decision here (which series, in what order, with which
gaps, tilts and slopes) has to be seen and told to the user; SimpleITK's series reader makes them
without a word: it trusts the first two slices, ignores a tilted gantry and, for MR, the slope of
each slice. Packed pixels (JPEG, JPEG 2000, JPEG-LS) are unpacked by SimpleITK's GDCM, which needs
no further package.

Coordinates in this file are DICOM's: LPS in mm.
"""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import RLELossless, SecondaryCaptureImageStorage, generate_uid

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging.header import SUFFIXES, ImageHeader, usable_grid
from cmcseg.imaging.resample import LPS

MODALITIES = ("CT", "MR", "PT")
# A step this many times the usual one means that slices are missing.
GAP = 1.5
# Images closer than this (in mm) show the same place.
SAME_MM = 1e-3
# Slices that stray this far (in mm) from an even, upright stack are moved onto one.
STRAY_MM = 0.1
# What may tell images at one place apart, most telling first.
REPEATS = (
    "ImageType",
    "EchoTime",
    "EchoNumbers",
    "DiffusionBValue",
    "TemporalPositionIdentifier",
    "AcquisitionNumber",
    "TriggerTime",
    "AcquisitionTime",
)
_TAGS = [
    *("SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality"),
    *("PatientID", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PixelSpacing"),
    *("ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber", *REPEATS),
]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Slice:
    """One image of a series.

    Attributes:
        path: its file.
        header: what is needed of it, without pixels.
        position: of the first pixel's centre, LPS in mm.
        axes: 3 x 2, unit vectors along a row (i) and down a column (j).
    """

    path: Path
    header: Dataset
    position: np.ndarray
    axes: np.ndarray

    @property
    def height(self) -> float:
        """Position along the stack's normal in mm."""
        return float(self.position @ np.cross(self.axes[:, 0], self.axes[:, 1]))


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, by the mark that the standard puts behind 128 bytes."""
    if not path.is_file():  # opening a pipe would wait for ever
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_series(path: Path) -> Volume:
    """Read one series as a volume of modality units (Hounsfield for CT).

    The series with the most slices of ``MODALITIES`` is taken; of a file, the one it belongs to.
    Localisers, reports and colour images are left out. A tilted gantry and slightly uneven steps
    are straightened by linear interpolation.

    Args:
        path: a folder with the slices directly in it, or one of the slices.

    Returns:
        A volume with the facts "source" (``dicom``), "modality", "series" (its description) and a
        "note" when a choice was made. Nothing about the patient is kept.

    Raises:
        BadInput: when there is no usable series, slices are missing, or a slice is damaged.
    """
    path = Path(path)
    stack, notes = _chosen(path)
    header = stack[0].header
    grid = usable_grid(_stack_header(stack, path.name))
    array = _voxels(stack, path)
    array, grid, changes = _straightened(array, grid, stack)
    facts = {"source": "dicom", "modality": str(header.Modality)}
    if description := str(header.get("SeriesDescription", "") or "").strip():
        facts["series"] = description
    if notes + changes:
        facts["note"] = " ".join(notes + changes)
    return Volume(array=array, grid=grid, facts=facts)


def series_files(path: Path) -> list[Path]:
    """The files of the series that ``read_series`` reads, in the order of the volume's slices.

    Raises:
        BadInput: when there is no usable series.
    """
    return [one.path for one in _chosen(Path(path))[0]]


def _chosen(path: Path) -> tuple[list[_Slice], list[str]]:
    """The slices to read, in order along their normal, and what the user should know."""
    folder = path if path.is_dir() else path.parent
    slices = _slices(folder)
    if path != folder:
        wanted = _series_of(path)
        slices = [one for one in slices if one.header.SeriesInstanceUID == wanted]
    groups = _grouped(slices)
    if not groups:
        raise BadInput(_no_slices(folder))
    if len({one.header.get("PatientID") for one in slices if one.header.get("PatientID")}) > 1:
        raise BadInput(
            f"The folder {folder} holds scans of more than one patient; give each its own folder."
        )
    group = max(groups, key=_preference)
    if _places(group) < 2:
        raise BadInput(
            f"The largest DICOM series in {folder} has a single slice; a scan needs at least 2."
        )
    parts = _without_repeats(group, folder)
    stack = parts[0]
    _check_gaps(stack, folder)
    others = len(groups) + len(parts) - 2
    if not others:
        return stack, []
    name = str(stack[0].header.get("SeriesDescription", "") or "without a description")
    return stack, [
        f"The folder holds {others + 1} stacks of slices; the one read is {name!r} "
        f"({stack[0].header.Modality}, {len(stack)} slices), {others} "
        f"{'other was' if others == 1 else 'others were'} left out."
    ]


def _series_of(path: Path) -> str:
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        return str(header.SeriesInstanceUID)
    except (InvalidDicomError, AttributeError, OSError, ValueError) as error:
        raise BadInput(f"{path} is not a usable DICOM file; export it again.") from error


def _no_slices(folder: Path) -> str:
    """What to give instead of a folder without slices: a file of it, where it holds volumes."""
    files = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file() and path.name.lower().endswith(SUFFIXES) and path.name[0] != "."
    )
    found = f"The folder {folder} holds no DICOM slices of {', '.join(MODALITIES)}"
    if files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        return f"{found}, but {files[0]}{more}; give the file instead of its folder."
    return f"{found}; give the folder in which the slices of one series lie."


def _slices(folder: Path) -> list[_Slice]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be read ({error.strerror}).") from error
    found = {}
    for path in paths:
        if (one := _slice(path)) is not None:
            # A file that was copied twice counts once.
            found.setdefault(str(one.header.get("SOPInstanceUID", path)), one)
    return list(found.values())


def _slice(path: Path) -> _Slice | None:
    """The header of one file, or None when it is no slice of a scan."""
    if not is_dicom(path):
        return None
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        if header.get("Modality") not in MODALITIES or "Rows" not in header:
            return None
        if int(header.get("NumberOfFrames") or 1) > 1:
            raise BadInput(
                f"{path.name} is a multi-frame (enhanced) DICOM file, which this program does not "
                "read; convert the series to NIfTI, for example with dcm2niix, or export it as "
                "single slices."
            )
        if "LOCALIZER" in (header.get("ImageType") or ()):
            return None
        if int(header.get("SamplesPerPixel") or 1) > 1:
            return None
        places = [header.get(tag) for tag in ("ImagePositionPatient", "ImageOrientationPatient")]
        if not all(places) or not header.get("SeriesInstanceUID"):
            return None
        position, axes = (np.array(place, dtype=np.float64) for place in places)
        if position.shape != (3,) or axes.shape != (6,) or len(header.get("PixelSpacing", "")) != 2:
            return None
    except (InvalidDicomError, OSError, ValueError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{path.name} is a damaged DICOM file; copy the series again, or take it out."
        ) from error
    return _Slice(path=path, header=header, position=position, axes=axes.reshape(2, 3).T)


def _grouped(slices: Iterable[_Slice]) -> list[list[_Slice]]:
    """Slices that can form one stack: same series, size, pixel spacing and orientation."""
    groups: list[list[_Slice]] = []
    for one in slices:
        for group in groups:
            if _fits(one, group[0]):
                group.append(one)
                break
        else:
            groups.append([one])
    return [sorted(group, key=lambda one: one.height) for group in groups]


def _fits(one: _Slice, other: _Slice) -> bool:
    keys = ("SeriesInstanceUID", "Rows", "Columns")
    return (
        all(one.header.get(key) == other.header.get(key) for key in keys)
        and np.allclose(one.axes, other.axes, atol=1e-3)
        and np.allclose(one.header.PixelSpacing, other.header.PixelSpacing, rtol=1e-3)
    )


def _places(stack: list[_Slice]) -> int:
    """How many different heights there are; ``stack`` is sorted."""
    return 1 + int((np.diff([one.height for one in stack]) >= SAME_MM).sum())


def _without_repeats(group: list[_Slice], folder: Path) -> list[list[_Slice]]:
    """Split a stack that shows every place several times (echoes, phases, time points)."""
    places = _places(group)
    if places == len(group):
        return [group]
    for key in REPEATS:
        parts: dict[str, list[_Slice]] = {}
        for one in group:
            parts.setdefault(str(one.header.get(key)), []).append(one)
        if all(len(part) == _places(part) == places for part in parts.values()):
            return sorted(parts.values(), key=lambda part: _number(part[0], "InstanceNumber"))
    raise BadInput(
        f"The DICOM series in {folder} shows the same place more than once, and nothing tells the "
        "images apart; give a folder with one image per place."
    )


def _preference(group: list[_Slice]) -> tuple[int, int]:
    """More slices first, then the lower series number."""
    return _places(group), -_number(group[0], "SeriesNumber")


def _number(one: _Slice, key: str) -> int:
    return int(one.header.get(key) or 0)


def _check_gaps(stack: list[_Slice], folder: Path) -> None:
    heights = np.array([one.height for one in stack])
    steps = np.diff(heights)
    usual = float(np.median(steps))
    widest = int(steps.argmax())
    if steps[widest] > GAP * usual:
        missing = max(round(float(steps[widest]) / usual) - 1, 1)
        raise BadInput(
            f"The DICOM series in {folder} has a gap of {steps[widest]:.1f} mm after slice "
            f"{widest + 1} of {len(stack)}, where {usual:.1f} mm are usual: {missing} "
            f"{'slice is' if missing == 1 else 'slices are'} missing; export the whole series."
        )


def _stack_header(stack: list[_Slice], name: str) -> ImageHeader:
    """The stack as if its slices lay evenly and upright; ``_straightened`` makes it true."""
    first, last = stack[0], stack[-1]
    rows, columns = int(first.header.Rows), int(first.header.Columns)
    step = (last.height - first.height) / (len(stack) - 1)
    down, along = (float(value) for value in first.header.PixelSpacing)
    spacing = (along, down, step)
    normal = np.cross(first.axes[:, 0], first.axes[:, 1])
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([first.axes, normal]) * spacing
    affine[:3, 3] = first.position
    return ImageHeader(
        name=f"The DICOM series in {name}",
        shape=(columns, rows, len(stack)),
        components=1,
        itemsize=4,
        spacing=spacing,
        affine=LPS @ affine,
        stored=None,
        compressed=False,
    )


def _voxels(stack: list[_Slice], path: Path) -> np.ndarray:
    """``(I, J, K)`` int16 where that holds the modality's units, else float32."""
    planes = []
    for one in stack:
        try:
            planes.append(_plane(pydicom.dcmread(one.path)))
        except (OSError, ValueError, RuntimeError, AttributeError, LookupError) as error:
            raise BadInput(
                f"The pixels of {one.path.name} cannot be read: the file is damaged or packed in "
                "an unknown way; export the series again."
            ) from error
    if len({plane.shape for plane in planes}) > 1:
        raise BadInput(f"The slices of {path} differ in size; export the series again.")
    whole = all(plane.dtype == np.int16 for plane in planes)
    array = np.empty((*planes[0].T.shape, len(planes)), np.int16 if whole else np.float32)
    for k, plane in enumerate(planes):
        array[:, :, k] = plane.T
    return array


def _plane(dataset: Dataset) -> np.ndarray:
    """``(rows, columns)`` of one slice: stored value x slope + intercept, each slice its own."""
    stored = _stored(dataset)
    slope = float(dataset.get("RescaleSlope", 1) or 1)
    intercept = float(dataset.get("RescaleIntercept", 0) or 0)
    if slope.is_integer() and intercept.is_integer():
        values = stored.astype(np.int64) * int(slope) + int(intercept)
        limits = np.iinfo(np.int16)
        if values.min() >= limits.min and values.max() <= limits.max:
            return values.astype(np.int16)
    return (stored * slope + intercept).astype(np.float32)


def _stored(dataset: Dataset) -> np.ndarray:
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_compressed or syntax.is_deflated or syntax == RLELossless:
        return dataset.pixel_array
    # Without slope and patient, so that GDCM scales nothing and no name reaches the disk.
    bare = Dataset()
    for tag in (
        *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
        *("SamplesPerPixel", "PhotometricInterpretation", "PixelData"),
    ):
        bare[tag] = dataset[tag]
    bare.SOPClassUID, bare.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = syntax
    bare.file_meta.MediaStorageSOPClassUID = bare.SOPClassUID
    bare.file_meta.MediaStorageSOPInstanceUID = bare.SOPInstanceUID
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "slice.dcm"
        bare.save_as(file, enforce_file_format=True)
        image = sitk.ReadImage(str(file))
    return sitk.GetArrayFromImage(image).reshape(int(bare.Rows), int(bare.Columns))


def _straightened(
    array: np.ndarray, grid: Grid, stack: list[_Slice]
) -> tuple[np.ndarray, Grid, list[str]]:
    """Move slices that stand askew or unevenly onto an upright, even stack."""
    notes = []
    frame = np.column_stack([stack[0].axes, np.cross(*stack[0].axes.T)])
    away = np.array([one.position - stack[0].position for one in stack]) @ frame  # (K, 3) mm
    if np.abs(away[:, :2]).max() > STRAY_MM:
        across = np.linalg.norm(away[-1, :2] - away[0, :2])
        angle = np.degrees(np.arctan2(across, away[-1, 2] - away[0, 2]))
        notes.append(f"The slices are tilted by {angle:.1f} degrees; they were straightened.")
        array, grid = _upright(array, grid, away[:, :2])
    even = np.linspace(away[0, 2], away[-1, 2], len(stack))
    if np.abs(away[:, 2] - even).max() > STRAY_MM:
        steps = np.diff(away[:, 2])
        notes.append(
            f"The slices lie {steps.min():.1f} to {steps.max():.1f} mm apart; they were "
            "interpolated to even steps."
        )
        array = _evened(array, away[:, 2], even)
    return array, grid, notes


def _upright(array: np.ndarray, grid: Grid, away: np.ndarray) -> tuple[np.ndarray, Grid]:
    """Shift every slice within its plane by ``away`` ``(K, 2)`` mm; the field of view grows."""
    shifts = away / np.array(grid.spacing[:2])
    # A hair's breadth must not cost a row of voxels.
    low = np.floor(shifts.min(axis=0) + 1e-3).astype(int)
    high = np.ceil(shifts.max(axis=0) - 1e-3).astype(int)
    grown = tuple((np.array(array.shape[:2]) + high - low).tolist())
    result = np.full((*grown, array.shape[2]), array.min(), dtype=array.dtype)
    for k, shift in enumerate(shifts):
        result[:, :, k] = _shifted(array[:, :, k], shift - low, grown, array.min())
    affine = grid.affine.copy()
    affine[:3, 3] = grid.world(np.array([*low, 0]))
    return result, Grid(shape=result.shape, affine=affine)


def _shifted(
    plane: np.ndarray, shift: np.ndarray, shape: tuple[int, int], fill: float
) -> np.ndarray:
    """Linear interpolation of ``(I, J)`` moved by a shift in voxels, in a frame of ``shape``."""
    result = plane.astype(np.float32)
    for axis in (0, 1):
        source = np.arange(shape[axis]) - shift[axis]
        before = np.floor(source).astype(int)
        weight = (source - before).astype(np.float32)
        padded = np.moveaxis(result, axis, 0)
        last = len(padded) - 1

        def rows(index: np.ndarray, stack: np.ndarray = padded, last: int = last) -> np.ndarray:
            inside = (index >= 0) & (index <= last)
            return np.where(inside[:, None], stack[index.clip(0, last)], np.float32(fill))

        mixed = rows(before) * (1 - weight)[:, None] + rows(before + 1) * weight[:, None]
        result = np.moveaxis(mixed, 0, axis)
    return _like(result, plane.dtype)


def _evened(array: np.ndarray, heights: np.ndarray, even: np.ndarray) -> np.ndarray:
    """Linear interpolation between neighbouring slices."""
    above = np.searchsorted(heights, even).clip(1, len(heights) - 1)
    weight = (even - heights[above - 1]) / (heights[above] - heights[above - 1])
    result = np.empty_like(array)
    for k, (upper, share) in enumerate(zip(above, weight.clip(0, 1), strict=True)):
        mixed = array[:, :, upper - 1] * (1 - share) + array[:, :, upper] * share
        result[:, :, k] = _like(mixed, array.dtype)
    return result


def _like(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return (np.round(values) if dtype.kind in "iu" else values).astype(dtype)
