"""Which scan and organ is in hand, with which tool, and what is taken back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from trame_server.utils.typed_state import TypedState
from trame_slicer.core import SlicerApp

from cmcseg.core.errors import BadInput
from cmcseg.session.organ_shapes import fill_between
from cmcseg.session.result import Result
from cmcseg.session.review import ReviewSession
from cmcseg.web.brush_limits import Limits
from cmcseg.web.editor import Editor
from cmcseg.web.page import Page
from cmcseg.web.pointer import DRAW, MEASURE, MOVE, NUDGE, WINDOW
from cmcseg.web.views import Views
from cmcseg.web.widgets import as_range, ends_of

THICKEST = 40  # mm, of the brush
HELD = (5, 95)  # percentiles of an organ's values that Threshold starts with
SAMPLE = 50_000  # voxels that they are taken from
LOOKING = (WINDOW, MEASURE, NUDGE)  # tools that draw nothing


@dataclass
class ToolsState:
    """What is in hand."""

    role: str = ""
    roles: list[dict] = field(default_factory=list)
    organ: str = ""
    hidden: list[str] = field(default_factory=list)
    tool: str = ""
    brush_mm: int | float = 10
    brush_ball: bool = True
    low: int | float = 0
    high: int | float = 200
    range: list[int | float] = field(default_factory=lambda: [0, 200])
    can_undo: bool = False
    can_redo: bool = False


class ToolsActions:
    """The tools of the review.

    Args:
        page: that they are shown on.
        session: whose result they work on.
        editor: Slicer's effects.
        views: show organs and hide them.
        app: Slicer's scene.
    """

    def __init__(
        self,
        page: Page,
        session: ReviewSession,
        *,
        editor: Editor,
        views: Views,
        app: SlicerApp,
    ) -> None:
        self.page, self._session = page, session
        self._editor, self._views, self._app = editor, views, app
        self.role = self.organ = self._tool = ""
        self._brush_mm, self._ball = 10.0, True
        self._ranged = ("", "")  # the scan and organ that Threshold's range is of
        self._ranges: dict[tuple[str, str], tuple[float, float]] = {}  # as they were left
        self._hidden: set[str] = set()
        self.limits = Limits(page, editor)
        self.state = TypedState(page.server.state, ToolsState)

    def begin(self, result: Result) -> None:
        """A result is there: put it into the editor's hands."""
        self._hidden = set()
        self._ranged, self._ranges = ("", ""), {}
        self.lay_down()
        self._give(result)
        self.edit(next(iter(result.scans)))
        self.choose_organ(result.card.table.labels[0].name)

    def take_up(self, *_told: object) -> None:
        """A segmentation ended without a result: what there was before is drawn on again."""
        result = self._session.result
        if result and not self._editor.is_ready:
            self._give(result)
            self.edit(self.role if self.role in result.scans else next(iter(result.scans)))

    def edit(self, role: str) -> None:
        """Take a scan's organs in hand."""
        result = self._session.result
        if result and role in result.scans:
            self.role = role
            self._editor.edit(result.segmentations[role])
            self._views.solid_of(result.segmentations[role])
            self.limits.edit(*self._range())
            if self._tool == "threshold":
                self._set_range()
            self.page.touch()

    def point(self, number: int) -> None:
        """The pointer is over a slice view: what is drawn there goes into its scan."""
        roles = list(self._session.result.scans) if self._session.result else []
        if number < len(roles) and roles[number] != self.role:
            self.edit(roles[number])

    def use(self, tool: str) -> None:
        """Take a tool in hand, or lay it down when it is in hand already.

        Raises:
            BadInput: when there is nothing that it could work on.
        """
        tool = "" if tool == self._tool else tool
        if tool and self._views.comparing:
            raise BadInput("Two models are compared just now; go back to your scans first.")
        self._editor.use("" if tool in LOOKING else tool)
        self._tool = tool
        self._views.pointer.mode = MOVE if not tool else tool if tool in LOOKING else DRAW
        if tool in ("brush", "erase"):
            self._editor.brush(self._brush_mm, self._ball)
        if tool == "threshold":
            self._set_range()

    def escape(self) -> None:
        """Take the measured line away; where there is none, lay the tool down."""
        if not self._views.marked.drop_ruler() and self._tool:
            self.use(self._tool)

    def lay_down(self) -> None:
        """No tool is in hand; the left button moves the picture."""
        self._tool, self._views.pointer.mode = "", MOVE

    @property
    def in_hand(self) -> str:
        """The tool in hand, or empty."""
        return self._tool

    @property
    def can_draw(self) -> bool:
        """Whether the organs are in the tools' hands; not while they are found anew."""
        return self._editor.is_ready

    def choose_organ(self, organ: str) -> None:
        """The organ that the tools work on."""
        result = self._session.result
        if result and organ in [label.name for label in result.card.table]:
            self.organ = organ
            self._editor.choose(organ)
            if self._tool == "threshold":
                self._set_range()
            self.page.touch()

    def toggle_organ(self, organ: str) -> None:
        """Show an organ, or hide it."""
        self._views.overlays.show_organ(organ, organ in self._hidden)
        self._hidden ^= {organ}

    def brush(self, mm: float, ball: bool) -> None:
        """Size and shape of brush and eraser.

        Raises:
            BadInput: when it is too large or none.
        """
        if not 1 <= mm <= THICKEST:
            raise BadInput(f"A brush of {mm} mm is none; choose 1 to {THICKEST}.")
        self._brush_mm, self._ball = float(mm), ball
        self._editor.brush(self._brush_mm, ball)

    def resize(self, step: int) -> None:
        """Make brush and eraser a millimetre or more larger, or smaller."""
        mm = self._brush_mm + step * max(1, round(self._brush_mm / 10))
        self.brush(min(max(mm, 1), THICKEST), self._ball)

    def threshold(self, low: float, high: float) -> None:
        """The range that Threshold shows and fills.

        Raises:
            BadInput: when it is none.
        """
        low, high = as_range(low, high)
        self.state.data.low, self.state.data.high = low, high
        self._ranges[self._ranged] = (low, high)
        self._editor.threshold(low, high)

    def apply(self) -> None:
        """Let the tool in hand work on the whole organ."""
        self._editor.apply()

    def copy(self) -> None:
        """Replace the organ of the other scan by this one's."""
        roles = self._session.result.scans if self._session.result else ()
        other = next((role for role in roles if role != self.role), "")
        self._session.copy_organ(self.organ, self.role, other)

    def restore(self) -> None:
        """Put back what the model found."""
        self._session.restore(self.role, self.organ)

    def fill(self) -> None:
        """Fill the slices that the organ misses between drawn ones."""
        fill_between(self._session, self.role, self.organ)

    def undo(self) -> None:
        """Take the last change back."""
        self._session.undo()

    def redo(self) -> None:
        """Do it again."""
        self._session.redo()

    def refresh(self) -> None:
        """Show what is in hand."""
        data, result = self.state.data, self._session.result
        roles = list(result.scans) if result else []
        if self.role not in roles:
            self.role = roles[0] if roles else ""
        if result is None:
            self._hidden = set()
        data.role, data.organ = self.role, self.organ
        data.roles = [{"role": r, "title": result.card.input(r).title} for r in roles]
        data.brush_mm, data.brush_ball = self._brush_mm, self._ball
        data.hidden, data.tool = sorted(self._hidden), self._tool
        data.can_undo, data.can_redo = self._session.can_undo, self._session.can_redo

    def _give(self, result: Result) -> None:
        """Put a result into the editor's hands."""
        self._editor.begin([(result.segmentations[r], result.scans[r]) for r in result.scans])

    def _set_range(self) -> None:
        """Give Threshold the range of the scan in hand, and of it what the organ holds.

        Who comes back to an organ finds the range as it was left.
        """
        result, scan = self._session.result, self._session.result.scans[self.role]
        if (scan, self.organ) == self._ranged:
            return
        self._ranged = (scan, self.organ)
        self.state.data.range = self._range()
        if self._ranged in self._ranges:
            self.threshold(*self._ranges[self._ranged])
            return
        values = result.volumes[self.role].array
        found = result.prediction.labels[self.role].array == result.value(self.organ)
        own = values[found] if found.any() else values
        self.threshold(*(float(p) for p in np.percentile(own[:: max(1, own.size // SAMPLE)], HELD)))

    def _range(self) -> list[float]:
        """What the values of the scan in hand go from and to."""
        scan = self._session.result.scans[self.role]
        return ends_of(*self._app.scene.GetNodeByID(scan).GetImageData().GetScalarRange())
