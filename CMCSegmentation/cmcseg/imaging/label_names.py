"""What the values of a label map mean by the file's own words, held against a label table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED, Label, LabelTable
from cmcseg.imaging.header import ImageHeader, usable_grid

# Names by which files mark voxels that nobody looked at.
IGNORED = ("ignore", "not annotated", "unannotated")
BACKGROUND = "background"  # what values of organs are called that are not to be learned
_NO_NAME = re.compile(r"(segment|label)?[ _-]*\d*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One segment of a segmentation that 3D Slicer wrote.

    Attributes:
        name: as the user sees it.
        value: of its voxels.
        layer: in which they lie.
        code: of the organ, as "scheme value"; empty when unknown.
        side: of it, likewise.
    """

    name: str
    value: int
    layer: int = 0
    code: str = ""
    side: str = ""


def segments_of(pairs: Mapping[str, str], name: str) -> tuple[Segment, ...]:
    """The segments that the keys of a ``.seg.nrrd`` describe; none in any other NRRD.

    Raises:
        BadInput: when a key does not hold a number where one belongs.
    """
    numbers = [int(key[7:-3]) for key in pairs if re.fullmatch(r"Segment\d{1,6}_ID", key)]
    try:
        return tuple(_segment(pairs, f"Segment{number}_", number) for number in sorted(numbers))
    except ValueError as error:
        raise BadInput(
            f"The segments of {name} are described by numbers that are none; save it again in 3D "
            "Slicer."
        ) from error


def reference_grid(pairs: Mapping[str, str], name: str) -> Grid | None:
    """The grid of the scan that was segmented, which Slicer keeps when it crops the voxels.

    Args:
        pairs: keys of the file's header.
        name: of the file.

    Raises:
        BadInput: when that scan could not be: nothing of its size may be asked for.
    """
    told = re.search(
        r"Reference image geometry\|([^|&]*)", pairs.get("Segmentation_ConversionParameters", "")
    )
    try:
        numbers = [float(part) for part in told[1].split(";") if part.strip()] if told else []
        if len(numbers) != 22:
            return None
        affine, ends = np.array(numbers[:16]).reshape(4, 4), np.array(numbers[16:]).reshape(3, 2)
        affine[:3, 3] += affine[:3, :3] @ ends[:, 0]
        grid = Grid(shape=tuple((ends[:, 1] - ends[:, 0] + 1).astype(int)), affine=affine)
    except (ValueError, OverflowError):
        return None
    return usable_grid(
        ImageHeader(
            name=name,
            shape=grid.shape,
            components=1,
            itemsize=1,
            spacing=grid.spacing,
            affine=grid.affine,
            stored=None,
            compressed=False,
        )
    )


def named_layers(
    layers: np.ndarray, segments: tuple[Segment, ...], table: LabelTable, name: str
) -> np.ndarray:
    """One label map with the table's values from the layers of a segmentation.

    Args:
        layers: ``(L, I, J, K)`` values as stored.
        segments: what they mean.
        table: the organs.
        name: of the file.

    Returns:
        ``(I, J, K)`` uint8.

    Raises:
        BadInput: for a segment that the table does not know, voxels of no segment, or two organs
            in one voxel.
    """
    result = np.zeros(layers.shape[1:], np.uint8)
    for number, layer in enumerate(layers):
        mine = [one for one in segments if one.layer == number]
        values = {0} | {one.value for one in mine}
        if strange := sorted(set(np.unique(layer).tolist()) - values):
            raise BadInput(
                f"{name} holds the value {strange[0]:g}, which belongs to none of its segments; "
                "save it again in 3D Slicer."
            )
        for one in mine:
            mask = layer == one.value
            if mask.any():
                _paint(result, mask, _meant(one, table, name), name)
    return result


def named_values(
    array: np.ndarray, names: Mapping[int, str], table: LabelTable, unannotated: int, name: str
) -> np.ndarray:
    """A label map in the table's values, whatever numbers its organs have in the file.

    Args:
        array: whole numbers as stored.
        names: what they mean by the datalist's own table.
        table: the organs.
        unannotated: the value that means "nobody looked here".
        name: of the file.

    Raises:
        BadInput: for a value without a name, or with a name that the table does not know.
    """
    result = np.zeros(array.shape, np.uint8)
    for value in np.unique(array).astype(int).tolist():
        if value == unannotated:
            result[array == value] = UNANNOTATED
        elif value != 0 and plain_name(names.get(value, "")) != BACKGROUND:
            one = Segment(name=names.get(value, f"label {value}"), value=value)
            if value not in names:
                raise BadInput(
                    f"{name} holds the value {value}, which the table of the datalist does not "
                    "name; add it there."
                )
            result[array == value] = _meant(one, table, name)
    return result


def _paint(result: np.ndarray, mask: np.ndarray, value: int, name: str) -> None:
    if taken := int(np.count_nonzero(mask & (result > 0) & (result != value))):
        raise BadInput(
            f"{name} gives {taken:,} voxels to two segments at once; let them not overlap, and "
            "save it again."
        )
    result[mask] = value


def _meant(one: Segment, table: LabelTable, name: str) -> int:
    """The table's value of a segment: by its name, else by its code, else by its number."""
    if plain_name(one.name) in IGNORED:
        return UNANNOTATED
    by_name = next(
        (label for label in table if plain_name(label.name) == plain_name(one.name)), None
    )
    codes = (one.code, one.side)
    by_code = next((label for label in table if one.code and _coded(label) == codes), None)
    if by_name and by_code and by_name != by_code:
        raise BadInput(
            f"In {name} the segment {one.name} carries the code of {by_code.name}; correct one of "
            "them, and save it again."
        )
    label = by_name or by_code
    if label is None and _NO_NAME.fullmatch(one.name.strip()):
        label = next((label for label in table if label.value == one.value), None)
    if label is None:
        known = ", ".join(label.name for label in table)
        raise BadInput(
            f"{name} calls the value {one.value} {one.name!r}, which the label table does not "
            f"know; it knows {known}. Rename it, or take it out."
        )
    return label.value


def _coded(label: Label) -> tuple[str, str]:
    words = [f"{code.scheme} {code.value}" if code else "" for code in (label.code, label.side)]
    return words[0], words[1]


def _segment(pairs: Mapping[str, str], key: str, number: int) -> Segment:
    code = side = ""
    entry = re.search(r"TerminologyEntry:([^|]*)", pairs.get(f"{key}Tags", ""))
    if entry and len(parts := entry[1].split("~")) > 3:
        code, side = (_words(part) for part in parts[2:4])
    return Segment(
        name=pairs.get(f"{key}Name", "") or pairs.get(f"{key}ID", ""),
        value=int(pairs.get(f"{key}LabelValue", str(number + 1))),
        layer=int(pairs.get(f"{key}Layer", "0")),
        code=code,
        side=side,
    )


def _words(part: str) -> str:
    scheme, _, rest = part.partition("^")
    value = rest.partition("^")[0]
    return f"{scheme} {value}" if scheme and value else ""


def plain_name(name: str) -> str:
    """A name without the differences that do not matter."""
    return " ".join(re.split(r"[\s_-]+", name.casefold().strip()))
