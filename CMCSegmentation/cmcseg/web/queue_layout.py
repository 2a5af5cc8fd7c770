"""The table of accepted pairs, and what can be done with each."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.web.queue_actions import QueueActions
from cmcseg.web.widgets import icon_button, small_button, text


def lay_out_queue(queue: QueueActions) -> None:
    """Lay it out."""
    page, names = queue.page, queue.state.name
    html.P(
        f"{{{{ {names.entries}.length === 1 ? '1 pair' : {names.entries}.length + ' pairs' }}}} "
        f"in the queue, {{{{ {names.new_entries} }}}} new since the model was made.",
        id="queue-line",
    )
    with v.VTable(density="compact", v_if=f"{names.entries}.length", classes="queue"):
        with html.Thead(), html.Tr():
            html.Th("pair")
            html.Th("corrected")
            html.Th("")
        with html.Tbody(), html.Tr(v_for=f"e in {names.entries}", key="e.id"):
            with html.Td(title=("e.at + ', ' + e.status",)):
                html.Span("{{ e.pair }}")
            html.Td("{{ e.summary }}")
            with html.Td(classes="few"):
                icon_button(
                    "mdi-pencil-outline",
                    "Open this pair and correct it on",
                    (page.trying(queue.open, str), "[e.id]"),
                    density="compact",
                    classes="open-entry",
                )
                icon_button(
                    "mdi-delete-outline",
                    "Take this pair out of the queue",
                    (page.trying(queue.remove, str), "[e.id]"),
                    density="compact",
                    classes="remove-entry",
                )
    with html.Div(v_for=f"t in {names.taken_out}", key="t.id", classes="line quiet"):
        html.Span("{{ t.title }} was taken out.", classes="grow")
        small_button(
            "Bring it back", (page.trying(queue.restore, str), "[t.id]"), classes="restore-entry"
        )
    with html.Div(v_if=f"{names.entries}.length", classes="line"):
        small_button(
            "Export the queue", page.trying(queue.export), variant="outlined", id="export-queue"
        )
        html.A(
            text("'Save the zip'"),
            v_if=names.archive,
            href=(names.archive,),
            download=True,
            id="queue-zip",
        )
