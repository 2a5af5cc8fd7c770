"""Reading one scan from a folder of DICOM slices.

pydicom reads the headers, because every decision here (which series, in what order, with which
gaps, tilts and slopes) has to be seen and told to the user; SimpleITK's series reader makes them
without a word: it trusts the first two slices, ignores a tilted gantry and, for MR, the slope of
each slice. Packed pixels (JPEG, JPEG 2000, JPEG-LS) are unpacked by SimpleITK's GDCM, which needs
no further package.

Coordinates in this file are DICOM's: LPS in mm.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cmcseg.core.counted import counted
from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import IMAGES
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging.dicom_headers import (
    DAMAGED,
    MODALITIES,
    MULTI_FRAME,
    PassedOver,
    Slice,
    read_header,
    read_headers,
)
from cmcseg.imaging.dicom_pixels import read_pixels, same_pixels
from cmcseg.imaging.dicom_stacks import SAME_MM, STRAY_MM, Stack, stacks_of
from cmcseg.imaging.header import ImageHeader, usable_grid
from cmcseg.imaging.resample import LPS
from cmcseg.imaging.silence import silent
from cmcseg.imaging.straighten import evened, upright

# A step this many times the usual one means that slices are missing.
GAP = 1.5
STEEPEST = 60.0  # degrees that slices may be tilted by; gantries reach 30
MOST_TOLD = 4  # stacks and files named in a note


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """What a folder holds, and which stack of it is to be read.

    Attributes:
        path: as it was given.
        stacks: all that make a scan, the usual choice first.
        number: of the one to read, from 1.
        notes: what the user should know, beside which stack is read.
    """

    path: Path
    stacks: tuple[Stack, ...]
    number: int
    notes: tuple[str, ...]

    @property
    def stack(self) -> Stack:
        """The one to read."""
        return self.stacks[self.number - 1]

    @property
    def titles(self) -> tuple[str, ...]:
        """Of all stacks, for a list to choose from."""
        return tuple(stack.title for stack in self.stacks)

    @property
    def files(self) -> list[Path]:
        """Of the stack to read, in the order of the volume's slices."""
        return [one.path for one in self.stack.slices]

    def read(self, *, choice: bool = True) -> Volume:
        """The volume; see ``read_series``.

        Args:
            choice: whether its note tells which of several stacks was read.
        """
        with silent():
            return self._read(_choice(self.stacks, self.number) if choice else ())

    def _read(self, choice: tuple[str, ...]) -> Volume:
        slices, name = self.stack.slices, self.path.name
        grid = usable_grid(_stack_header(slices, name))
        away = _offsets(slices)
        _check_tilt(away, name)
        array = read_pixels(slices, self.path)
        array, grid, changes = _straightened(array, grid, away)
        facts = {"source": "dicom", "modality": slices[0].modality}
        if description := slices[0].description:
            facts["series"] = description
        if notes := (*choice, *self.notes, *self.stack.notes, *changes):
            facts["note"] = " ".join(notes)
        return Volume(array=array, grid=grid, facts=facts)


def read_series(path: Path, number: int = 1) -> Volume:
    """Read one series as a volume of modality units (Hounsfield for CT).

    The series with the most slices of ``MODALITIES`` is taken; of a file, the one it belongs to.
    Localisers, reports and colour images are left out. A tilted gantry and slightly uneven steps
    are straightened by linear interpolation.

    Args:
        path: a folder with the slices directly in it, or one of the slices.
        number: which of its stacks, from 1.

    Returns:
        A volume with the facts "source" (``dicom``), "modality", "series" (its description) and a
        "note" when a choice was made. Nothing about the patient is kept.

    Raises:
        BadInput: when there is no usable series, slices are missing, or a slice is damaged.
    """
    return open_series(path, number).read()


def series_files(path: Path, number: int = 1) -> list[Path]:
    """The files of the series that ``read_series`` reads, in the order of the volume's slices.

    Raises:
        BadInput: when there is no usable series.
    """
    return open_series(path, number).files


def open_series(path: Path, number: int = 1, within: Path | None = None) -> Series:
    """Look at the headers of a folder and choose.

    Args:
        path: a folder with the slices directly in it, or one of the slices.
        number: which of its stacks, from 1.
        within: a folder that no link may lead out of; None allows every link.

    Raises:
        BadInput: when there is no usable series, or no stack of that number.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    with silent():
        slices, passed = read_headers(folder, within)
    if path != folder:
        wanted = _series_of(path)
        slices = [one for one in slices if one.series == wanted]
        passed = [one for one in passed if one.series == wanted]
    if not slices:
        raise BadInput(_no_slices(folder, passed))
    if len({one.patient for one in slices if one.patient}) > 1:
        raise BadInput(
            f"The folder {folder} holds scans of more than one patient; give each its own folder."
        )
    stacks = tuple(stack for stack in stacks_of(slices) if stack.places > 1)
    if not stacks:
        raise BadInput(
            f"The largest DICOM series in {folder} has a single slice; a scan needs at least 2."
        )
    if not 1 <= number <= len(stacks):
        raise BadInput(
            f"The folder {folder} has no stack {number}; it holds {len(stacks)}: "
            f"{_numbered(stacks)}."
        )
    notes: tuple[str, ...] = ()
    stack = stacks[number - 1]
    if stack.is_mixed:
        stack, note = _without_copies(stack, folder)
        stacks = (*stacks[: number - 1], stack, *stacks[number:])
        notes = (note,)
    _check_damage(stack, passed)
    _check_gaps(stack, folder)
    return Series(path=path, stacks=stacks, number=number, notes=(*notes, *_told(passed)))


def _series_of(path: Path) -> tuple[str, ...]:
    one = read_header(path)
    if isinstance(one, Slice):
        return one.series
    if isinstance(one, PassedOver) and one.reason != DAMAGED:
        raise BadInput(_no_slices(path.parent, [one]))
    raise BadInput(f"{path} is not a usable DICOM file; export it again.")


def _no_slices(folder: Path, passed: list[PassedOver]) -> str:
    """Why a folder holds no scan, and what to give instead."""
    found = f"The folder {folder} holds no DICOM slices of {', '.join(MODALITIES)}"
    if passed:
        (reason, count), *_others = Counter(one.reason for one in passed).most_common()
        first = next(one.path.name for one in passed if one.reason == reason)
        if reason == MULTI_FRAME:
            return (
                f"{first} is a multi-frame (enhanced) DICOM file, which this program does not "
                "read; convert the series to NIfTI, for example with dcm2niix, or export it as "
                "single slices."
            )
        if reason == DAMAGED and len(passed) == 1:
            return f"{first} is a damaged DICOM file; copy the series again, or take it out."
        noun = "file, which" if count == 1 else "files, of which the first,"
        return (
            f"{found} that can be used, but {count} DICOM {noun} {first}, "
            f"{reason if ' ' in reason and reason[:2] != 'a ' else 'is ' + reason}; convert the "
            "series to NIfTI, for example with dcm2niix, or export it again."
        )
    files = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file() and path.name.lower().endswith(IMAGES) and path.name[0] != "."
    )
    if files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        return f"{found}, but {files[0]}{more}; give the file instead of its folder."
    return f"{found}; give the folder in which the slices of one series lie."


def _choice(stacks: tuple[Stack, ...], number: int) -> tuple[str, ...]:
    """A sentence when others could have been read."""
    if len(stacks) < 2:
        return ()
    others = [n for n in range(1, len(stacks) + 1) if n != number]
    return (
        f"The folder holds {len(stacks)} stacks of slices; the one read is #{number} "
        f"{stacks[number - 1].title}. Left out: {_numbered(stacks, others)}.",
    )


def _numbered(stacks: tuple[Stack, ...], numbers: list[int] | None = None) -> str:
    numbers = numbers or list(range(1, len(stacks) + 1))
    named = [f"#{number} {stacks[number - 1].title}" for number in numbers[:MOST_TOLD]]
    more = len(numbers) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _without_copies(stack: Stack, folder: Path) -> tuple[Stack, str]:
    """One image per place of a stack whose headers tell none apart, if the pixels do neither."""
    places: dict[int, list[Slice]] = {}
    starts = np.cumsum(np.diff(stack.heights, prepend=-np.inf) >= SAME_MM)
    for start, one in zip(starts.tolist(), stack.slices, strict=True):
        places.setdefault(start, []).append(one)
    if not all(same_pixels(place) for place in places.values()):
        raise BadInput(
            f"The DICOM series in {folder} shows the same place more than once, and nothing tells "
            "the images apart; give a folder with one image per place."
        )
    kept = stack.part([place[0] for place in places.values()], "each once")
    count = len(stack.slices) - len(kept.slices)
    return kept, f"{counted(count, 'slice was', 'slices were')} there more than once."


def _check_damage(stack: Stack, passed: list[PassedOver]) -> None:
    """A slice that belongs here and cannot be used must not be left out without a word."""
    for one in passed:
        if one.series == stack.slices[0].series and one.reason != MULTI_FRAME:
            raise BadInput(
                f"{one.path.name} belongs to the series and cannot be used ({one.reason}); copy "
                "the series again, or take the file out."
            )


def _told(passed: list[PassedOver]) -> tuple[str, ...]:
    """A sentence of the files that one might look for in the scan."""
    if not passed:
        return ()
    named = [f"{one.path.name} ({one.reason})" for one in passed[:MOST_TOLD]]
    more = len(passed) - len(named)
    count = counted(len(passed), "file was", "files were")
    return (f"{count} passed over: {', '.join(named)}{f' and {more} more' if more else ''}.",)


def _check_gaps(stack: Stack, folder: Path) -> None:
    steps = np.diff(stack.heights)
    usual = float(np.median(steps))
    widest = int(steps.argmax())
    if steps[widest] > GAP * usual:
        missing = max(round(float(steps[widest]) / usual) - 1, 1)
        raise BadInput(
            f"The DICOM series in {folder} has a gap of {steps[widest]:.1f} mm after slice "
            f"{widest + 1} of {len(stack.slices)}, where {usual:.1f} mm are usual: "
            f"{counted(missing, 'slice is', 'slices are')} missing; export the whole series."
        )


def _stack_header(slices: tuple[Slice, ...], name: str) -> ImageHeader:
    """The stack as if its slices lay evenly and upright; ``_straightened`` makes it true."""
    first, last = slices[0], slices[-1]
    step = (last.height - first.height) / (len(slices) - 1)
    down, along = first.spacing
    spacing = (along, down, step)
    normal = np.cross(first.axes[:, 0], first.axes[:, 1])
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([first.axes, normal]) * spacing
    affine[:3, 3] = first.position
    return ImageHeader(
        name=f"The DICOM series in {name}",
        shape=(first.columns, first.rows, len(slices)),
        components=1,
        itemsize=4,
        spacing=spacing,
        affine=LPS @ affine,
        stored=None,
        compressed=False,
    )


def _offsets(slices: tuple[Slice, ...]) -> np.ndarray:
    """``(K, 3)`` mm along i, j and the normal, from the first slice to each."""
    axes = slices[0].axes
    frame = np.column_stack([axes, np.cross(*axes.T)])
    return np.array([one.position - slices[0].position for one in slices]) @ frame


def _tilt(away: np.ndarray) -> float:
    """Degrees that the line through the first pixels leans."""
    return float(np.degrees(np.arctan2(np.linalg.norm(away[-1, :2] - away[0, :2]), away[-1, 2])))


def _check_tilt(away: np.ndarray, name: str) -> None:
    if _tilt(away) > STEEPEST or np.abs(away[:, :2]).max() > 2 * max(away[-1, 2], 100.0):
        raise BadInput(
            f"The slices of the DICOM series in {name} do not lie one above the other; give one "
            "stack of slices."
        )


def _straightened(
    array: np.ndarray, grid: Grid, away: np.ndarray
) -> tuple[np.ndarray, Grid, list[str]]:
    """Move slices that stand askew or unevenly onto an upright, even stack."""
    notes = []
    if np.abs(away[:, :2]).max() > STRAY_MM:
        notes.append(f"The slices are tilted by {_tilt(away):.1f} degrees; they were straightened.")
        array, grid = upright(array, grid, away[:, :2])
    even = np.linspace(away[0, 2], away[-1, 2], len(away))
    if np.abs(away[:, 2] - even).max() > STRAY_MM:
        steps = np.diff(away[:, 2])
        notes.append(
            f"The slices lie {steps.min():.1f} to {steps.max():.1f} mm apart; they were "
            "interpolated to even steps."
        )
        array = evened(array, away[:, 2], even)
    return array, grid, notes
