"""What strokes suggest, before anything is taken; pure sums."""

from dataclasses import dataclass, replace

import numpy as np

from cmcseg.core.boxes import nonzero_box
from cmcseg.core.labelmap import UNANNOTATED, LabelMap, LabelTable
from cmcseg.core.mark import Mark, TakenMark
from cmcseg.session.pen import part_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Proposal:
    """What the strokes on one scan suggest, not taken yet.

    Attributes:
        labels: the scan's organs as they would be.
        before: as they are.
        marks: the strokes, oldest first.
    """

    labels: LabelMap
    before: LabelMap
    marks: tuple[TakenMark, ...]

    @property
    def organ(self) -> str:
        """The organ of the newest stroke, whose border is shown."""
        return self.marks[-1].organ


def cut_out(labels: LabelMap, mark: Mark) -> LabelMap:
    """The part of a label map that a mark can change."""
    box = mark.box(labels.grid)
    array = np.ascontiguousarray(labels.array[box])
    return LabelMap(array=array, grid=part_of(labels.grid, box), table=labels.table)


def refined(base: Proposal, new: TakenMark, found: np.ndarray) -> tuple[Proposal, LabelMap]:
    """A proposal with one stroke more, and the organ that is shown of it.

    Args:
        base: the proposal so far.
        new: the stroke.
        found: uint8, what ``cut_out`` becomes by it.
    """
    array = base.labels.array.copy(order="K")
    array[new.mark.box(base.labels.grid)] = found
    labels = LabelMap(array=array, grid=base.labels.grid, table=base.labels.table)
    proposal = Proposal(labels=labels, before=base.before, marks=(*base.marks, new))
    return proposal, _organ_alone(labels, new.mark.value)


def merged(proposal: Proposal, now: LabelMap) -> dict[str, np.ndarray]:
    """Masks of the organs that change, by name; what was drawn elsewhere meanwhile stays."""
    differs = proposal.labels.array != proposal.before.array
    array = np.where(differs, proposal.labels.array, now.array)
    values = {*np.unique(now.array[differs]), *np.unique(array[differs])}
    return {label.name: array == label.value for label in now.table if label.value in values}


def strokes_of(role: str, marks: tuple[TakenMark, ...], labels: LabelMap) -> LabelMap:
    """What a hand drew on a scan: the accepted label at every marked voxel, 255 elsewhere."""
    array = np.full(labels.array.shape, UNANNOTATED, dtype=np.uint8)
    for taken in marks:
        if taken.role == role and not taken.carried:
            at = tuple(taken.mark.voxels.T)
            array[at] = labels.array[at]
    return LabelMap(array=array, grid=labels.grid, table=labels.table)


def _organ_alone(labels: LabelMap, value: int) -> LabelMap:
    """One organ, under 1, in the smallest box that holds it; of an empty one a voxel of nothing."""
    mask = labels.array == value
    box = nonzero_box(mask) or (slice(0, 1),) * 3
    array = np.asfortranarray(mask[box]).view(np.uint8)
    table = LabelTable(labels=(replace(labels.table.labels[value - 1], value=1),))
    return LabelMap(array=array, grid=part_of(labels.grid, box), table=table)
