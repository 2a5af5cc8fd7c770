"""The list of cases, where new ones are dropped, and the sample."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.web.cases_actions import CasesActions
from cmcseg.web.waiting_actions import WaitingActions
from cmcseg.web.widgets import chooser, small_button, text


def lay_out_cases(cases: CasesActions, waiting: WaitingActions) -> None:
    """Lay the panel out."""
    page, names = cases.page, cases.state.name
    with html.Div(v_show=f"{page.state.name.step} === 'cases'", classes="pane"):
        empty, some = "There is no scan in the folder yet.", "Choose a case."
        html.P(text(f"{names.cases}.length ? '{some}' : '{empty}'"))
        several = f"{names.cases}.length > 1 || {names.shown} !== 'all'"
        choose = page.trying(cases.filter, str)
        chooser(choose, names.shown, names.filters, "Show", "show-cases", v_if=several)
        with v.VList(density="compact", lines="two", classes="pa-0 cases"):
            with v.VListItem(
                v_for=f"row in {names.cases}",
                key="row.id",
                active=(f"row.id === {names.opened}",),
                click=(page.trying(cases.choose, str), "[row.id]"),
                title=("row.title",),
                subtitle=("row.about",),
                classes="case",
            ):
                with v.Template(v_slot_prepend=True):
                    html.Img(v_if="row.picture", src=("row.picture",), classes="thumb", alt="")
                    html.Div(v_else=True, classes="thumb")
                with v.Template(v_slot_append=True):
                    v.VChip("{{ row.state }}", v_if="row.state", size="x-small", label=True)
        _waiting(waiting)
        with html.Label(classes="drop", for_="cmcseg-files"):
            v.VIcon("mdi-tray-arrow-down", classes="mr-2")
            reading, drop = "Reading…", "Drop scans, DICOM files or a zip here"
            html.Span(text(f"{names.uploading} ? '{reading}' : '{drop}'"))
            html.Input(
                id="cmcseg-files", type="file", multiple=True, raw_attrs=['data-to="upload"']
            )
        small_button(
            "Make a sample pair",
            page.trying(cases.make_sample),
            loading=(names.making,),
            prepend_icon="mdi-flask-outline",
            classes="sample",
        )


def _waiting(waiting: WaitingActions) -> None:
    """The review list: asked for, gone through, left."""
    page, names = waiting.page, waiting.state.name
    with html.Div(v_if=names.asking, classes="mt-2"):
        v.VProgressLinear(model_value=(names.percent,), height=6, rounded=True)
        html.P(text(names.progress), classes="quiet", id="ask-line")
        small_button("Cancel", page.trying(waiting.cancel), variant="outlined", id="cancel-asking")
    html.P(text(names.line), v_if=names.line, classes="quiet mt-2", id="waiting-line")
    with html.Div(v_if=f"!{names.asking}", classes="line mt-1"):
        # A button at rest hears no mouse, so the reason hangs on what is around it.
        reason = "Half of the list by doubt, half by chance; each case is segmented once"
        with html.Span(title=(f"{names.why_not} || '{reason}'",)):
            small_button(
                text(f"{names.line} ? 'Ask again' : 'Ask the model which to correct first'"),
                page.trying(waiting.ask),
                variant="tonal",
                disabled=(f"!!{names.why_not}",),
                id="ask-which",
            )
        v.VSpacer()
        small_button("Skip", page.trying(waiting.skip), v_if=names.open, id="skip-case")
        small_button(
            "Next of the list",
            page.trying(waiting.next),
            variant="tonal",
            v_if=names.left,
            id="next-of-list",
        )
