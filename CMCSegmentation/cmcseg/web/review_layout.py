"""The draft that is offered, the places, the organs, the tools, and Accept."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.web.marks_actions import MarksActions
from cmcseg.web.marks_layout import lay_out_marks
from cmcseg.web.output_actions import OutputActions
from cmcseg.web.output_layout import lay_out_output
from cmcseg.web.review_actions import ReviewActions
from cmcseg.web.tools_layout import lay_out_scan_choice, lay_out_tools
from cmcseg.web.waiting_actions import WaitingActions
from cmcseg.web.widgets import chooser, icon_button, research_line, small_button, text


def lay_out_review(
    review: ReviewActions, marks: MarksActions, waiting: WaitingActions, output: OutputActions
) -> None:
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
            saved = review.drafts.state.name.saved
            html.P(text(f"'Saved at ' + {saved}"), v_if=saved, classes="quiet", id="saved")
            _accepting(review, waiting)
            lay_out_output(output, "review")
            research_line()


def _accepting(review: ReviewActions, waiting: WaitingActions) -> None:
    page, names = review.page, review.state.name
    with v.VAlert(v_if=names.unseen, type="warning", density="compact", id="unseen"):
        html.Div(text(names.unseen))
        for words, call, key in (
            ("Accept nevertheless", review.accept, "accept-anyway"),
            ("Look at them", review.look_on, "look-on"),
        ):
            small_button(words, page.trying(call), classes="mt-1", id=key)
    v.VBtn(
        "Accept",
        click=page.trying(review.accept),
        disabled=(f"!!{names.why_not}",),
        color="primary",
        block=True,
        classes="mt-1",
        id="accept",
    )
    html.P(text(names.why_not), v_if=names.why_not, classes="quiet", id="accept-why")
    v.VAlert(
        text(names.mistakes),
        v_if=names.mistakes,
        type="warning",
        density="compact",
        classes="mt-2",
        id="mistakes",
    )
    with html.Div(v_if=names.accepted, classes="line"):
        html.P(text(names.accepted), classes="good grow", id="accepted")
        small_button("Take it back", page.trying(review.take_back), id="take-back")
        small_button("Next case", page.trying(waiting.onward), variant="tonal", id="next-case")


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
        small_button("Discard it", page.trying(drafts.drop))


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
        icon_button(
            "mdi-check-circle-outline",
            "Fine here, on to the next (F)",
            page.trying(review.fine),
            disabled=(f"{names.at} < 0",),
            id="fine",
        )
    with html.Details(v_if=f"{names.places}.length", classes="list", id="places"):
        html.Summary(text(f"{names.seen} + ' of ' + {names.places}.length") + " places seen")
        chooser(page.trying(review.filter, str), names.shown, names.filters, "Show", "filter")
        with html.Div(
            v_for=f"p in {names.places}", key="p.n", v_show="p.shown", classes="line place-row"
        ):
            with html.Button(
                type="button",
                click=(page.trying(review.go, int), "[p.n]"),
                classes=(f"['row', {{'chosen': p.n === {names.at}}}]",),
            ):
                html.Span("{{ p.scan }}: {{ p.words }}", classes="grow")
                v.VIcon("mdi-eye-check-outline", size="small", v_if="p.seen && !p.fine")
            icon_button(
                ("p.fine ? 'mdi-check-circle' : 'mdi-check-circle-outline'",),
                "Nothing is wrong here",
                (page.trying(review.mark_fine, int), "[p.n]"),
                density="compact",
                active=("p.fine",),
                classes="fine",
            )


def _organs(review: ReviewActions) -> None:
    page, tools, names = review.page, review.tools, review.tools.state.name
    with html.Div(classes="organs"):
        with html.Div(v_for=f"o in {review.state.name.organs}", key="o.name", classes="line"):
            with html.Button(
                type="button",
                classes=(f"['organ', 'grow', {{'chosen': o.name === {names.organ}}}]",),
                click=(page.trying(tools.choose_organ, str), "[o.name]"),
                raw_attrs=[f':aria-pressed="o.name === {names.organ}"'],
            ):
                html.Span(classes="swatch", style=("{background: o.color}",))
                html.Span("{{ o.name }}", classes="grow")
                html.Span(
                    "{{ o.ml }} mL", classes="quiet number", raw_attrs=[':data-organ="o.name"']
                )
            icon_button(
                (f"{names.hidden}.includes(o.name) ? 'mdi-eye-off' : 'mdi-eye'",),
                "Show or hide",
                (page.trying(tools.toggle_organ, str), "[o.name]"),
                density="compact",
            )
