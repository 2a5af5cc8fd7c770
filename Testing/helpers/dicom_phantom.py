"""DICOM series made on the spot, slice by slice, with every oddity that a test asks for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_series(
    folder: Path,
    stored: np.ndarray,
    affine: np.ndarray,
    *,
    modality: str = "CT",
    description: str = "Abdomen venous",
    number: int = 2,
    patient: str = "secret-7",
    order: np.ndarray | None = None,
    change: Callable[[int, Dataset], None] | None = None,
) -> list[Path]:
    """Write ``(I, J, K)`` stored values so that voxel (i, j, k) lies at ``affine`` (RAS, mm).

    Args:
        folder: made if need be.
        stored: int16 values.
        affine: 4 x 4; its third column may lean, as with a tilted gantry.
        modality: ``CT`` or ``MR``.
        description: of the series.
        number: of the series.
        patient: id and name, which must never come out again.
        order: the k of the file that comes first, second, ... by name.
        change: called with k and each finished dataset, to spoil it.

    Returns:
        The files, by k.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lps = LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    axes = lps[:3, :3] / spacing
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    order = np.arange(stored.shape[2]) if order is None else order
    paths = {}
    for place, k in enumerate(order):
        one = _dataset(modality, patient)
        one.SeriesInstanceUID, one.StudyInstanceUID, one.FrameOfReferenceUID = series, study, frame
        one.SeriesDescription, one.SeriesNumber, one.InstanceNumber = description, number, place + 1
        one.Rows, one.Columns = stored.shape[1], stored.shape[0]
        one.PixelSpacing = [float(spacing[1]), float(spacing[0])]
        one.SliceThickness = float(spacing[2])
        one.ImageOrientationPatient = [round(float(x), 12) for x in axes[:, :2].T.ravel()]
        one.ImagePositionPatient = [round(float(x), 10) for x in (lps @ (0, 0, k, 1))[:3]]
        one.PixelData = stored[:, :, k].T.astype("<i2").tobytes()
        if change is not None:
            change(int(k), one)
        paths[int(k)] = folder / f"IM{number:02d}{place:04d}"
        one.save_as(paths[int(k)], enforce_file_format=True)
    return [paths[k] for k in sorted(paths)]


def _dataset(modality: str, patient: str) -> Dataset:
    one = Dataset()
    one.SOPClassUID = CTImageStorage if modality == "CT" else MRImageStorage
    one.SOPInstanceUID = generate_uid()
    one.Modality = modality
    one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    one.PatientID, one.PatientName = patient, f"{patient}^Jane"
    one.PatientBirthDate, one.PatientSex = "19700101", "F"
    one.StudyDate, one.StudyTime, one.AccessionNumber, one.StudyID = "20240102", "101112", "9", "1"
    one.ReferringPhysicianName, one.Manufacturer = "Doe^Jo", "None"
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    return one
