"""Writing a label map as DICOM Segmentation, which a PACS keeps beside the scan."""

from collections.abc import Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from cmcseg.core.atomic_write import atomic_path
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED, Code, Label, LabelMap, LabelTable
from cmcseg.imaging.dicom_headers import FAULTS
from cmcseg.imaging.dicom_source import clean_sources
from cmcseg.imaging.resample import LPS
from cmcseg.imaging.silence import silent

MANUFACTURER = "CMCSeg"


def write_dicom_seg(
    label_map: LabelMap,
    source_files: Sequence[Path],
    path: Path,
    *,
    algorithm: str,
    version: str,
) -> None:
    """Write one binary segment per organ, frame by frame on the source's own slices.

    Where the scan was straightened on reading, labels go back to its slices by the nearest voxel.
    Voxels that nobody annotated count as background. Patient and study come from the source.

    Args:
        label_map: what to write.
        source_files: the slices of the scan, as ``series_files`` lists them.
        path: the file to write.
        algorithm: name of the model.
        version: version of the model.

    Raises:
        BadInput: when the source is not the scan of the label map, lacks what the standard
            wants, or the file cannot be written.
    """
    _check_codes(label_map.table)
    with silent():
        sources = clean_sources(source_files)
        frames = np.stack([_frame(label_map, source, path) for source in sources])
        try:
            segmentation = _segmentation(label_map, sources, frames, algorithm, version)
        except FAULTS as error:
            # Not its words: they may quote the patient's name.
            raise BadInput(
                f"The DICOM series cannot carry a segmentation ({type(error).__name__}); export it "
                "again with all its tags."
            ) from error
        with atomic_path(Path(path)) as draft:
            segmentation.save_as(draft)


def seg_obstacle(table: LabelTable, source_files: Sequence[Path]) -> str:
    """Why no segmentation can be written beside a series, in one sentence, or empty."""
    try:
        _check_codes(table)
        with silent():
            clean_sources(source_files)
    except BadInput as error:
        return str(error)
    return ""


def _check_codes(table: LabelTable) -> None:
    if nameless := next((label.name for label in table if label.code is None), ""):
        raise BadInput(
            f"DICOM SEG needs a SNOMED code for every organ, and {nameless} has none; add the "
            "code to the model card."
        )


def _frame(label_map: LabelMap, source: Dataset, path: Path) -> np.ndarray:
    """``(rows, columns)`` uint8: the label at every pixel of one source slice."""
    to_index = np.linalg.inv(label_map.grid.affine) @ LPS @ _affine(source)
    rows, columns = int(source.Rows), int(source.Columns)
    middle = to_index @ ((columns - 1) / 2, (rows - 1) / 2, 0, 1)
    if not _inside(middle[:3], label_map.grid):
        raise BadInput(
            f"The label map does not lie on the DICOM slices that {Path(path).name} should point "
            "to; give the slices of the scan that was segmented."
        )
    column, row = np.arange(columns)[None, :], np.arange(rows)[:, None]
    index, known = [], np.ones((rows, columns), dtype=bool)
    for axis, length in zip(to_index[:3], label_map.grid.shape, strict=True):
        nearest = np.rint(axis[0] * column + axis[1] * row + axis[3]).astype(np.int32)
        known &= (nearest >= 0) & (nearest < length)
        index.append(nearest.clip(0, length - 1))
    labels = label_map.array[tuple(index)]
    return np.where(known & (labels != UNANNOTATED), labels, 0).astype(np.uint8)


def _affine(source: Dataset) -> np.ndarray:
    """Pixel (column, row, 0, 1) of one slice to LPS in mm; PS3.3 C.7.6.2.1.1."""
    try:
        axes = np.array(source.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
        down, along = (float(value) for value in source.PixelSpacing)
        position = np.array(source.ImagePositionPatient, dtype=np.float64)
    except (AttributeError, TypeError, ValueError) as error:
        raise BadInput(
            "The DICOM slices do not say where they lie; give the scan's own."
        ) from error
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = axes[0] * along, axes[1] * down
    affine[:3, 2] = np.cross(axes[0], axes[1])
    affine[:3, 3] = position
    return affine


def _inside(index: np.ndarray, grid: Grid) -> bool:
    """Whether a voxel index lies in the grid, a voxel's breadth allowed."""
    return bool(((index >= -1) & (index <= np.array(grid.shape))).all())


def _segmentation(
    label_map: LabelMap, sources: list[Dataset], frames: np.ndarray, algorithm: str, version: str
) -> Segmentation:
    return Segmentation(
        source_images=sources,
        pixel_array=frames,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_described(label, algorithm, version) for label in label_map.table],
        series_instance_uid=generate_uid(),
        series_number=_series_number(sources[0]),
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=algorithm,
        software_versions=version,
        device_serial_number="none",  # the standard wants one, software has none
        content_label="SEGMENTATION",
        content_description=f"{algorithm} {version}, not for diagnosis"[:64],
        series_description=f"Segmentation by {algorithm}"[:64],
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )


def _series_number(source: Dataset) -> int:
    """Beside the source in a list sorted by number, yet apart from it."""
    return int(source.get("SeriesNumber") or 0) % 10_000_000 * 100 + 1


def _described(label: Label, algorithm: str, version: str) -> hd.seg.SegmentDescription:
    description = hd.seg.SegmentDescription(
        segment_number=label.value,
        segment_label=label.name[:64],
        segmented_property_category=_concept(label.category),
        segmented_property_type=_concept(label.code),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=algorithm,
            family=codes.DCM.ArtificialIntelligence,
            version=version,
        ),
        tracking_uid=generate_uid(),
        tracking_id=label.name[:64],
        display_color=hd.color.CIELabColor.from_rgb(*(round(255 * part) for part in label.rgb)),
    )
    if label.side is not None:
        property_type = description.SegmentedPropertyTypeCodeSequence[0]
        property_type.SegmentedPropertyTypeModifierCodeSequence = [_concept(label.side)]
    return description


def _concept(code: Code) -> CodedConcept:
    return CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning[:64])
