"""The pen beside the other tools, and what it proposes."""

from __future__ import annotations

from trame.widgets import html

from cmcseg.web.marks_actions import IS, IS_NOT, MarksActions
from cmcseg.web.widgets import icon_button, small_button, text

PENS = {
    IS: ("mdi-gesture", "Mark what is the organ (M)", "mark"),
    IS_NOT: ("mdi-gesture-tap-hold", "Mark what is not the organ (Shift-M)", "mark-not"),
}


def lay_out_marks(marks: MarksActions) -> None:
    """Lay the pen out."""
    page, names = marks.page, marks.state.name
    with html.Div(classes="line"):
        for says, (icon, title, name) in PENS.items():
            icon_button(
                icon,
                title,
                page.trying(lambda says=says: marks.hold(says)),
                active=(f"{names.says} === '{says}'",),
                id=name,
            )
        html.Span(text(names.line), classes="grow quiet", id="mark-line")
    with html.Div(classes="choices", v_if=names.proposed):
        small_button("Take", page.trying(marks.take), variant="tonal", id="take-mark")
        small_button("Drop", page.trying(marks.drop), id="drop-mark")
