"""What was drawn, step by step, in all scans of a review: one history, of small boxes.

A stroke changes a box of some voxels. Kept as such, fifty steps cost less than one copy of a
segmentation, and what changed can be counted without looking at the rest.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import slicer

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelTable
from cmcseg.core.steps import finish
from cmcseg.mrml.geometry import place_of
from cmcseg.mrml.result_nodes import known_result, scan_node
from cmcseg.mrml.segments import SURFACE, drawn_part, get_labels, own_layer, put_labels
from cmcseg.session.i18n import _
from cmcseg.session.ports import Edit

STEPS = 100  # that can be taken back


class History:
    """The steps of a review; any editor may draw, and is asked for nothing.

    Args:
        scene: whose segmentations are drawn on.
        limit: how many steps are kept.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, limit: int = STEPS) -> None:
        self._scene, self._limit = scene, limit
        self._now: dict[str, np.ndarray] = {}
        self._done: list[list[_Packed]] = []
        self._undone: list[list[_Packed]] = []

    def begin(self, keys: list[str]) -> None:
        """What is drawn beside these scans now is the start; earlier steps are forgotten.

        Raises:
            BadInput: when a scan or its result is gone.
        """
        self._done, self._undone = [], []
        self._now = {}
        for key in keys:
            result, grid, _warped, table = self._result(key)
            self._now[key] = get_labels(result, grid, table)

    def clear(self) -> None:
        """Forget everything."""
        self._done, self._undone, self._now = [], [], {}

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back."""
        return bool(self._undone)

    def take(self) -> tuple[Edit, ...]:
        """What was drawn since the last call, one step of the history; empty when nothing was."""
        edits = tuple(edit for key in self._now if (edit := self._edit(key)))
        if edits:
            self._undone = []
            self._done = [*self._done, [_Packed.of(edit) for edit in edits]][-self._limit :]
        return edits

    def undo(self) -> tuple[Edit, ...]:
        """Take the last step back; what that changed."""
        return self._move(self._done, self._undone, back=True)

    def redo(self) -> tuple[Edit, ...]:
        """Do the last step again that was taken back; what that changed."""
        return self._move(self._undone, self._done, back=False)

    def _result(self, key: str) -> tuple[slicer.vtkMRMLSegmentationNode, Grid, bool, LabelTable]:
        """A scan's segmentation, its own grid, whether a transform bends it, and the values."""
        node = scan_node(self._scene, key)
        result, table = known_result(node)
        place = place_of(node)
        return result, place.local, place.warped, table

    def _edit(self, key: str) -> Edit | None:
        """The smallest box that holds all that differs from the last look."""
        result, grid, warped, table = self._result(key)
        now = self._now[key]
        part, low = drawn_part(result, grid, table)
        high = low + part.shape
        inside = tuple(map(slice, low, high))
        box = _differing(now[inside], part)
        if box is not None:
            box = (box[0] + low, box[1] + low)
        outside = now.copy() if self._reaches_out(now, low, high) else None
        if outside is not None:  # a layer has shrunk: what it no longer holds is empty
            outside[inside] = 0
            far = _differing(outside, np.zeros((1, 1, 1), np.uint8))
            if far is not None:
                box = _both(box, far)
        if box is None:
            return None
        where = tuple(map(slice, *box))
        whole = np.zeros_like(now[where])
        first, last = np.maximum(box[0], low), np.minimum(box[1], high)
        if (first < last).all():
            whole[tuple(map(slice, first - box[0], last - box[0]))] = part[
                tuple(map(slice, first - low, last - low))
            ]
        edit = Edit(
            key=key,
            low=tuple(map(int, box[0])),
            before=now[where].copy(),
            after=whole,
            warped=warped,
        )
        now[where] = whole
        return edit

    @staticmethod
    def _reaches_out(now: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
        """Whether anything lies outside a box."""
        for axis in range(3):
            for side in (slice(0, low[axis]), slice(high[axis], None)):
                window = [slice(None)] * 3
                window[axis] = side
                if now[tuple(window)].any():
                    return True
        return False

    def _move(self, source: list, target: list, *, back: bool) -> tuple[Edit, ...]:
        if not source:
            return ()
        step = source.pop()
        target.append(step)
        edits = tuple(packed.edit(back=back) for packed in step)
        for edit in edits:
            self._write(edit)
        return edits

    def _write(self, edit: Edit) -> None:
        result, grid, _warped, table = self._result(edit.key)
        now = self._now[edit.key]
        if now.shape != grid.shape:
            raise BadInput(_("The scan was changed meanwhile; segment it again."))
        now[edit.where] = edit.after
        segmentation = result.GetSegmentation()
        layer = own_layer(result, grid, table)
        if layer is None or not _holds(layer, edit):
            finish(put_labels(result, now, grid, table))
            return
        image, numbers, low = layer
        at = tuple(
            slice(first - start, first - start + n)
            for first, start, n in zip(edit.low, low, edit.after.shape, strict=True)
        )
        numbers[at] = edit.after
        image.GetPointData().GetScalars().Modified()
        image.Modified()
        had_surface = segmentation.ContainsRepresentation(SURFACE)
        segmentation.InvalidateNonSourceRepresentations()
        if had_surface:
            segmentation.CreateRepresentation(SURFACE)
        result.Modified()


@dataclass(frozen=True, kw_only=True)
class _Packed:
    """An edit as it is kept: organs are solid, so a box shrinks to a fraction."""

    key: str
    low: tuple[int, int, int]
    shape: tuple[int, int, int]
    before: bytes
    after: bytes
    warped: bool

    @classmethod
    def of(cls, edit: Edit) -> _Packed:
        before, after = (
            zlib.compress(np.asfortranarray(array).tobytes(order="F"), 1)
            for array in (edit.before, edit.after)
        )
        shape = edit.before.shape
        return cls(
            key=edit.key,
            low=edit.low,
            shape=shape,
            before=before,
            after=after,
            warped=edit.warped,
        )

    def edit(self, *, back: bool) -> Edit:
        before, after = (
            np.frombuffer(zlib.decompress(text), np.uint8).reshape(self.shape, order="F")
            for text in (self.before, self.after)
        )
        if back:
            before, after = after, before
        return Edit(key=self.key, low=self.low, before=before, after=after, warped=self.warped)


def _differing(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """First and last-plus-one index of what differs; planes of the slow axis are skipped whole."""
    flat = np.zeros(one.shape[:2], dtype=bool)
    planes = np.zeros(one.shape[2], dtype=bool)
    for k in range(one.shape[2]):
        differs = one[:, :, k] != other[:, :, min(k, other.shape[2] - 1)]
        planes[k] = differs.any()
        if planes[k]:
            flat |= differs
    if not planes.any():
        return None
    hits = (flat.any(axis=1), flat.any(axis=0), planes)
    ends = [np.flatnonzero(hit)[[0, -1]] for hit in hits]
    return np.array([end[0] for end in ends]), np.array([end[1] + 1 for end in ends])


def _both(
    one: tuple[np.ndarray, np.ndarray] | None, other: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    if one is None:
        return other
    return np.minimum(one[0], other[0]), np.maximum(one[1], other[1])


def _holds(layer: tuple[slicer.vtkOrientedImageData, np.ndarray, np.ndarray], edit: Edit) -> bool:
    """Whether a box lies within a layer."""
    _image, numbers, low = layer
    first = np.array(edit.low) - low
    return bool((first >= 0).all() and (first + edit.after.shape <= numbers.shape).all())
