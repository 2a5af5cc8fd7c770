"""What is laid out over a slice view: its title, letters, scale, slice, ring, cross and value."""

from __future__ import annotations

from typing import Any

from trame.widgets import html
from trame_server import Server
from trame_slicer.app.ui import create_vertical_slice_view_gutter_ui
from trame_slicer.views import SliceView

from cmcseg.web.widgets import text

EDGES = ("left", "right", "top", "bottom")


def lay_out_slice(server: Server, view_id: str, view: SliceView, number: int, names: Any) -> None:
    """Slicer's slider, and what the views tell of the picture.

    Args:
        server, view_id, view: as Slicer's own layout takes them.
        number: of the view.
        names: of the views' state.
    """
    create_vertical_slice_view_gutter_ui(server, view_id, view)
    marks = f"{names.marks}[{number}]"
    html.Div(text(f"{names.corners}[{number}]"), classes="corner")
    with html.Div(v_if=f"{marks}.letters", classes="marks", raw_attrs=['aria-hidden="true"']):
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
        for kind in ("ring", "cross"):
            html.Div(
                v_if=f"{marks}.{kind}",
                classes=kind,
                id=f"{kind}-{number}",
                style=(_placed(f"{marks}.{kind}", kind == "ring"),),
            )


def _placed(mark: str, sized: bool) -> str:
    size = f", width: {mark}.w + '%', height: {mark}.h + '%'" if sized else ""
    return f"{{left: {mark}.x + '%', top: {mark}.y + '%'{size}}}"
