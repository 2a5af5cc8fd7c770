"""What the mouse does over a slice view, before Slicer's own interaction hears of it."""

from __future__ import annotations

import math
from collections.abc import Callable

DRAW, MOVE, WINDOW = "draw", "move", "window"
DRAGS = {"LeftButtonPress": "LeftButtonRelease", "MiddleButtonPress": "MiddleButtonRelease"}


class Pointer:
    """Follows the mouse over the slice views.

    The left button draws, moves the picture or sets its window, as ``mode`` says; the middle one
    always moves it. The wheel and the right button are Slicer's: slices, and zoom.

    Args:
        pointed: told the number of the view, and where in it, in pixels from its lower left.
        panned: told the view, and by how many pixels the picture is dragged.
        windowed: told the same while the window is set.

    Attributes:
        mode: ``draw``, ``move`` or ``window``.
    """

    def __init__(self, pointed: Callable, panned: Callable, windowed: Callable) -> None:
        self._pointed, self._panned, self._windowed = pointed, panned, windowed
        self.mode = MOVE
        self._drag: tuple[int, str, Callable] | None = None
        self._at = (0.0, 0.0)
        self._held = False

    def hear(self, number: int, event: dict, scale: float) -> bool:
        """Take an event of the page; True when Slicer need not hear of it.

        Args:
            number: of the view.
            event: its ``type``, ``x`` and ``y``, in pixels of the page.
            scale: pixels of the view per pixel of the page.
        """
        kind = event["type"]
        at = _position(event, scale)
        if at is None:
            return False
        if self._drag:
            return self._go_on(kind, at)
        if kind in ("MouseMove", "MouseEnter", "LeftButtonPress") and not self._held:
            self._pointed(number, *at)
        if kind == "LeftButtonPress":
            self._held = True
        elif kind == "LeftButtonRelease":
            self._held = False
        moves = kind == "MiddleButtonPress" or self.mode == MOVE
        if kind not in DRAGS or (kind == "LeftButtonPress" and self.mode == DRAW):
            return False
        self._at, self._drag = at, (number, DRAGS[kind], self._panned if moves else self._windowed)
        return True

    def _go_on(self, kind: str, at: tuple[float, float]) -> bool:
        number, end, call = self._drag
        if kind == "MouseMove":
            call(number, at[0] - self._at[0], at[1] - self._at[1])
            self._at = at
        elif kind == end:
            self._drag, self._held = None, False
        return True


def _position(event: dict, scale: float) -> tuple[float, float] | None:
    x, y = event.get("x"), event.get("y")
    known = all(isinstance(n, int | float) and math.isfinite(n) for n in (x, y))
    return (x * scale, y * scale) if known else None
