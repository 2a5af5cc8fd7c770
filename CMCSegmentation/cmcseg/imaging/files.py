"""Reading and writing images and label maps: NIfTI, NRRD and MetaImage, and DICOM by delegation."""

import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cmcseg.core.atomic_write import atomic_path
from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import IMAGES, is_dicom
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED, LabelMap, LabelTable
from cmcseg.core.volume import Volume
from cmcseg.imaging import itk_files, nifti
from cmcseg.imaging.dicom import open_series
from cmcseg.imaging.header import KINDS
from cmcseg.imaging.label_names import named_layers, named_values, reference_grid, segments_of
from cmcseg.imaging.lattice import on_grid_of, pasted
from cmcseg.imaging.resample import to_image
from cmcseg.imaging.text_header import NRRD, read_text_header

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar")


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadScan:
    """A scan as it was read, and what could have been read instead.

    Attributes:
        volume: as of ``read_volume``.
        stacks: titles of all stacks of a DICOM folder; empty for other files.
        stack: which of them was read, from 1.
    """

    volume: Volume
    stacks: tuple[str, ...] = ()
    stack: int = 1


def read_volume(path: Path) -> Volume:
    """Read one scan: an image file, a folder that holds a DICOM series, or one of its files.

    Numbers keep their type where 32 bits hold it; wider ones become int32 or float32. Where a
    folder holds several stacks, ``FOLDER#2`` is the second of them.

    Returns:
        A volume with the facts "source" (``file`` or ``dicom``), "modality" and "series" where
        known, and a "note" where the user should know of a choice that was made.

    Raises:
        BadInput: when there is no single usable 3-D scan.
    """
    return read_scan(path).volume


def read_scan(path: Path, within: Path | None = None, *, choice: bool = True) -> ReadScan:
    """As ``read_volume``, with the stacks that a DICOM folder holds.

    Args:
        path: what to read.
        within: a folder that no link between DICOM slices may lead out of; None allows every link.
        choice: whether the note tells which of several stacks was read.

    Raises:
        BadInput: when there is no single usable 3-D scan.
    """
    path, number = split_number(Path(path))
    if is_series(path):
        series = open_series(path, number, within)
        scan = ReadScan(volume=series.read(choice=choice), stacks=series.titles, stack=number)
    else:
        array, grid, facts = _read(path)
        facts = {"source": "file", **facts}
        scan = ReadScan(volume=Volume(array=_narrowed(array), grid=grid, facts=facts))
    _check_numbers(scan.volume.array, path.name)
    return scan


def is_series(path: Path) -> bool:
    """Whether a path is read as DICOM: a folder, ``FOLDER#2``, or one file of a series."""
    path, _ = split_number(Path(path))
    return path.is_dir() or is_dicom(path)


def series_files(path: Path) -> list[Path]:
    """The DICOM files that ``read_volume`` reads, in the order of the volume's slices.

    Raises:
        BadInput: when there is no usable series.
    """
    return open_series(*split_number(Path(path))).files


def split_number(path: Path) -> tuple[Path, int]:
    """``FOLDER#2`` as the folder and 2; 1 where no number is given."""
    numbered = re.fullmatch(r"(.+)#(\d{1,4})", path.name)
    if numbered is None or path.exists():
        return path, 1
    return path.with_name(numbered[1]), int(numbered[2])


def read_label_map(
    path: Path,
    table: LabelTable,
    unannotated: int = UNANNOTATED,
    names: Mapping[int, str] | None = None,
    on: Grid | None = None,
) -> LabelMap:
    """Read a label map; the result's numbers mean what ``table`` says.

    Args:
        path: an image file of whole numbers; the segments of a ``.seg.nrrd`` count by their names
            or codes, cropped voxels and several layers included.
        table: the organs; every value above 0 must be one of them.
        unannotated: the value in the file that means "nobody looked here"; it becomes 255.
        names: what the values mean in the file, where that is known; None: as in the table.
        on: grid of the scan whose voxels these must be, in whatever order; None: any.

    Raises:
        BadInput: when the file cannot be used, or holds fractions or unknown values.
    """
    path = Path(path)
    _check_file(path)
    with _in_words(path):
        segments = _read_segmentation(path, table, on)
    label_map = segments or _read_values(path, table, unannotated, names)
    return label_map if on is None else on_grid_of(label_map, on, path.name)


def read_values(path: Path) -> tuple[np.ndarray, Grid]:
    """The whole numbers of a label map as they are stored, whatever they mean, and their grid.

    Raises:
        BadInput: when the file cannot be used, or holds fractions.
    """
    stored, grid, _ = _read(Path(path))
    if stored.dtype.kind == "f" and not (stored == np.round(stored)).all():
        raise BadInput(
            f"{path.name} holds fractions, so it is not a label map; give whole numbers, and "
            "resample label maps with nearest neighbour."
        )
    return stored, grid


def _read_values(
    path: Path, table: LabelTable, unannotated: int, names: Mapping[int, str] | None
) -> LabelMap:
    if not names and (clash := [label for label in table if label.value == unannotated]):
        raise BadInput(
            f"The value {unannotated} cannot mean both {clash[0].name} and not annotated; choose "
            "another value for one of them."
        )
    stored, grid = read_values(path)
    if names:
        array = named_values(stored, names, table, unannotated, path.name)
        return LabelMap(array=array, grid=grid, table=table)
    known = {0, unannotated} | {label.value for label in table}
    if strange := sorted({int(value) for value in np.unique(stored)} - known):
        raise BadInput(
            f"{path.name} holds the values {', '.join(map(str, strange[:10]))}, which the label "
            f"table does not know; it knows {_listed(table)} and {unannotated} (not annotated)."
        )
    array = np.where(stored == unannotated, UNANNOTATED, stored).astype(np.uint8)
    return LabelMap(array=array, grid=grid, table=table)


def segment_names(path: Path) -> tuple[str, ...]:
    """What 3D Slicer calls the segments of a segmentation; none for any other file.

    Raises:
        BadInput: when the file's header cannot be read.
    """
    if path.suffix.lower() not in NRRD or not path.is_file():
        return ()
    _check_file(path)
    with _in_words(path):
        segments = segments_of(read_text_header(path).pairs, path.name)
    return tuple(dict.fromkeys(segment.name for segment in segments))


def _read_segmentation(path: Path, table: LabelTable, on: Grid | None) -> LabelMap | None:
    """A segmentation that 3D Slicer wrote, by the names of its segments; None for other files."""
    if path.suffix.lower() not in NRRD:
        return None
    pairs = read_text_header(path).pairs
    segments = segments_of(pairs, path.name)
    if not segments:
        return None
    layers, grid = itk_files.read_layers(path)
    array = named_layers(layers, segments, table, path.name)
    reference = reference_grid(pairs, path.name)
    if reference and (on is None or reference.size == on.size):
        whole = pasted(array, grid, reference)
        if whole is not None:
            return LabelMap(array=whole, grid=reference, table=table)
    return LabelMap(array=array, grid=grid, table=table)


def write_label_map(label_map: LabelMap, path: Path) -> None:
    """Write uint8 voxels on exactly the map's grid; the file appears whole or not at all.

    Raises:
        BadInput: when it cannot be written.
    """
    _write(label_map.array, label_map.grid, Path(path), repeats=True)


def write_volume(volume: Volume, path: Path) -> None:
    """Write an image on exactly its grid; the file appears whole or not at all.

    Raises:
        BadInput: when it cannot be written.
    """
    array = volume.array
    _write(
        array.astype(np.float32) if array.dtype == np.float16 else array, volume.grid, Path(path)
    )


def write_share(volume: Volume, path: Path) -> None:
    """Write numbers from 0 to 1 as NIfTI in steps of 1/255, one byte each.

    Raises:
        BadInput: when it cannot be written.
    """
    with atomic_path(path) as draft:
        nifti.write(
            volume.array,
            volume.grid,
            draft,
            slope=1 / 255,
            stored=lambda plane: np.rint(plane * 255).astype(np.uint8),
            repeats=True,
        )


def _read(path: Path) -> tuple[np.ndarray, Grid, dict[str, str]]:
    """Voxels ``(I, J, K)`` as stored, their grid, and facts."""
    _check_file(path)
    with _in_words(path):
        return nifti.read(path) if nifti.is_nifti(path) else itk_files.read(path)


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Say in a sentence what disk and memory refuse."""
    try:
        yield
    except PermissionError as error:
        raise BadInput(f"{path} may not be read; ask for permission to read it.") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error}).") from error
    except MemoryError as error:
        raise BadInput(f"{path.name} does not fit into memory; crop or resample it.") from error


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except OSError as error:
        raise BadInput(f"There is no file {path}; check the name.") from error
    if path.is_dir():
        raise BadInput(f"{path} is a folder, not an image file.")
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(f"{path} is not a file; give {KINDS}.")
    if status.st_size == 0:
        raise BadInput(f"{path.name} is empty (0 bytes); copy or export it again.")
    if path.name.lower().endswith(ARCHIVES):
        raise BadInput(f"{path.name} is an archive; unpack it and give the scan that is in it.")
    if not _suffix(path):
        raise BadInput(f"{path.name} is not an image that this program reads; give {KINDS}.")


def _narrowed(array: np.ndarray) -> np.ndarray:
    """At most 32 bits a voxel: nothing downstream needs more, and memory is short."""
    if array.dtype.itemsize <= 4 and array.dtype != np.uint32:
        return array
    if array.dtype.kind in "iu":
        low, high = np.iinfo(np.int32).min, np.iinfo(np.int32).max
        if array.min() >= low and array.max() <= high:
            return array.astype(np.int32)
    with np.errstate(over="ignore"):  # what overflows becomes infinite and is refused as such
        return array.astype(np.float32)


def _check_numbers(array: np.ndarray, name: str) -> None:
    low, high = array.min(), array.max()  # NaN and infinity both show in the ends
    if not (np.isfinite(low) and np.isfinite(high)):
        count = array.size - int(np.isfinite(array).sum())
        raise BadInput(
            f"{name} holds NaN or infinity in {count:,} of {array.size:,} voxels; replace them, "
            "for example by the value of air."
        )
    if low == high:
        raise BadInput(
            f"{name} holds the same number ({low:g}) in every voxel, so there is nothing to see; "
            "export the scan again."
        )


def _write(array: np.ndarray, grid: Grid, path: Path, *, repeats: bool = False) -> None:
    if not _suffix(path):
        raise BadInput(f"{path.name} does not end in one of {', '.join(IMAGES[:5])}.")
    if path.suffix.lower() in (".nhdr", ".mhd"):
        raise BadInput(f"{path.name} would need a second file; write .nrrd, .mha or .nii.gz.")
    with atomic_path(path) as draft:
        if nifti.is_nifti(path):
            nifti.write(array, grid, draft, repeats=repeats)
            return
        try:
            sitk.WriteImage(to_image(array, grid), str(draft), useCompression=True)
        except RuntimeError as error:
            raise BadInput(
                f"{path} cannot be written; choose a folder that has room and may be written to."
            ) from error


def _suffix(path: Path) -> str:
    name = path.name.lower()
    return next((suffix for suffix in IMAGES if name.endswith(suffix)), "")


def _listed(table: LabelTable) -> str:
    return ", ".join(["0", *(f"{label.value} ({label.name})" for label in table)])
