"""The draft that is offered, the places, the organs, the tools, and Accept."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.web.marks_actions import MarksActions
from cmcseg.web.marks_layout import lay_out_marks
from cmcseg.web.review_actions import ReviewActions
from cmcseg.web.tools_layout import lay_out_scan_choice, lay_out_tools
from cmcseg.web.widgets import icon_button, research_line, text


def lay_out_review(review: ReviewActions, marks: MarksActions) -> None:
    """Lay the panel out."""
    page, names = review.page, review.state.name
    with html.Div(v_show=f"{page.state.name.step} === 'review'", classes="pane"):
        _draft(review)
        html.P(
            "Segment a case first; here you look through the result and correct it.",
            v_if=f"!{names.organs}.length && !{review.drafts.state.name.of}",
        )
        with html.Div(v_show=f"{names.organs}.length > 0"):
            _places(review)
            lay_out_scan_choice(review.tools)
            _organs(review)
            lay_out_marks(marks)
            lay_out_tools(review.tools)
            html.P(text(names.changes), classes="quiet", id="changes")
            v.VBtn(
                "Accept",
                click=page.trying(review.accept),
                disabled=(f"!!{names.why_not}",),
                color="primary",
                block=True,
                classes="mt-1",
                id="accept",
            )
            html.P(text(names.accepted), v_if=names.accepted, classes="good", id="accepted")
            research_line()


def _draft(review: ReviewActions) -> None:
    page, drafts = review.page, review.drafts
    with v.VAlert(v_if=drafts.state.name.of, type="info", density="compact", classes="mb-2"):
        html.Div("There is a draft of this case that was not accepted.")
        v.VBtn(
            "Go on with it",
            click=page.trying(drafts.take),
            size="small",
            classes="mt-1 mr-2",
            id="take-draft",
        )
        v.VBtn("Discard it", click=page.trying(drafts.drop), size="small", variant="text")


def _places(review: ReviewActions) -> None:
    page, names = review.page, review.state.name
    with html.Div(classes="line"):
        icon_button(
            "mdi-chevron-left",
            "Previous doubt (P)",
            page.trying(review.previous),
            disabled=(f"!{names.has_places}",),
            id="previous",
        )
        html.Span(text(names.place), classes="grow place", id="place")
        icon_button(
            "mdi-chevron-right",
            "Next doubt (N)",
            page.trying(review.next),
            disabled=(f"!{names.has_places}",),
            id="next",
        )


def _organs(review: ReviewActions) -> None:
    page, tools, names = review.page, review.tools, review.tools.state.name
    with html.Div(classes="organs"):
        with html.Div(
            v_for=f"o in {review.state.name.organs}",
            key="o.name",
            classes=(f"['organ', {{'chosen': o.name === {names.organ}}}]",),
            click=(page.trying(tools.choose_organ, str), "[o.name]"),
        ):
            html.Span(classes="swatch", style=("{background: o.color}",))
            html.Span("{{ o.name }}", classes="grow")
            html.Span("{{ o.ml }} mL", classes="quiet number", raw_attrs=[':data-organ="o.name"'])
            v.VIcon(
                icon=(f"{names.hidden}.includes(o.name) ? 'mdi-eye-off' : 'mdi-eye'",),
                size="small",
                click=(page.trying(tools.toggle_organ, str), "[o.name]"),
                title="Show or hide",
                raw_attrs=["@click.stop"],
                classes="ml-2",
            )
