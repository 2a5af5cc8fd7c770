"""The verdict of a fine-tuning, old beside new, and the versions of the model."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.web.learn_actions import LearnActions
from cmcseg.web.queue_actions import QueueActions
from cmcseg.web.widgets import labelled, small_button, text


def lay_out_verdict(learn: LearnActions, queue: QueueActions) -> None:
    """Lay it out; the primary button is never one that the verdict speaks against."""
    names = learn.state.name
    with html.Div(v_if=names.verdict, id="verdict"):
        html.H3(text(names.verdict))
        html.P(text(names.verdict_line))
        with html.Div(v_for=f"f in {names.faults}", key="f.title", classes="line fault"):
            html.Span("{{ f.title }}: {{ f.why }}", classes="grow")
            small_button(
                "Open it",
                (queue.page.trying(queue.open, str), "[f.entry]"),
                variant="tonal",
                v_if="f.entry",
            )
        _organs(learn)
        _compare(learn)
        _decide(learn)
    html.P(text(names.outcome), v_if=names.outcome, classes="good", id="learn-stage")


def lay_out_versions(learn: LearnActions) -> None:
    """Which version is in use, and the others that can be."""
    page, names = learn.page, learn.state.name
    small_button(
        text(f"'Roll back' + ({names.back_to} ? ' to version ' + {names.back_to} : '')"),
        (page.trying(learn.roll_back, str), "['']"),
        disabled=(f"!{names.back_to}",),
        classes="mt-2",
        id="roll-back",
        prepend_icon="mdi-history",
    )
    with html.Details(v_if=f"{names.versions}.length > 1", classes="list", id="versions"):
        html.Summary(text(f"{names.versions}.length") + " versions of this model")
        with html.Div(v_for=f"r in {names.versions}", key="r.name", classes="line"):
            html.Span("{{ r.version }}, {{ r.at }}", classes="grow")
            html.Span("{{ r.damage }}", v_if="r.damage", classes="doubtful")
            html.Span("in use", v_if="r.in_use", classes="quiet")
            small_button(
                "Use",
                (page.trying(learn.roll_back, str), "[r.name]"),
                v_if="!r.in_use && !r.damage",
                raw_attrs=[":aria-label=\"'Use version ' + r.version\""],
            )


def _organs(learn: LearnActions) -> None:
    names = learn.state.name
    with v.VTable(density="compact", v_if=f"{names.verdict_rows}.length"):
        with html.Thead(), html.Tr():
            html.Th("organ")
            html.Th("now", classes="number", title="Mean Dice of the model in use")
            html.Th("new", classes="number", title="Mean Dice of the new model")
            html.Th("")
        with html.Tbody(), html.Tr(v_for=f"r in {names.verdict_rows}", key="r.name"):
            html.Td("{{ r.name }}")
            html.Td("{{ r.old }}", classes="number")
            html.Td("{{ r.new }}", classes="number")
            html.Td("{{ r.word }}")


def _compare(learn: LearnActions) -> None:
    page, names, shown = learn.page, learn.state.name, learn.comparison.state.name
    with html.Div(v_if=f"{names.judging} && {names.changed_most}.length", classes="mt-2"):
        v.VSelect(
            v_model=(names.case,),
            items=(names.changed_most,),
            label="Pairs that changed most",
            id="changed-most",
        )
        with html.Div(classes="line mt-1"):
            small_button(
                "Look at old and new",
                (page.trying(learn.look, str), f"[{names.case}]"),
                variant="tonal",
                v_if=f"!{shown.shown}",
                loading=(names.looking,),
                id="look-both",
            )
            small_button(
                "Back to my scans",
                page.trying(learn.comparison.put_away),
                variant="tonal",
                v_if=shown.shown,
                id="back-to-mine",
            )
            with v.VBtnToggle(
                model_value=(shown.role,),
                update_modelValue=(page.trying(learn.comparison.turn, str), "[$event]"),
                v_if=f"{shown.shown} && {shown.roles}.length > 1",
                mandatory=True,
                density="compact",
            ):
                v.VBtn(
                    "{{ r.title }}",
                    v_for=f"r in {shown.roles}",
                    key="r.role",
                    value=("r.role",),
                    size="small",
                )


def _decide(learn: LearnActions) -> None:
    page, names = learn.page, learn.state.name
    v.VTextField(
        v_model=(names.reason,),
        label="Reason to adopt it nevertheless",
        v_if=f"{names.judging} && {names.made} && {names.against}",
        hide_details=True,
        density="compact",
        classes="mt-2",
        id="reason",
        raw_attrs=labelled("Reason to adopt it nevertheless"),
    )
    with html.Div(classes="line mt-2", v_if=f"{names.judging} && {names.made}"):
        small_button(
            "Keep it beside, for:",
            (
                page.trying(learn.keep_beside, str, str),
                f"[{names.site} || '', {names.reason} || '']",
            ),
            variant="tonal",
            disabled=(f"!({names.site} || '').trim()",),
            title="The new model becomes one of its own for this site; the one in use stays",
            id="keep-beside",
        )
        v.VTextField(
            v_model=(names.site,),
            placeholder="site, such as Dijon",
            hide_details=True,
            density="compact",
            id="site",
            raw_attrs=labelled("Site that the new model is for"),
        )
    with html.Div(classes="line mt-2", v_if=names.judging):
        v.VBtn(
            "Adopt",
            v_if=names.made,
            click=(page.trying(learn.adopt, str), f"[{names.reason} || '']"),
            color=(f"{names.against} ? undefined : 'primary'",),
            variant=(f"{names.against} ? 'outlined' : 'flat'",),
            classes="grow",
            id="adopt",
        )
        v.VBtn(
            text(f"{names.made} ? 'Keep the old one' : 'Go on with the model in use'"),
            click=page.trying(learn.keep),
            color=(f"{names.against} ? 'primary' : undefined",),
            variant=(f"{names.against} ? 'flat' : 'outlined'",),
            classes=(f"{{'grow': !{names.made}}}",),
            id="keep",
        )
