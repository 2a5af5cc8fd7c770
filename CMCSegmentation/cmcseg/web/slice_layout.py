"""What is laid out over a slice view: title, letters, scale, slice, ring, cross, ruler, value."""

from __future__ import annotations

from typing import Any

from trame.widgets import html
from trame_server import Server
from trame_slicer.app.logic.slice_view_logic import connect_slice_view_slider_to_state
from trame_slicer.app.ui.slider import Slider
from trame_slicer.views import SliceView

from cmcseg.web.widgets import labelled, text

EDGES = ("left", "right", "top", "bottom")


def lay_out_slice(server: Server, view: SliceView, number: int, names: Any) -> None:
    """A slider through the slices, and what the views tell of the picture.

    Args:
        server: of the page.
        view: that it is laid over.
        number: of the view.
        names: of the views' state.
    """
    with html.Div(classes="through"):
        Slider(
            typed_state=connect_slice_view_slider_to_state(server, view),
            theme="dark",
            dense=True,
            raw_attrs=labelled("Slice"),
        )
    marks = f"{names.marks}[{number}]"
    html.Div(text(f"{names.corners}[{number}]"), classes="corner")
    hidden = ['aria-hidden="true"', f'data-view="{number}"']
    with html.Div(v_if=f"{marks}.letters", classes="marks", raw_attrs=hidden):
        for edge in EDGES:
            html.Span(text(f"{marks}.letters.{edge}"), classes=f"letter {edge}")
        with html.Div(
            classes="scale", style=(f"{{width: {marks}.bar.percent + '%'}}",), id=f"scale-{number}"
        ):
            html.Span(text(f"{marks}.bar.mm"))
        html.Div(
            text(f"[{marks}.slice, {marks}.window, {marks}.value].filter((w) => w).join(' · ')"),
            classes="told",
            id=f"told-{number}",
        )
        _ruler(f"{marks}.ruler", number)
        for kind in ("ring", "cross"):
            html.Div(
                v_if=f"{marks}.{kind}",
                classes=kind,
                id=f"{kind}-{number}",
                style=(_placed(f"{marks}.{kind}", kind == "ring"),),
            )


def _ruler(line: str, number: int) -> None:
    """A measured line, and its length at its end."""
    ends = " ".join(f":{name}=\"{line}.{name} + '%'\"" for name in ("x1", "y1", "x2", "y2"))
    html.Div(
        f'<svg width="100%" height="100%"><line {ends} stroke="#ffe04a" stroke-width="2"/></svg>',
        v_if=line,
        classes="ruler",
    )
    html.Span(
        text(f"{line}.mm"),
        v_if=line,
        classes="length",
        id=f"length-{number}",
        style=(f"{{left: {line}.x2 + '%', top: {line}.y2 + '%'}}",),
    )


def _placed(mark: str, sized: bool) -> str:
    size = f", width: {mark}.w + '%', height: {mark}.h + '%'" if sized else ""
    return f"{{left: {mark}.x + '%', top: {mark}.y + '%'{size}}}"
