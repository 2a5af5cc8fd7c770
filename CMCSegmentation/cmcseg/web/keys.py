"""The keys of the page: what each does, and the list that tells it."""

from __future__ import annotations

from cmcseg.web.display_actions import DisplayActions
from cmcseg.web.marks_actions import IS, IS_NOT, MarksActions
from cmcseg.web.page import Page
from cmcseg.web.review_actions import ReviewActions

KEYS = (
    ("N / P", "next, previous doubt"),
    ("F", "fine here, on to the next"),
    ("A", "accept"),
    ("1 … 9", "organ"),
    ("B / E", "brush, erase"),
    ("[ / ]", "smaller, larger brush"),
    ("W / R", "window and level, ruler: drag"),
    ("M / Shift-M", "mark what is, what is not the organ"),
    ("Enter / Esc", "take, drop what is proposed"),
    ("Esc", "with nothing proposed: lay the tool down"),
    ("Z / Shift-Z", "undo, redo"),
    ("Space", "hold to hide the organs"),
    ("double click", "one view alone, or all"),
    ("?", "this list"),
)


def bind_keys(
    page: Page, review: ReviewActions, display: DisplayActions, marks: MarksActions
) -> None:
    """Let the page's script reach what keys do."""
    tools = review.tools

    def organ(number: int) -> None:
        labels = review.session.result.card.table.labels
        if number <= len(labels):
            tools.choose_organ(labels[number - 1].name)

    def escape() -> None:
        if marks.in_use:
            marks.drop()
        else:
            tools.escape()

    calls = {
        "n": review.next,
        "p": review.previous,
        "f": review.fine,
        "a": review.accept,
        "b": lambda: tools.use("brush"),
        "e": lambda: tools.use("erase"),
        "[": lambda: tools.resize(-1),
        "]": lambda: tools.resize(1),
        "w": lambda: tools.use("window"),
        "r": lambda: tools.use("measure"),
        "m": lambda: marks.hold(IS),
        "M": lambda: marks.hold(IS_NOT),
        "Enter": marks.take,
        "Escape": escape,
        "z": tools.undo,
        "Z": tools.redo,
        **{str(n): (lambda n=n: organ(n)) for n in range(1, 10)},
    }

    def key(name: str) -> None:
        if name == "?":
            page.state.data.help = not page.state.data.help
        elif name in calls and review.session.result is not None:
            calls[name]()

    page.server.trigger("enlarge")(page.trying(display.views.enlarge, int))
    page.server.trigger("key")(page.trying(key, str))
    page.server.trigger("hold")(page.trying(display.hide_organs, bool))
