"""The numbers of DICOM slices in the modality's units (Hounsfield for CT)."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import RLELossless, SecondaryCaptureImageStorage, generate_uid

from cmcseg.core.errors import BadInput
from cmcseg.imaging.dicom_headers import FAULTS, Slice, read_dataset


def read_pixels(slices: Sequence[Slice], path: Path) -> np.ndarray:
    """``(I, J, K)`` int16 where that holds the modality's units, else float32.

    Args:
        slices: of one size, in order.
        path: of the series, for the error sentence.

    Raises:
        BadInput: when a slice is damaged or of another size.
    """
    first = slices[0]
    array = np.empty((first.columns, first.rows, len(slices)), np.int16)
    for k, one in enumerate(slices):
        plane = _readable_plane(one)
        if plane.shape != (first.rows, first.columns):
            raise BadInput(f"The slices of {path} differ in size; export the series again.")
        if plane.dtype != array.dtype and array.dtype == np.int16:
            array = array.astype(np.float32)
        array[:, :, k] = plane.T
    return array


def same_pixels(slices: Sequence[Slice]) -> bool:
    """Whether all slices show the very same numbers."""
    first = _readable_plane(slices[0])
    return all(np.array_equal(first, _readable_plane(one)) for one in slices[1:])


def _readable_plane(one: Slice) -> np.ndarray:
    try:
        return _plane(read_dataset(one.path))
    except (*FAULTS, MemoryError) as error:
        raise BadInput(
            f"The pixels of {one.path.name} cannot be read: the file is damaged or packed in an "
            "unknown way; export the series again."
        ) from error


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
