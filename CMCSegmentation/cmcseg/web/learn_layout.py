"""The queue's table, the button that learns from it, the curve and the verdict."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.web.learn_actions import LONGEST, LearnActions
from cmcseg.web.widgets import icon_button, labelled, text


def lay_out_learn(learn: LearnActions) -> None:
    """Lay the panel out."""
    page, names = learn.page, learn.state.name
    with html.Div(v_show=f"{page.state.name.step} === 'learn'", classes="pane"):
        _queue(learn)
        _tuning(learn)
        with html.Div(v_if=f"{names.curve}.length > 1", classes="mt-2"):
            html.P("loss", classes="quiet")
            v.VSparkline(
                model_value=(names.curve,),
                smooth=4,
                line_width=1.5,
                height=60,
                color="primary",
                auto_draw=False,
            )
        _verdict(learn)
        html.P(text(names.outcome), v_if=names.outcome, classes="good", id="learn-stage")
        v.VBtn(
            "Roll back",
            click=page.trying(learn.roll_back),
            variant="text",
            size="small",
            disabled=(f"{names.history}.length < 2",),
            classes="mt-2",
            id="roll-back",
            prepend_icon="mdi-history",
        )


def _queue(learn: LearnActions) -> None:
    page, names = learn.page, learn.state.name
    html.P(
        f"{{{{ {names.entries}.length === 1 ? '1 pair' : {names.entries}.length + ' pairs' }}}} "
        f"in the queue, {{{{ {names.new_entries} }}}} new since the model was made.",
        id="queue-line",
    )
    with v.VTable(density="compact", v_if=f"{names.entries}.length", classes="queue"):
        with html.Thead(), html.Tr():
            html.Th("pair")
            html.Th("when")
            html.Th("what changed")
            html.Th("")
        with html.Tbody(), html.Tr(v_for=f"e in {names.entries}", key="e.id"):
            html.Td("{{ e.pair }}")
            html.Td("{{ e.at }}")
            html.Td("{{ e.summary }}", title=("e.status",))
            with html.Td():
                icon_button(
                    "mdi-delete-outline",
                    "Take this pair out of the queue",
                    (page.trying(learn.remove, str), "[e.id]"),
                    density="compact",
                )
    v.VBtn(
        text(f"'Restore ' + {names.removed}"),
        v_if=names.removed,
        click=page.trying(learn.restore),
        size="small",
        variant="text",
        id="restore-entry",
    )


def _tuning(learn: LearnActions) -> None:
    page, names = learn.page, learn.state.name
    with html.Div(classes="line mt-3"):
        v.VBtn(
            "Fine-tune",
            v_if=f"!{names.tuning}",
            click=(page.trying(learn.fine_tune, object), f"[{names.minutes}]"),
            color="primary",
            disabled=(f"!!{names.why_not}",),
            classes="grow",
            id="fine-tune",
        )
        v.VBtn(
            "Cancel",
            v_if=names.tuning,
            click=page.trying(learn.cancel),
            variant="outlined",
            classes="grow",
            id="cancel-tuning",
        )
        v.VTextField(
            v_model=(names.minutes,),
            type="number",
            min=1,
            max=LONGEST,
            suffix="minutes",
            hide_details=True,
            style="max-width: 9.5em",
            disabled=(names.tuning,),
            raw_attrs=labelled("Minutes to learn for"),
            id="minutes",
        )
    html.P(text(names.expectation), v_if=names.expectation, classes="quiet", id="expectation")
    html.P(text(names.why_not), v_if=f"{names.why_not} && !{names.tuning}", classes="quiet")
    with html.Div(v_if=names.tuning):
        v.VProgressLinear(model_value=(names.percent,), height=6, rounded=True)
        html.P(text(names.line), classes="quiet", id="tune-line")


def _verdict(learn: LearnActions) -> None:
    page, names = learn.page, learn.state.name
    with html.Div(v_if=names.verdict, id="verdict"):
        html.H3(text(names.verdict))
        html.P(text(names.verdict_line))
        with v.VTable(density="compact", v_if=f"{names.verdict_rows}.length"):
            with html.Thead(), html.Tr():
                html.Th("organ")
                for word in ("old", "new", "cases"):
                    html.Th(word, classes="number")
            with html.Tbody(), html.Tr(v_for=f"r in {names.verdict_rows}", key="r.name"):
                html.Td("{{ r.name }}")
                for word in ("old", "new", "cases"):
                    html.Td(f"{{{{ r.{word} }}}}", classes="number")
        v.VTextField(
            v_model=(names.reason,),
            label="Reason to adopt it nevertheless",
            v_if=f"{names.judging} && {names.against}",
            hide_details=True,
            density="compact",
            classes="mt-2",
            id="reason",
        )
        with html.Div(classes="line mt-2", v_if=names.judging):
            v.VBtn(
                "Adopt",
                click=(page.trying(learn.adopt, str), f"[{names.reason} || '']"),
                color=(f"{names.against} ? undefined : 'primary'",),
                variant=(f"{names.against} ? 'outlined' : 'flat'",),
                classes="grow",
                id="adopt",
            )
            v.VBtn(
                "Keep the old one",
                click=page.trying(learn.keep),
                color=(f"{names.against} ? 'primary' : undefined",),
                variant=(f"{names.against} ? 'flat' : 'outlined'",),
                id="keep",
            )
