"""Scans, model, Segment, and the table of the result."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.web.output_actions import OutputActions
from cmcseg.web.output_layout import lay_out_output
from cmcseg.web.segment_actions import SegmentActions
from cmcseg.web.widgets import (
    NUMBER,
    chooser,
    icon_button,
    labelled,
    research_line,
    small_button,
    text,
)


def lay_out_segment(segment: SegmentActions, output: OutputActions) -> None:
    """Lay the panel out."""
    page = segment.page
    with html.Div(v_show=f"{page.state.name.step} === 'segment'", classes="pane"):
        _choices(segment)
        _button(segment)
        _result(segment, output)


def _choices(segment: SegmentActions) -> None:
    page, names = segment.page, segment.state.name
    with html.Div(v_for=f"role in {names.roles}", key="role.role"):
        v.VSelect(
            model_value=("role.key",),
            update_modelValue=(
                page.trying(segment.choose_scan, str, str | None),
                "[role.role, $event]",
            ),
            items=(names.scans,),
            label=("role.title",),
            no_data_text="Open a case first",
            classes="mb-2",
        )
    two = f"{names.roles}.filter((r) => r.key).length === 2"
    with html.Div(classes="line mb-3", v_if=f"{names.roles}.length"):
        html.Span(text(names.placement), classes="quiet grow")
        icon_button(
            "mdi-swap-vertical", "Swap the scans", page.trying(segment.swap), v_if=two, id="swap"
        )
    v.VAlert(text(names.hint), v_if=names.hint, type="info", density="compact", classes="mb-2")
    v.VSelect(
        model_value=(names.model,),
        update_modelValue=(page.trying(segment.choose_model, str), "[$event]"),
        items=(names.models,),
        label="Model",
        hint=(names.model_line,),
        persistent_hint=True,
        classes="mb-3",
    )
    with html.Div(classes="line mb-3", v_if=names.site_line, id="site-line"):
        html.Span(text(names.site_line), classes="grow")
        small_button(
            text(names.site_action),
            (page.trying(segment.choose_model, str), f"[{names.site_model}]"),
            variant="tonal",
            id="use-site",
        )
    with html.Details(classes="more", id="more"):
        html.Summary("More choices")
        align, device = (page.trying(c, str) for c in (segment.choose_align, segment.choose_device))
        chooser(align, names.align, names.aligns, "Alignment", "align", v_if=two)
        chooser(device, names.device, names.devices, "Runs on", "device")
        memory = page.trying(segment.choose_memory, str)
        chooser(memory, names.memory, names.memories, "When memory runs out", "memory")
        html.Span(f"Windows overlap by {text(names.overlap)} %", classes="quiet")
        v.VSlider(
            model_value=(names.overlap,),
            update_modelValue=(page.trying(segment.choose_overlap, NUMBER), "[$event]"),
            min=0,
            max=90,
            step=5,
            hide_details=True,
            raw_attrs=labelled("How far neighbouring windows overlap"),
        )


def _button(segment: SegmentActions) -> None:
    page, names = segment.page, segment.state.name
    with html.Div(classes="line mb-2"):
        v.VBtn(
            "Segment",
            click=page.trying(segment.segment),
            disabled=(f"!!{names.why_not}",),
            v_if=f"!{names.running}",
            # Once there is a result, the way on is to look through it.
            color=(f"{names.rows}.length ? undefined : 'primary'",),
            variant=(f"{names.rows}.length ? 'outlined' : 'flat'",),
            classes="grow primary-action",
            id="segment",
        )
        v.VBtn(
            "Cancel",
            click=page.trying(segment.cancel),
            v_if=names.running,
            variant="outlined",
            classes="grow",
            id="cancel",
        )
    html.P(
        text(names.why_not),
        v_if=f"{names.why_not} && !{names.running} && {names.roles}.length",
        classes="quiet",
    )
    with html.Div(v_if=names.running, classes="mb-3"):
        v.VProgressLinear(model_value=(names.percent,), height=6, rounded=True)
        html.P(text(names.progress_line), classes="quiet", id="progress-line")


def _result(segment: SegmentActions, output: OutputActions) -> None:
    page, names = segment.page, segment.state.name
    with html.Div(v_if=f"{names.rows}.length"):
        with v.VTable(density="compact", classes="result"):
            with html.Thead(), html.Tr():
                html.Th("organ")
                html.Th("{{ t }} mL", v_for=f"t in {names.titles}", key="t", classes="number")
                html.Th("doubt")
            with html.Tbody(), html.Tr(v_for=f"row in {names.rows}", key="row.organ"):
                with html.Td():
                    html.Span(classes="swatch", style=("{background: row.color}",))
                    html.Span("{{ row.organ }}")
                html.Td("{{ ml }}", v_for="(ml, n) in row.ml", key="n", classes="number")
                html.Td("{{ row.doubt }}", classes=("{'doubtful': row.doubt === 'high'}",))
        html.P(text(names.aligned), v_if=names.aligned, classes="quiet warning-line", id="aligned")
        html.P("{{ w }}", v_for=f"w in {names.warnings}", key="w", classes="quiet warning-line")
        with html.Div(classes="line mt-2"):
            v.VBtn(
                "Review",
                click=f"{page.state.name.step} = 'review'",
                color="primary",
                classes="grow",
                id="to-review",
            )
        lay_out_output(output, "segment")
        research_line()
