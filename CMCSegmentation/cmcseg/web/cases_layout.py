"""The list of cases, where new ones are dropped, and the sample."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.web.cases_actions import CasesActions
from cmcseg.web.widgets import text


def lay_out_cases(cases: CasesActions) -> None:
    """Lay the panel out."""
    page, names = cases.page, cases.state.name
    with html.Div(v_show=f"{page.state.name.step} === 'cases'", classes="pane"):
        empty, some = "There is no scan in the folder yet.", "Choose a case."
        html.P(text(f"{names.cases}.length ? '{some}' : '{empty}'"))
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
        with html.Label(classes="drop", for_="cmcseg-files"):
            v.VIcon("mdi-tray-arrow-down", classes="mr-2")
            reading, drop = "Reading…", "Drop scans, DICOM files or a zip here"
            html.Span(text(f"{names.uploading} ? '{reading}' : '{drop}'"))
            html.Input(
                id="cmcseg-files", type="file", multiple=True, raw_attrs=['data-to="upload"']
            )
        v.VBtn(
            "Make a sample pair",
            click=page.trying(cases.make_sample),
            loading=(names.making,),
            variant="text",
            size="small",
            prepend_icon="mdi-flask-outline",
            classes="sample",
        )
