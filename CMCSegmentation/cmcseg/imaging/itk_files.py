"""NRRD and MetaImage files, read by SimpleITK once their headers were looked at."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.imaging.header import KINDS, ImageHeader, usable_grid
from cmcseg.imaging.resample import LPS, to_array
from cmcseg.imaging.silence import silent
from cmcseg.imaging.text_header import TextHeader, read_text_header

_ITEMSIZE = {"8-bit": 1, "16-bit": 2, "32-bit": 4, "64-bit": 8}


def read(path: Path) -> tuple[np.ndarray, Grid, dict[str, str]]:
    """Voxels ``(I, J, K)`` as stored, their grid, and facts.

    Raises:
        BadInput: when it is damaged, or not one scalar 3-D image.
        OSError: when it cannot be opened.
    """
    told = read_text_header(path)
    with silent():
        reader = _opened(path, told)
        header = _header(reader, path, told)
        grid = usable_grid(header)
        image = executed(reader, path)
    while image.GetDimension() > 3:
        image = image[..., 0]
    return to_array(image), grid, header.facts


def read_layers(path: Path) -> tuple[np.ndarray, Grid]:
    """The layers of a segmentation, ``(L, I, J, K)`` as stored, and their grid.

    Raises:
        BadInput: as ``read``.
        OSError: when it cannot be opened.
    """
    told = read_text_header(path)
    with silent():
        reader = _opened(path, told)
        header = replace(_header(reader, path, told), components=1)
        grid = usable_grid(header)
        array = sitk.GetArrayFromImage(executed(reader, path))
    array = array if array.ndim == 4 else array[..., None]
    return np.ascontiguousarray(array.transpose(3, 2, 1, 0)), grid


def _opened(path: Path, told: TextHeader) -> sitk.ImageFileReader:
    """A reader that knows the header and found the same size in it as we did."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise BadInput(
            f"{path.name} is not an image, or its header is damaged; export it again as {KINDS}."
        ) from error
    if "complex" in sitk.GetPixelIDValueAsString(reader.GetPixelID()):
        raise BadInput(f"{path.name} holds complex numbers; save the magnitude and give that.")
    values = int(np.prod([*map(int, reader.GetSize()), reader.GetNumberOfComponents()]))
    if values != int(np.prod(told.shape)):
        raise BadInput(f"The header of {path.name} contradicts itself; export the scan again.")
    return reader


def executed(reader: sitk.ImageFileReader, path: Path) -> sitk.Image:
    """The image itself.

    Raises:
        BadInput: when its voxels are damaged or do not fit into memory.
    """
    try:
        return reader.Execute()
    except RuntimeError as error:
        if "allocate memory" in str(error):
            raise BadInput(f"{path.name} does not fit into memory; crop or resample it.") from error
        raise BadInput(
            f"The voxels of {path.name} cannot be read: the file is damaged or was cut short; copy "
            "or export it again."
        ) from error


def _header(reader: sitk.ImageFileReader, path: Path, told: TextHeader) -> ImageHeader:
    axes = reader.GetDimension()
    spacing = np.ones(3)
    affine = np.eye(4)
    if axes >= 3:
        spacing = np.array(reader.GetSpacing()[:3])
        direction = np.array(reader.GetDirection()).reshape(axes, axes)[:3, :3]
        affine[:3, :3] = direction * spacing
        affine[:3, 3] = reader.GetOrigin()[:3]
    return ImageHeader(
        name=path.name,
        shape=tuple(reader.GetSize()),
        components=reader.GetNumberOfComponents(),
        itemsize=_ITEMSIZE.get(sitk.GetPixelIDValueAsString(reader.GetPixelID()).split()[0], 1),
        spacing=tuple(spacing.tolist()),
        affine=LPS @ affine,
        stored=None,  # the text header was held against the file already
        compressed=False,
        facts=_facts(reader, path, told),
    )


def _facts(reader: sitk.ImageFileReader, path: Path, told: TextHeader) -> dict[str, str]:
    facts = {}
    for key in ("0008|0060", "modality", "Modality"):
        stated = reader.GetMetaData(key).strip() if reader.HasMetaDataKey(key) else ""
        stated = stated.removeprefix("MET_MOD_")  # MetaImage's own words
        if re.fullmatch("[A-Z]{2}", stated):  # DICOM's words
            facts["modality"] = stated
    # SimpleITK turns an absent spacing and NaN into 1 mm.
    words = ("spacedirections", "spacings", "ElementSpacing", "ElementSize")
    stated = next((told.fields[word].lower() for word in words if word in told.fields), "")
    if not stated:
        facts["note"] = "The file does not give its voxel size; 1 mm was assumed."
    elif "nan" in stated and reader.GetDimension() == 3:
        raise BadInput(
            f"{path.name} has a voxel spacing that is not a number ({stated}); repair the header "
            "or export the scan again."
        )
    return facts
