"""How the scans and organs are shown: plane, 3D, opacity, the other scan, maps of doubt."""

from __future__ import annotations

from dataclasses import dataclass

from trame_server.utils.typed_state import TypedState

from cmcseg.core.errors import BadInput
from cmcseg.mrml.scene import MrmlScene
from cmcseg.session.result import Result
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession
from cmcseg.web.editor import Editor
from cmcseg.web.other_scan import BLEND, KINDS
from cmcseg.web.page import Page
from cmcseg.web.pointer import NUDGE
from cmcseg.web.tools_actions import ToolsActions
from cmcseg.web.view_poses import ORIENTATIONS
from cmcseg.web.views import Views
from cmcseg.web.widgets import NUMBER, share
from cmcseg.web.windowing import PRESETS

AUTO = "auto"
SHOWN = 50  # per cent, of the other scan when it is asked for


@dataclass
class DisplayState:
    """What the bar below the views shows; ``blend`` and ``opacity`` are the user's, per cent."""

    orientation: str = ORIENTATIONS[0]
    solid: bool = False
    opacity: int | float = 45
    blend: int | float = 0
    overlay: str = ""
    kind: str = BLEND


class DisplayActions:
    """The bar below the views.

    Args:
        page: that it is shown on.
        session: whose result is shown.
        views: that show it.
        scene: knows the maps.
        editor: keeps the organs' surfaces.
        tools: which scan is in hand.
        segment: which scans are shown.
    """

    def __init__(
        self,
        page: Page,
        session: ReviewSession,
        *,
        views: Views,
        scene: MrmlScene,
        editor: Editor,
        tools: ToolsActions,
        segment: SegmentSession,
    ) -> None:
        self.page, self.tools, self.views = page, tools, views
        self._session, self._scene, self._editor = session, scene, editor
        self._segment = segment
        self._overlay, self._solid, self._opacity, self._kind = "", False, 0.45, BLEND
        self.state = TypedState(page.server.state, DisplayState)
        page.watch(self.state.name.blend, self._blend, NUMBER)
        page.watch(self.state.name.opacity, self._paint, NUMBER)
        views.turned.connect(self._on_turned)

    def begin(self, result: Result) -> None:
        """A result is there."""
        self.views.show_results(result.segmentations, result.prediction.alignment)
        self._overlay, self.state.data.blend = "", 0
        self.views.overlays.opacity(self._opacity)

    def orient(self, name: str) -> None:
        """Turn the views.

        Raises:
            BadInput: when there is no such plane.
        """
        if name not in ORIENTATIONS:
            raise BadInput(f"There is no view {name!r}; there are: {', '.join(ORIENTATIONS)}.")
        self.views.orient(name)

    def fit(self) -> None:
        """Show each scan as a whole."""
        self.views.fit()

    def toggle_solid(self) -> None:
        """Show the organs in 3D, or no longer.

        Raises:
            BadInput: when there are none.
        """
        result, shown = self._session.result, not self._solid
        if shown and result is None:
            raise BadInput("There are no organs to show yet; segment a scan first.")
        self._solid = shown
        self._editor.solid(shown)
        self.views.solid(result.segmentations[self.tools.role] if shown else "")

    def lay_over(self, kind: str | None) -> None:
        """Lay a map of doubt or disagreement over the scans, or none."""
        result, scene = self._session.result, self._scene
        asks = {"doubt": scene.doubt, "disagreement": scene.disagreement}
        self._overlay = kind if result and kind in asks else ""
        self.state.data.blend = 0
        scans = result.scans.values() if self._overlay else ()
        self.views.overlays.veil([asks[self._overlay](key) for key in scans])

    def show_other(self, kind: str) -> None:
        """How the other scan is laid over each scan: blended, in squares, or its edges.

        Raises:
            BadInput: when there is no such way.
        """
        if kind not in KINDS:
            raise BadInput(f"There is no way {kind!r} to show the other scan.")
        data = self.state.data
        self._kind = data.kind = kind
        if data.blend <= 0:
            data.blend = SHOWN
        self._blend(data.blend)

    def nudge(self) -> None:
        """Take the other scan in hand, or lay it down; it is shown while it is moved.

        Raises:
            BadInput: when there is none.
        """
        if len(self._segment.chosen) < 2:
            raise BadInput("There is no other scan to move.")
        if self.state.data.blend <= 0:
            self.show_other(self._kind)
        self.tools.use(NUDGE)

    def three_planes(self) -> None:
        """Show a single scan in all three planes, or in one again."""
        self.views.three_planes(not self.views.state.data.planes)

    def window(self, name: str) -> None:
        """Show the scans at a preset of window and level; ``auto`` suits each by its own values.

        Raises:
            BadInput: when there is no such preset.
        """
        if name != AUTO and name not in PRESETS:
            raise BadInput(f"There is no window {name!r}; there are: {', '.join(PRESETS)}.")
        for number, modality in enumerate(self._modalities()):
            if modality == "CT" or name == AUTO:
                self.views.window(PRESETS.get(name), only=number)

    def hide_organs(self, hidden: bool) -> None:
        """Take the organs away for a look at the scan itself."""
        self.views.overlays.hide(hidden)

    def refresh(self) -> None:
        """Show what is set."""
        if self._session.result is None:
            self._overlay = ""
        self.state.data.overlay, self.state.data.solid = self._overlay, self._solid

    # Private

    def _modalities(self) -> list[str]:
        card, chosen = self._segment.card, self._segment.chosen
        return [card.input(role).modality for role in chosen] if card else []

    def _blend(self, percent: float) -> None:
        if percent > 0:
            self._overlay = ""
        if not self._overlay:
            self.views.overlays.blend(share(percent), self._kind)

    def _paint(self, percent: float) -> None:
        self._opacity = share(percent)
        self.views.overlays.opacity(self._opacity)

    def _on_turned(self, name: str) -> None:
        self.state.data.orientation = name
