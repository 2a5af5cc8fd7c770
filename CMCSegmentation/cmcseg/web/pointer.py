"""What the mouse does over a slice view, before Slicer's own interaction hears of it."""

from __future__ import annotations

import math
from collections.abc import Callable

DRAW, MOVE, WINDOW, NUDGE, MEASURE = "draw", "move", "window", "nudge", "measure"
DRAGS = {"LeftButtonPress": "LeftButtonRelease", "MiddleButtonPress": "MiddleButtonRelease"}


class Pointer:
    """Follows the mouse over the slice views.

    The left button draws, measures, moves the picture, sets its window or nudges the other scan, as
    ``mode`` says; the middle one always moves it. The wheel and the right button are Slicer's:
    slices, and zoom.

    Args:
        pointed: told the number of the view, and where in it, in pixels from its lower left.
        drags: by mode, told the view, and by how many pixels the picture is dragged.
        measured: told the view, and where a measured line begins and ends.

    Attributes:
        mode: what the left button does.
    """

    def __init__(self, pointed: Callable, drags: dict[str, Callable], measured: Callable) -> None:
        self._pointed, self._drags, self._measured = pointed, drags, measured
        self.mode = MOVE
        self._drag: tuple[int, str, str] | None = None
        self._at = self._began = (0.0, 0.0)
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
        if kind not in DRAGS or (kind == "LeftButtonPress" and self.mode == DRAW):
            return False
        mode = self.mode if kind == "LeftButtonPress" else MOVE
        self._at, self._began, self._drag = at, at, (number, DRAGS[kind], mode)
        return True

    def _go_on(self, kind: str, at: tuple[float, float]) -> bool:
        number, end, mode = self._drag
        if kind == "MouseMove":
            if mode == MEASURE:
                self._measured(number, self._began, at)
            else:
                self._drags[mode](number, at[0] - self._at[0], at[1] - self._at[1])
            self._at = at
        elif kind == end:
            self._drag, self._held = None, False
        return True


def _position(event: dict, scale: float) -> tuple[float, float] | None:
    x, y = event.get("x"), event.get("y")
    known = all(isinstance(n, int | float) and math.isfinite(n) for n in (x, y))
    return (x * scale, y * scale) if known else None
