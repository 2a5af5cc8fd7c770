"""Reading and writing images and label maps: NIfTI, NRRD and MetaImage, and DICOM by delegation."""

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED, LabelMap, LabelTable
from cmcseg.core.volume import Volume
from cmcseg.imaging import nifti
from cmcseg.imaging.dicom import is_dicom, read_series
from cmcseg.imaging.header import SUFFIXES, ImageHeader, usable_grid
from cmcseg.imaging.resample import LPS, to_array, to_image

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar")
_KINDS = "NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd) or a DICOM folder"


def read_volume(path: Path) -> Volume:
    """Read one scan: an image file, a folder that holds a DICOM series, or one of its files.

    Numbers keep their type where 32 bits hold it; wider ones become int32 or float32.

    Returns:
        A volume with the facts "source" (``file`` or ``dicom``), "modality" and "series" where
        known, and a "note" where the user should know of a choice that was made.

    Raises:
        BadInput: when there is no single usable 3-D scan.
    """
    path = Path(path)
    if path.is_dir() or is_dicom(path):
        volume = read_series(path)
    else:
        array, grid, facts = _read(path)
        volume = Volume(array=_narrowed(array), grid=grid, facts={"source": "file", **facts})
    _check_numbers(volume.array, path.name)
    return volume


def read_label_map(path: Path, table: LabelTable, unannotated: int = UNANNOTATED) -> LabelMap:
    """Read a label map whose numbers mean what ``table`` says.

    Args:
        path: an image file of whole numbers.
        table: the organs; every value above 0 must be one of them.
        unannotated: the value in the file that means "nobody looked here"; it becomes 255.

    Raises:
        BadInput: when the file cannot be used, or holds fractions or unknown values.
    """
    path = Path(path)
    if clash := [label for label in table if label.value == unannotated]:
        raise BadInput(
            f"The value {unannotated} cannot mean both {clash[0].name} and not annotated; choose "
            "another value for one of them."
        )
    stored, grid, _ = _read(path)
    if stored.dtype.kind == "f" and not (stored == np.round(stored)).all():
        raise BadInput(
            f"{path.name} holds fractions, so it is not a label map; give whole numbers, and "
            "resample label maps with nearest neighbour."
        )
    known = {0, unannotated} | {label.value for label in table}
    if strange := sorted({int(value) for value in np.unique(stored)} - known):
        raise BadInput(
            f"{path.name} holds the values {', '.join(map(str, strange[:10]))}, which the label "
            f"table does not know; it knows {_listed(table)} and {unannotated} (not annotated)."
        )
    array = np.where(stored == unannotated, UNANNOTATED, stored).astype(np.uint8)
    return LabelMap(array=array, grid=grid, table=table)


def write_label_map(label_map: LabelMap, path: Path) -> None:
    """Write uint8 voxels on exactly the map's grid; the file appears whole or not at all.

    Raises:
        BadInput: when it cannot be written.
    """
    _write(label_map.array, label_map.grid, Path(path))


def write_volume(volume: Volume, path: Path) -> None:
    """Write an image on exactly its grid; the file appears whole or not at all.

    Raises:
        BadInput: when it cannot be written.
    """
    array = volume.array
    _write(
        array.astype(np.float32) if array.dtype == np.float16 else array, volume.grid, Path(path)
    )


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Lend a temporary name beside ``path``; on leaving, what was written there becomes ``path``.

    When anything fails, the temporary file is removed and an older ``path`` stays as it was.

    Raises:
        BadInput: when the folder or the disk does not take the file.
    """
    path = Path(path)
    draft = path.with_name(f".cmcseg-{secrets.token_hex(6)}{_suffix(path) or path.suffix}")
    try:
        draft.touch(exist_ok=False)
        yield draft
        _flush(draft)
        draft.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written ({error.strerror or error}); choose a folder that exists, "
            "has room and may be written to."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _read(path: Path) -> tuple[np.ndarray, Grid, dict[str, str]]:
    """Voxels ``(I, J, K)`` as stored, their grid, and facts."""
    _check_file(path)
    try:
        return nifti.read(path) if nifti.is_nifti(path) else _read_itk(path)
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
        raise BadInput(f"{path} is not a file; give {_KINDS}.")
    if status.st_size == 0:
        raise BadInput(f"{path.name} is empty (0 bytes); copy or export it again.")
    if path.name.lower().endswith(ARCHIVES):
        raise BadInput(f"{path.name} is an archive; unpack it and give the scan that is in it.")
    if not _suffix(path):
        raise BadInput(f"{path.name} is not an image that this program reads; give {_KINDS}.")


def _read_itk(path: Path) -> tuple[np.ndarray, Grid, dict[str, str]]:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise BadInput(
            f"{path.name} is not an image, or its header is damaged; export it again as {_KINDS}."
        ) from error
    header = _itk_header(reader, path)
    grid = usable_grid(header)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise BadInput(
            f"The voxels of {path.name} cannot be read: the file is damaged, was cut short, or "
            "its data file is missing; copy or export it again."
        ) from error
    while image.GetDimension() > 3:
        image = image[..., 0]
    return to_array(image), grid, header.facts


def _itk_header(reader: sitk.ImageFileReader, path: Path) -> ImageHeader:
    axes = reader.GetDimension()
    if "complex" in sitk.GetPixelIDValueAsString(reader.GetPixelID()):
        raise BadInput(f"{path.name} holds complex numbers; save the magnitude and give that.")
    spacing = np.ones(3)
    affine = np.eye(4)
    if axes >= 3:
        spacing = np.array(reader.GetSpacing()[:3])
        direction = np.array(reader.GetDirection()).reshape(axes, axes)[:3, :3]
        affine[:3, :3] = direction * spacing
        affine[:3, 3] = reader.GetOrigin()[:3]
    inside = path.suffix.lower() in (".nrrd", ".mha")  # else the voxels have their own file
    return ImageHeader(
        name=path.name,
        shape=tuple(reader.GetSize()),
        components=reader.GetNumberOfComponents(),
        itemsize=_ITEMSIZE.get(sitk.GetPixelIDValueAsString(reader.GetPixelID()).split()[0], 1),
        spacing=tuple(spacing.tolist()),
        affine=LPS @ affine,
        stored=path.stat().st_size if inside else None,
        compressed=True,  # SimpleITK does not say; it finds missing bytes itself
        facts=_itk_facts(reader, path),
    )


_ITEMSIZE = {"8-bit": 1, "16-bit": 2, "32-bit": 4, "64-bit": 8}


def _itk_facts(reader: sitk.ImageFileReader, path: Path) -> dict[str, str]:
    facts = {}
    for key in ("0008|0060", "modality", "Modality"):
        stated = reader.GetMetaData(key).strip() if reader.HasMetaDataKey(key) else ""
        stated = stated.removeprefix("MET_MOD_")  # MetaImage's own words
        if re.fullmatch("[A-Z]{2}", stated):  # DICOM's words
            facts["modality"] = stated
    stated = _stated_spacing(path)
    if not stated:
        facts["note"] = "The file does not give its voxel size; 1 mm was assumed."
    elif "nan" in stated and reader.GetDimension() == 3:
        raise BadInput(
            f"{path.name} has a voxel spacing that is not a number ({stated}); repair the header "
            "or export the scan again."
        )
    return facts


def _stated_spacing(path: Path) -> str:
    """The header's own line, because SimpleITK turns an absent spacing and NaN into 1 mm."""
    with path.open("rb") as file:
        head = file.read(1 << 16).decode("latin-1")
    line = re.search(
        r"^(?:space directions:|spacings:|Element(?:Spacing|Size) *=)(.*)$", head, re.M
    )
    return line[1].strip().lower() if line else ""


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


def _write(array: np.ndarray, grid: Grid, path: Path) -> None:
    if not _suffix(path):
        raise BadInput(f"{path.name} does not end in one of {', '.join(SUFFIXES[:5])}.")
    if path.suffix.lower() in (".nhdr", ".mhd"):
        raise BadInput(f"{path.name} would need a second file; write .nrrd, .mha or .nii.gz.")
    with atomic_path(path) as draft:
        if nifti.is_nifti(path):
            nifti.write(array, grid, draft)
            return
        try:
            sitk.WriteImage(to_image(array, grid), str(draft), useCompression=True)
        except RuntimeError as error:
            raise BadInput(
                f"{path} cannot be written; choose a folder that has room and may be written to."
            ) from error


def _suffix(path: Path) -> str:
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def _listed(table: LabelTable) -> str:
    return ", ".join(["0", *(f"{label.value} ({label.name})" for label in table)])


def _flush(path: Path) -> None:
    """Wait until the bytes are on the disk, so that a power cut cannot leave half a file."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    # Windows cannot open a folder, and needs no such step.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
