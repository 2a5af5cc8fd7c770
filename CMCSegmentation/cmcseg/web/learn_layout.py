"""The queue, the button that learns from it, the curve, the verdict and the versions."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.web.learn_actions import LONGEST, LearnActions
from cmcseg.web.queue_actions import QueueActions
from cmcseg.web.queue_layout import lay_out_queue
from cmcseg.web.verdict_layout import lay_out_verdict, lay_out_versions
from cmcseg.web.widgets import labelled, text


def lay_out_learn(learn: LearnActions, queue: QueueActions) -> None:
    """Lay the panel out."""
    page, names = learn.page, learn.state.name
    with html.Div(v_show=f"{page.state.name.step} === 'learn'", classes="pane"):
        lay_out_queue(queue)
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
        lay_out_verdict(learn, queue)
        lay_out_versions(learn)


def _tuning(learn: LearnActions) -> None:
    page, names = learn.page, learn.state.name
    with html.Div(classes="line mt-3"):
        v.VBtn(
            "Fine-tune",
            v_if=f"!{names.tuning}",
            click=(
                page.trying(learn.fine_tune, object, bool),
                f"[{names.minutes}, {names.rehearse}]",
            ),
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
            suffix="min",
            hide_details=True,
            style="max-width: 9.5em",
            disabled=(names.tuning,),
            raw_attrs=labelled("Minutes from the start to the verdict"),
            id="minutes",
        )
    html.P(text(names.expectation), v_if=names.expectation, classes="quiet", id="expectation")
    html.P(text(names.why_not), v_if=f"{names.why_not} && !{names.tuning}", classes="quiet")
    v.VCheckbox(
        v_model=(names.rehearse,),
        label="Rehearse on the folder's other scans, so that it forgets less",
        hide_details=True,
        density="compact",
        disabled=(names.tuning,),
        id="rehearse",
    )
    with html.Div(v_if=f"{names.tuning} || {names.looking}"):
        v.VProgressLinear(model_value=(names.percent,), height=6, rounded=True)
        html.P(text(names.line), classes="quiet", id="tune-line")
