"""The headers of a folder's DICOM files: which are slices of a scan, and why the others are not."""

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import is_dicom

MODALITIES = ("CT", "MR", "PT")
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
    *("ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber", "SliceThickness"),
    *("TransferSyntaxUID", *REPEATS),
]
SMALL = 1 << 16  # bytes that are read without looking at the file's length
# What pydicom raises, by what is wrong with a file.
FAULTS = (
    *(InvalidDicomError, OSError, EOFError, ValueError, TypeError, AttributeError, LookupError),
    *(ArithmeticError, RuntimeError, AssertionError, struct.error, zlib.error),
    BytesLengthException,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice:
    """One image of a series, its header as plain values.

    Attributes:
        path: its file.
        uid: of the image; empty where the file gives none.
        series: what tells its series from others.
        description, modality, patient: as the header says.
        number, instance: of the series, and of the image in it; 0 where there is none.
        rows, columns: its size in pixels.
        spacing: mm down a column and along a row.
        thickness: in mm, 0 where it is not given.
        position: of the first pixel's centre, LPS in mm.
        axes: 3 x 2, unit vectors along a row (i) and down a column (j).
        tags: the values of ``REPEATS``.
    """

    path: Path
    uid: str
    series: tuple[str, ...]
    description: str
    modality: str
    patient: str
    number: int
    instance: int
    rows: int
    columns: int
    spacing: tuple[float, float]
    thickness: float
    position: np.ndarray
    axes: np.ndarray
    tags: dict[str, str]

    @property
    def height(self) -> float:
        """Position along the stack's normal in mm."""
        return float(self.position @ np.cross(self.axes[:, 0], self.axes[:, 1]))


@dataclass(frozen=True, kw_only=True)
class PassedOver:
    """A file that is no slice, although one might look for it in the scan.

    Attributes:
        path: the file.
        reason: as in "IM1 (a mosaic of slices)".
        series: as of a slice; empty when the header does not tell.
    """

    path: Path
    reason: str
    series: tuple[str, ...] = ()


DAMAGED = "damaged"
MULTI_FRAME = "a multi-frame image"


def read_headers(folder: Path, within: Path | None = None) -> tuple[list[Slice], list[PassedOver]]:
    """Look at every file that lies directly in a folder.

    Localisers, reports and colour images are no part of a scan and are not told.

    Args:
        folder: to look into.
        within: a folder that no link may lead out of; None allows every link.

    Raises:
        BadInput: when the folder cannot be read.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be read ({error.strerror}).") from error
    found: dict[tuple, Slice] = {}
    passed = []
    for path in paths:
        if within is not None and not path.resolve().is_relative_to(Path(within).resolve()):
            continue
        one = read_header(path)
        if isinstance(one, PassedOver):
            passed.append(one)
        elif one is not None:
            # A file that was copied twice counts once. Anonymisers make UIDs equal, so the UID
            # alone does not tell.
            place = tuple(one.position.round(3).tolist())
            key = (one.uid, one.series, place, one.instance, *one.tags.values())
            found.setdefault(key if one.uid else (path,), one)
    return list(found.values()), passed


def read_header(path: Path) -> Slice | PassedOver | None:
    """The header of one file, why it cannot be read, or None when it is no slice of a scan."""
    if not is_dicom(path):
        return None
    try:
        header = read_dataset(path, tags=_TAGS)
        if str(header.get("Modality")) not in MODALITIES:
            return None
        series = _series(header)
        if "Rows" not in header:  # it was cut short
            return PassedOver(path=path, reason=DAMAGED, series=series if series[0] else ())
        kinds = [str(kind) for kind in _several(header.get("ImageType"))]
        reason = ""
        if _whole(header.get("NumberOfFrames"), 1) > 1:
            reason = MULTI_FRAME
        elif "LOCALIZER" in kinds or _whole(header.get("SamplesPerPixel"), 1) > 1:
            return None
        elif "MOSAIC" in kinds:
            reason = "a mosaic of slices"
        else:
            reason = _lack(header)
        if reason:
            return PassedOver(path=path, reason=reason, series=series)
        return _slice(path, header, series)
    except (*FAULTS, MemoryError):
        return PassedOver(path=path, reason=DAMAGED)


def read_dataset(path: Path, tags: list[str] | None = None) -> Dataset:
    """A file's data set, also where the 128 bytes and the mark before it are missing.

    Args:
        path: of the file.
        tags: reads these alone and no pixels; None reads everything.

    Raises:
        FAULTS: when the file is damaged.
    """
    with _Measured(path) as file:
        data = pydicom.dcmread(
            file, stop_before_pixels=tags is not None, specific_tags=tags, force=True
        )
    if "TransferSyntaxUID" not in data.file_meta:
        implicit, little = data.original_encoding
        if not little:
            raise ValueError("big endian without saying so")
        data.file_meta.TransferSyntaxUID = (
            pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian
        )
    return data


class _Measured(io.BufferedReader):
    """A file that is never asked for more than it holds.

    An element may claim 4 GB in a file of 1 kB, and Python allocates what is asked for.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._size = path.stat().st_size

    def read(self, count: int | None = -1) -> bytes:
        """At most ``count`` bytes, as of any file."""
        if count is not None and count > SMALL:
            count = min(count, max(self._size - self.tell(), 0))
        return super().read(count)


def _slice(path: Path, header: Dataset, series: tuple[str, ...]) -> Slice:
    down, along = _numbers(header, "PixelSpacing")
    axes = np.array(_numbers(header, "ImageOrientationPatient")).reshape(2, 3).T
    thickness = _several(header.get("SliceThickness"))
    return Slice(
        path=path,
        uid=_text(header, "SOPInstanceUID"),
        series=series,
        description=_text(header, "SeriesDescription"),
        modality=_text(header, "Modality"),
        patient=_text(header, "PatientID"),
        number=_whole(header.get("SeriesNumber")),
        instance=_whole(header.get("InstanceNumber")),
        rows=int(header.Rows),
        columns=int(header.Columns),
        spacing=(down, along),
        thickness=_number(thickness[0]) if thickness else 0.0,
        position=np.array(_numbers(header, "ImagePositionPatient")),
        axes=axes,
        tags={key: _tag(header.get(key)) for key in REPEATS},
    )


def _series(header: Dataset) -> tuple[str, ...]:
    """The UID, or what else tells series apart where an anonymiser blanked it."""
    if uid := _text(header, "SeriesInstanceUID"):
        return (uid,)
    return ("", *(_text(header, key) for key in ("Modality", "SeriesNumber", "SeriesDescription")))


def _lack(header: Dataset) -> str:
    """What a slice must say of its place and does not; empty when all is there."""
    for key, count, words in (
        ("ImagePositionPatient", 3, "does not say where it lies"),
        ("ImageOrientationPatient", 6, "does not say how it lies"),
        ("PixelSpacing", 2, "does not say how large its pixels are"),
    ):
        values = _several(header.get(key))
        if not values:
            return f"{words}, as {key} is missing"
        if len(values) != count or not np.isfinite([_number(v, np.nan) for v in values]).all():
            return f"{words}, as {key} does not hold {count} numbers"
    return ""


def _numbers(header: Dataset, key: str) -> list[float]:
    return [float(value) for value in header.get(key)]


def _several(value: object) -> list:
    """The values of an element, which pydicom gives bare when there is one."""
    if value is None or value == "":
        return []
    return [value] if isinstance(value, (str, int, float)) else list(value)


def _text(header: Dataset, key: str) -> str:
    value = header.get(key)
    return "" if value is None else str(value).strip()


def _tag(value: object) -> str:
    """A value as text, numbers in one way of writing."""
    values = _several(value)
    numbers = [_number(one, np.nan) for one in values]
    if values and np.isfinite(numbers).all():
        return "\\".join(f"{number:.6g}" for number in numbers)
    return "\\".join(map(str, values))


def _number(value: object, otherwise: float = 0.0) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return otherwise


def _whole(value: object, otherwise: int = 0) -> int:
    """A whole number; what is none counts as absent, as nothing here depends on it alone."""
    number = _number(value, np.nan)
    return int(number) if np.isfinite(number) else otherwise
