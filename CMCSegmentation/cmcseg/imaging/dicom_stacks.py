"""From slices to stacks: which images make one volume, and which show the same places again.

A series may hold several volumes: echoes, phases, time points, magnitude and phase, two
acquisitions. What tells them apart differs by maker, so that the tags are tried one after the
other, the image's number in its series last. Lengths are in mm.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from cmcseg.core.counted import counted
from cmcseg.imaging.dicom_headers import REPEATS, Slice

# Images closer than this show the same place.
SAME_MM = 0.02
# Slices that stray this far from an even, upright stack are moved onto one.
STRAY_MM = 0.1
# Slices that overlap by more than this share of their thickness come from two acquisitions.
OVERLAP = 1.5
_WORDS = {
    "EchoTime": "echo time {} ms",
    "EchoNumbers": "echo {}",
    "DiffusionBValue": "b {}",
    "TemporalPositionIdentifier": "time point {}",
    "AcquisitionNumber": "acquisition {}",
    "TriggerTime": "trigger time {} ms",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """Slices of one volume, in order along their normal.

    Attributes:
        slices: at different places, but for a part that nothing tells apart.
        apart: what tells them from the other images of their series, in words.
        notes: what is doubtful about them.
    """

    slices: tuple[Slice, ...]
    apart: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def heights(self) -> np.ndarray:
        """Positions along the normal, rising."""
        return np.array([one.height for one in self.slices])

    @property
    def places(self) -> int:
        """How many different heights there are."""
        return 1 + int((np.diff(self.heights) >= SAME_MM).sum())

    @property
    def is_mixed(self) -> bool:
        """Whether a place is shown more than once."""
        return self.places < len(self.slices)

    @property
    def title(self) -> str:
        """What a list shows: ``'T2 tra' (MR, 21 slices, echo time 4.6 ms)``."""
        first = self.slices[0]
        name = first.description or "without a description"
        facts = (first.modality, counted(len(self.slices), "slice"), *self.apart)
        return f"{name!r} ({', '.join(facts)})"

    def part(self, slices: Iterable[Slice], apart: str, note: str = "") -> "Stack":
        """Some of the slices, in the same order."""
        notes = (*self.notes, note) if note else self.notes
        kept = tuple(sorted(slices, key=lambda one: one.height))
        return replace(self, slices=kept, apart=(*self.apart, apart), notes=notes)


def stacks_of(slices: Iterable[Slice]) -> list[Stack]:
    """All volumes among slices, the one with the most slices of the lowest series first.

    A stack that is still mixed holds images that no header tells apart.
    """
    groups = sorted(_grouped(slices), key=lambda group: (-group.places, group.slices[0].number))
    return [part for group in groups for part in sorted(_split(group), key=_preference)]


def _preference(part: Stack) -> tuple[int, int]:
    return -part.places, min(one.instance for one in part.slices)


def _grouped(slices: Iterable[Slice]) -> list[Stack]:
    """Slices that can form one stack: same series, size, pixel spacing and orientation."""
    groups: list[list[Slice]] = []
    for one in slices:
        for group in groups:
            if _fits(one, group[0]):
                group.append(one)
                break
        else:
            groups.append([one])
    return [Stack(slices=tuple(sorted(group, key=lambda one: one.height))) for group in groups]


def _fits(one: Slice, other: Slice) -> bool:
    return (
        (one.series, one.rows, one.columns) == (other.series, other.rows, other.columns)
        and np.abs(one.axes - other.axes).max() < 1e-3
        and np.allclose(one.spacing, other.spacing, rtol=1e-3)
    )


def _split(group: Stack) -> list[Stack]:
    parts = [group]
    for key in REPEATS:
        parts = [piece for part in parts for piece in _by_value(part, key)]
    parts = [piece for part in parts for piece in _by_instance(part)]
    return [piece for part in parts for piece in _by_acquisition(part)]


def _by_value(stack: Stack, key: str) -> list[Stack]:
    """Split images of the same places by a tag, if its values are those of whole volumes."""
    if not stack.is_mixed:
        return [stack]
    values = _values(stack, key)
    parts = [stack.part(images, _told(key, value, values)) for value, images in values.items()]
    if len(parts) < 2 or any(part.places < 2 for part in parts):
        return [stack]
    if max(map(_repeats, parts)) >= _repeats(stack):
        return [stack]
    return parts


def _by_instance(stack: Stack) -> list[Stack]:
    """Split by the n-th image of every place in the order of the series."""
    if not stack.is_mixed:
        return [stack]
    places: list[list[Slice]] = []
    for one in stack.slices:
        if places and one.height - places[-1][-1].height < SAME_MM:
            places[-1].append(one)
        else:
            places.append([one])
    if any(len({one.instance for one in place}) < len(place) for place in places):
        return [stack]
    for place in places:
        place.sort(key=lambda one: one.instance)
    most = max(map(len, places))
    note = ""
    if min(map(len, places)) < most:
        note = (
            "Not every place has the same number of images, so that images of several time points "
            "or echoes may be mixed."
        )
    return [
        stack.part(
            [place[n] for place in places if len(place) > n],
            f"image {n + 1} of {most} at each place",
            note,
        )
        for n in range(most)
    ]


def _by_acquisition(stack: Stack) -> list[Stack]:
    """Split two acquisitions of the same region whose slices lie between each other's.

    The number alone proves nothing: it differs within many a good stack.
    """
    values = _values(stack, "AcquisitionNumber")
    if stack.is_mixed or len(values) < 2:
        return [stack]
    parts = [
        stack.part(images, _told("AcquisitionNumber", value, values))
        for value, images in values.items()
    ]
    if any(part.places < 2 or not _is_even(part) for part in parts):
        return [stack]
    ends = sorted((part.heights[0], part.heights[-1]) for part in parts)
    if all(low > before for (_, before), (low, _) in pairwise(ends)):
        return [stack]
    return parts if not _is_even(stack) or _is_doubled(stack) else [stack]


def _is_even(stack: Stack) -> bool:
    heights = stack.heights
    even = np.linspace(heights[0], heights[-1], len(heights))
    return bool(np.abs(heights - even).max() <= STRAY_MM)


def _is_doubled(stack: Stack) -> bool:
    """Whether slices lie far closer than they are thick, which CT of one acquisition may, too.

    MR is left alone: it takes a stack in turns, whose slices do not overlap.
    """
    step = float(np.median(np.diff(stack.heights)))
    first = stack.slices[0]
    return first.modality != "MR" and first.thickness > OVERLAP * step


def _repeats(stack: Stack) -> int:
    """The largest number of images at one place."""
    new = np.flatnonzero(np.diff(stack.heights) >= SAME_MM) + 1
    return int(np.diff([0, *new, len(stack.slices)]).max())


def _values(stack: Stack, key: str) -> dict[str, list[Slice]]:
    """Slices by the value of a tag, the value of the first image of the series first."""
    values: dict[str, list[Slice]] = {}
    for one in sorted(stack.slices, key=lambda one: one.instance):
        values.setdefault(one.tags[key], []).append(one)
    return values


def _told(key: str, value: str, values: Iterable[str]) -> str:
    """What tells a part from the others; no time of the day, and of a kind only what differs."""
    if key in _WORDS:
        return _WORDS[key].format(value or "unknown")
    values = list(values)
    if key == "ImageType":
        common = set.intersection(*(set(other.split("\\")) for other in values))
        if own := [word for word in value.split("\\") if word not in common]:
            return f"kind {'/'.join(own)}"
    return f"image {values.index(value) + 1} of {len(values)} at each place"
