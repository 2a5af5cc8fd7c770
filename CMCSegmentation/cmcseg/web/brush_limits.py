"""Where the tools may draw: only on some values of the scan, and not on other organs."""

from __future__ import annotations

from dataclasses import dataclass, field

from trame.widgets import html
from trame.widgets import vuetify3 as v
from trame_server.utils.typed_state import TypedState

from cmcseg.web.editor import Editor
from cmcseg.web.page import Page
from cmcseg.web.widgets import as_range, range_slider


@dataclass
class LimitsState:
    """What the tools are held to."""

    keep_others: bool = False
    by_value: bool = False
    low: int | float = 0
    high: int | float = 200
    range: list[int | float] = field(default_factory=lambda: [0, 200])


class Limits:
    """What brush and eraser are held to.

    Args:
        page: that it is shown on.
        editor: Slicer's effects.
    """

    def __init__(self, page: Page, editor: Editor) -> None:
        self.page, self._editor = page, editor
        self.state = TypedState(page.server.state, LimitsState)

    def edit(self, low: float, high: float) -> None:
        """A scan is in hand whose values go from ``low`` to ``high``: all of them, at first."""
        data = self.state.data
        if data.range != [low, high]:
            data.range, data.low, data.high = [low, high], low, high
            self._set()

    def keep_others(self, kept: bool) -> None:
        """Whether other organs keep what is theirs."""
        self.state.data.keep_others = kept
        self._set()

    def by_value(self, held: bool) -> None:
        """Whether only values of the range are drawn on."""
        self.state.data.by_value = held
        self._set()

    def values(self, low: float, high: float) -> None:
        """The values that may be drawn on.

        Raises:
            BadInput: when it is no range.
        """
        self.state.data.low, self.state.data.high = as_range(low, high)
        self._set()

    def _set(self) -> None:
        data = self.state.data
        values = (float(data.low), float(data.high)) if data.by_value else None
        self._editor.limit(keep_others=data.keep_others, values=values)


def lay_out_limits(limits: Limits) -> None:
    """What brush and eraser are held to, below their size."""
    page, names = limits.page, limits.state.name
    for value, call, words, key in (
        (names.keep_others, limits.keep_others, "Do not overwrite other organs", "keep-others"),
        (names.by_value, limits.by_value, "Only where the scan's values are", "by-value"),
    ):
        v.VCheckbox(
            model_value=(value,),
            update_modelValue=(page.trying(call, bool), "[$event]"),
            label=words,
            hide_details=True,
            density="compact",
            id=key,
        )
    with html.Div(v_if=names.by_value, id="values"):
        range_slider(page, limits.values, names, "Values that are drawn on")
