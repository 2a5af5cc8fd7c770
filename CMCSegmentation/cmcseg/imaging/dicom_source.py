"""The slices that a DICOM segmentation points to, with what the standard wants and nothing odd.

Real exports lack tags, fill dates with stars and name character sets that nobody knows. A
segmentation copies patient and study from them, so a bad value would make a bad file: it is left
empty where the standard allows that (type 2, PS3.3 C.7), and what must be there is said.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import is_dicom
from cmcseg.imaging.dicom_headers import FAULTS, read_dataset

UTF8 = "ISO_IR 192"
_CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
}
_TEXTS = {"PatientID": 64, "AccessionNumber": 16, "StudyID": 16}  # longest values allowed
_NAMES = ("PatientName", "ReferringPhysicianName")
_DATES = ("PatientBirthDate", "StudyDate")
_DATE = re.compile(r"(1[89]|2\d)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_PLACE = ("Rows", "Columns", "PixelSpacing", "ImagePositionPatient")
_TAGS = [
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"),
    *("FrameOfReferenceUID", "SeriesNumber", "PatientSex", "StudyTime", "SliceThickness"),
    *("ImageOrientationPatient", *_PLACE, *_TEXTS, *_NAMES, *_DATES),
]


def clean_sources(files: Sequence[Path]) -> list[Dataset]:
    """What a segmentation needs of the slices of a scan, each value one that the standard allows.

    Raises:
        BadInput: when a file cannot be read, or slices cannot be referred to.
    """
    sources = [_read(Path(file)) for file in files]
    if not sources:
        raise BadInput("DICOM SEG needs the scan's own DICOM slices; segment a DICOM series.")
    if lack := _obstacle(sources):
        raise BadInput(f"No DICOM SEG can point to the slices: {lack}.")
    step = _step(sources)
    return [_cleaned(source, sources[0], step) for source in sources]


def _step(sources: list[Dataset]) -> float:
    """Mean distance of neighbouring slices in mm, which stands in for an unknown thickness."""
    places = [np.array(source.get("ImagePositionPatient"), dtype=float) for source in sources]
    return float(np.linalg.norm(places[-1] - places[0])) / max(len(places) - 1, 1) or 1.0


def _obstacle(sources: list[Dataset]) -> str:
    """What a segmentation cannot do without, and which is missing; else empty."""
    for key in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        values = [_uid(source.get(key)) for source in sources]
        if not all(values):
            return f"they have no valid {key}"
        alike = len(set(values))
        if key == "SOPInstanceUID" and alike < len(values):
            return "several of them share one SOPInstanceUID"
        if key != "SOPInstanceUID" and alike > 1:
            return f"they differ in their {key}"
    if not _class(sources[0]):
        return "their SOPClassUID is none of CT, MR or PET"
    return ""


def _read(file: Path) -> Dataset:
    try:
        if not is_dicom(file):
            raise ValueError("no mark")
        return read_dataset(file, tags=_TAGS)
    except FAULTS as error:
        raise BadInput(f"{file} is not a readable DICOM slice; give the scan's files.") from error


def _cleaned(source: Dataset, first: Dataset, step: float) -> Dataset:
    clean = Dataset()
    clean.SpecificCharacterSet = UTF8  # pydicom has decoded the values, whatever they were in
    clean.SOPClassUID = _class(source) or _class(first)
    for key in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(clean, key, _uid(source.get(key)))
    clean.FrameOfReferenceUID = _uid(source.get("FrameOfReferenceUID")) or generate_uid(
        entropy_srcs=[clean.SeriesInstanceUID]
    )
    clean.Modality = str(first.get("Modality"))
    clean.SeriesNumber = _series_number(source.get("SeriesNumber"))
    for key, longest in _TEXTS.items():
        setattr(clean, key, _text(source.get(key), longest))
    for key in _NAMES:
        setattr(clean, key, _name(source.get(key)))
    for key in _DATES:
        setattr(clean, key, _matching(source.get(key), _DATE))
    clean.StudyTime = _matching(source.get("StudyTime"), _TIME)
    sex = str(source.get("PatientSex") or "").upper()
    clean.PatientSex = sex if sex in ("M", "F", "O") else ""
    for key in _PLACE:
        setattr(clean, key, source.get(key))
    # They were found to agree within a hair; highdicom wants them equal.
    clean.ImageOrientationPatient = first.get("ImageOrientationPatient")
    thickness = source.get("SliceThickness")
    known = isinstance(thickness, (int, float)) and thickness > 0
    clean.SliceThickness = thickness if known else f"{step:.6g}"
    return clean


def _class(source: Dataset) -> str:
    """The class of an image that the standard knows, by its modality where it is left out."""
    given = str(source.get("SOPClassUID") or "")
    if given in _CLASSES.values():
        return given
    return "" if _uid(given) else _CLASSES.get(str(source.get("Modality")), "")


def _uid(value: object) -> str:
    """A UID as PS3.5 9.1 allows it, else empty."""
    text = str(value or "").strip()
    fits = re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*", text) and len(text) <= 64
    return text if fits else ""


def _text(value: object, longest: int) -> str:
    text = " ".join(str(value or "").replace("\\", " ").split())
    return text if len(text) <= longest and text.isprintable() else ""


def _name(value: object) -> str:
    """A person's name of at most five parts, PS3.5 6.2.1; groups beyond the third are odd."""
    text = str(value or "").strip()
    groups = text.split("=")
    fine = len(groups) <= 3 and all(
        len(group) <= 64 and group.count("^") <= 4 and "\\" not in group for group in groups
    )
    return text if fine and text.isprintable() else ""


def _matching(value: object, form: re.Pattern) -> str:
    text = str(value or "").strip()
    return text if form.fullmatch(text) else ""


def _series_number(value: object) -> int:
    text = str(value or "").strip()
    return int(text) if re.fullmatch(r"\d{1,9}", text) else 0
