"""Slicer's segment editor effects on one segmentation at a time, with undo over all that writes."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from trame_slicer.core import SlicerApp
from trame_slicer.segmentation import (
    BrushDiameterMode,
    SegmentationEffectErase,
    SegmentationEffectIslands,
    SegmentationEffectNoTool,
    SegmentationEffectPaint,
    SegmentationEffectScissors,
    SegmentationEffectSmoothing,
    SegmentationEffectThreshold,
    SegmentationIslandsMode,
)
from trame_slicer.segmentation.segmentation_effect_smoothing import SmoothingEffectMode
from undo_stack import UndoCommand, UndoStack

from cmcseg.core.errors import BadInput

TOOLS = {
    "": SegmentationEffectNoTool,
    "brush": SegmentationEffectPaint,
    "erase": SegmentationEffectErase,
    "scissors": SegmentationEffectScissors,
    "threshold": SegmentationEffectThreshold,
    "islands": SegmentationEffectIslands,
    "smooth": SegmentationEffectSmoothing,
}
UNDO_STATES = 10


class Editor:
    """The tools of the review.

    Args:
        app: Slicer's scene and logics.
        edited: called after every change that a tool, undo or redo made.
    """

    def __init__(self, app: SlicerApp, edited: Callable[[], None]) -> None:
        self._app, self._edited = app, edited
        self._stack = UndoStack(undo_limit=UNDO_STATES)
        self._editor = app.segmentation_editor
        self._editor.set_undo_stack(self._stack)
        self._editor.segmentation_modified.connect(self._on_modified)
        self._node = ""
        self._turning = False
        self.tool = ""

    def edit(self, result: str, scan: str) -> None:
        """Take a segmentation in hand; what could be undone in another one cannot any more."""
        if result != self._node:
            self._node = result
            nodes = (self._app.scene.GetNodeByID(key) for key in (result, scan))
            self._turning = True  # the editor tells of a change when it is given another node
            self._editor.set_active_segmentation(*nodes)
            self.use("")
            self._turning = False

    def solid(self, shown: bool) -> None:
        """Keep surfaces of the organs in hand, for the 3D view."""
        self._turning = True
        self._editor.set_surface_representation_enabled(shown)
        self._turning = False

    def drop(self) -> None:
        """Lay the tools down."""
        if self._node:
            self.use("")
        self._node = ""
        self._stack.clear()

    def use(self, tool: str) -> None:
        """Take a tool of ``TOOLS``; the empty one moves and zooms only."""
        if tool not in TOOLS:
            raise BadInput(f"There is no tool {tool!r}.")
        if tool and not self._node:
            raise BadInput("There is nothing to correct yet; segment a scan first.")
        self.tool = tool
        self._editor.set_active_effect_type(TOOLS[tool])

    def choose(self, organ: str) -> None:
        """The organ that the tools work on."""
        for segment in self._editor.get_segment_ids():
            if self._editor.get_segment_properties(segment).name == organ:
                self._editor.set_active_segment_id(segment)

    def brush(self, mm: float, sphere: bool) -> None:
        """Size and shape of brush and eraser."""
        for kind in (SegmentationEffectPaint, SegmentationEffectErase):
            effect = self._editor.get_effect(kind)
            effect.set_brush_diameter(mm, BrushDiameterMode.Absolute)
            effect.set_use_sphere_brush(sphere)

    def threshold(self, low: float, high: float) -> None:
        """The range that Threshold shows and fills."""
        effect = self._editor.get_effect(SegmentationEffectThreshold)
        effect.set_threshold_min_max_values((low, high))

    def apply(self, *, mm: float = 3.0) -> None:
        """Let the tool in hand work on the whole organ.

        Threshold fills its range, islands keeps the largest piece, smoothing takes a median over
        ``mm``.
        """
        effect = self._editor.active_effect
        if self.tool == "threshold":
            effect.apply()
        elif self.tool == "islands":
            effect.apply(SegmentationIslandsMode.KEEP_LARGEST_ISLAND)
        elif self.tool == "smooth":
            effect.set_kernel_size(mm)
            effect.apply_smoothing(smoothing_mode=SmoothingEffectMode.MEDIAN)

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._node) and self._stack.can_undo()

    @property
    def can_redo(self) -> bool:
        """Whether something was taken back."""
        return bool(self._node) and self._stack.can_redo()

    def undo(self) -> None:
        """Take the last change back."""
        self._stack.undo()

    def redo(self) -> None:
        """Do it again."""
        self._stack.redo()

    def checkpoint(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """The scene is about to write into a segmentation: make that one step of undo."""
        if node.GetID() == self._node:
            self._stack.push(_Rewritten(node, self._edited))

    def _on_modified(self, *_told: object) -> None:
        if not self._turning:
            self._edited()


class _Rewritten(UndoCommand):
    """A change that the scene made by itself, such as a copied organ."""

    def __init__(self, node: slicer.vtkMRMLSegmentationNode, edited: Callable[[], None]) -> None:
        super().__init__()
        self._node, self._edited = node, edited
        self._before, self._after = _copy(node.GetSegmentation()), None

    def undo(self) -> None:
        if self._after is None:
            self._after = _copy(self._node.GetSegmentation())
        self._node.GetSegmentation().DeepCopy(self._before)
        self._edited()

    def redo(self) -> None:
        self._node.GetSegmentation().DeepCopy(self._after)
        self._edited()


def _copy(segmentation: slicer.vtkSegmentation) -> slicer.vtkSegmentation:
    copy = slicer.vtkSegmentation()
    copy.DeepCopy(segmentation)
    return copy
