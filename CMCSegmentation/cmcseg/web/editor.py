"""Slicer's segment editor effects, on the segmentation of the view that is drawn in."""

from __future__ import annotations

from collections.abc import Callable

from trame_slicer.core import SlicerApp
from trame_slicer.segmentation import (
    BrushDiameterMode,
    SegmentationEditableAreaMode,
    SegmentationEffectErase,
    SegmentationEffectIslands,
    SegmentationEffectNoTool,
    SegmentationEffectPaint,
    SegmentationEffectScissors,
    SegmentationEffectSmoothing,
    SegmentationEffectThreshold,
    SegmentationIslandsMode,
    SegmentModifier,
)
from trame_slicer.segmentation.segmentation_effect_smoothing import SmoothingEffectMode

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


class Editor:
    """The tools of the review.

    Args:
        app: Slicer's scene and logics.
        edited: called after every change that a tool made.

    Attributes:
        tool: of ``TOOLS``, in hand.
    """

    def __init__(self, app: SlicerApp, edited: Callable[[], None]) -> None:
        self._app, self._edited = app, edited
        self._editor = app.segmentation_editor
        self._editor.segmentation_modified.connect(self._on_modified)
        self._modifiers: dict[str, SegmentModifier] = {}
        self._node = self._organ = ""
        self._turning = False
        self._keep_others, self._values = False, None
        self.tool = ""

    @property
    def is_ready(self) -> bool:
        """Whether there is something to work on."""
        return bool(self._modifiers)

    def begin(self, pairs: list[tuple[str, str]]) -> None:
        """Work on these segmentations, each with its scan, from now on."""
        self.drop()
        for result, scan in pairs:
            self._turning = True  # the editor tells of a change when it is given another node
            nodes = (self._app.scene.GetNodeByID(key) for key in (result, scan))
            self._editor.set_active_segmentation(*nodes)
            self._modifiers[result] = self._editor.active_segment_modifier
            self._turning = False

    def edit(self, result: str) -> None:
        """Take one of them in hand; the tool stays."""
        if result == self._node or result not in self._modifiers:
            return
        self._node = result
        self._turning = True
        # trame-slicer's own way makes a new modifier every time, which listens for ever, and lays
        # the tool down; the pointer changes views far too often for that.
        before, modifier = self._editor.active_segment_modifier, self._modifiers[result]
        modifier.modification_mode = before.modification_mode  # a tool tells it when it is taken
        self._editor._active_modifier = modifier
        modifier.segmentation.set_active()
        self.choose(self._organ)
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
        for modifier in self._modifiers.values():
            modifier.segmentation_modified.disconnect(self._editor.segmentation_modified)
            # Left behind, it would be called by VTK when Python has taken it apart: a crash.
            segmentation = modifier.segmentation
            segmentation.segmentation_node.RemoveObserver(segmentation._node_obs)
        self._modifiers = {}
        self._node = ""

    def use(self, tool: str) -> None:
        """Take a tool of ``TOOLS``; the empty one moves and zooms only."""
        if tool not in TOOLS:
            raise BadInput(f"There is no tool {tool!r}.")
        if tool and not self._node:
            raise BadInput("There is nothing to correct yet; segment a scan first.")
        self.tool = tool
        self._editor.set_active_effect_type(TOOLS[tool])
        self._limit()

    def choose(self, organ: str) -> None:
        """The organ that the tools work on."""
        self._organ = organ
        for segment in self._editor.get_segment_ids():
            if self._editor.get_segment_properties(segment).name == organ:
                self._editor.set_active_segment_id(segment)

    def brush(self, mm: float, sphere: bool) -> None:
        """Size and shape of brush and eraser."""
        for kind in (SegmentationEffectPaint, SegmentationEffectErase):
            effect = self._editor.get_effect(kind)
            effect.set_brush_diameter(mm, BrushDiameterMode.Absolute)
            effect.set_use_sphere_brush(sphere)

    def limit(self, *, keep_others: bool, values: tuple[float, float] | None) -> None:
        """Whether other organs keep what is theirs, and which values alone are drawn on."""
        self._keep_others, self._values = keep_others, values
        self._limit()

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

    def _limit(self) -> None:
        """An organ can be erased from itself, so that only what adds is kept out of others."""
        adds, paints = ("brush", "threshold"), ("brush", "erase")
        area = SegmentationEditableAreaMode
        kept = self._keep_others and self.tool in adds
        self._editor.set_editable_area(area.OUTSIDE_ALL_SEGMENTS if kept else area.EVERYWHERE)
        node = self._editor.editor_node
        node.SetSourceVolumeIntensityMask(self._values is not None and self.tool in paints)
        if self._values:
            node.SetSourceVolumeIntensityMaskRange(*self._values)

    def _on_modified(self, *_told: object) -> None:
        if not self._turning:
            self._edited()
