"""The row of tools, and what can be set of the one in hand."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.web.brush_limits import lay_out_limits
from cmcseg.web.tools_actions import THICKEST, ToolsActions
from cmcseg.web.widgets import NUMBER, icon_button, labelled, range_slider, small_button, text

ICONS = {
    "": ("mdi-cursor-move", "Move and zoom (Esc)"),
    "window": ("mdi-circle-half-full", "Window and level: drag (W)"),
    "measure": ("mdi-ruler", "Ruler: drag a line (R)"),
    "brush": ("mdi-brush", "Brush (B)"),
    "erase": ("mdi-eraser", "Erase (E)"),
    "scissors": ("mdi-content-cut", "Scissors"),
    "threshold": ("mdi-contrast-circle", "Threshold"),
    "islands": ("mdi-island", "Islands: keep the largest piece"),
    "smooth": ("mdi-blur", "Smooth"),
}
APPLIED = {
    "threshold": "Fill the range",
    "islands": "Keep the largest piece",
    "smooth": "Smooth by 3 mm",
}


def lay_out_scan_choice(tools: ToolsActions) -> None:
    """Which scan is in hand."""
    names = tools.state.name
    with v.VBtnToggle(
        model_value=(names.role,),
        update_modelValue=(tools.page.trying(tools.edit, str), "[$event]"),
        mandatory=True,
        density="compact",
        classes="mb-2 mt-1",
        v_if=f"{names.roles}.length > 1",
    ):
        v.VBtn(
            "{{ r.title }}",
            v_for=f"r in {names.roles}",
            key="r.role",
            value=("r.role",),
            size="small",
        )


def lay_out_tools(tools: ToolsActions) -> None:
    """The tools."""
    page, names = tools.page, tools.state.name
    with html.Div(classes="tools"):
        for tool, (icon, title) in ICONS.items():
            icon_button(
                icon,
                title,
                page.trying(lambda tool=tool: tools.use(tool)),
                active=(f"{names.tool} === '{tool}'",),
                id=f"tool-{tool or 'none'}",
            )
        v.VSpacer()
        icon_button(
            "mdi-undo",
            "Undo (Z)",
            page.trying(tools.undo),
            disabled=(f"!{names.can_undo}",),
            id="undo",
        )
        icon_button(
            "mdi-redo",
            "Redo (Shift-Z)",
            page.trying(tools.redo),
            disabled=(f"!{names.can_redo}",),
            id="redo",
        )
    _settings(tools)
    with html.Div(classes="choices"):
        small_button(
            "Copy to the other scan",
            page.trying(tools.copy),
            v_if=f"{names.roles}.length > 1",
            id="copy",
        )
        small_button("Fill between slices", page.trying(tools.fill), id="fill")
        small_button("Back to the model's result", page.trying(tools.restore), id="restore")


def _settings(tools: ToolsActions) -> None:
    page, names = tools.page, tools.state.name
    brush = page.trying(tools.brush, NUMBER, bool)
    with html.Div(v_if=f"['brush', 'erase'].includes({names.tool})", classes="line"):
        html.Span(f"{text(names.brush_mm)} mm", classes="quiet unit")
        v.VSlider(
            model_value=(names.brush_mm,),
            update_modelValue=(brush, f"[$event, {names.brush_ball}]"),
            min=1,
            max=THICKEST,
            step=1,
            hide_details=True,
            raw_attrs=labelled("Diameter of the brush"),
        )
        v.VCheckbox(
            model_value=(names.brush_ball,),
            update_modelValue=(brush, f"[{names.brush_mm}, $event]"),
            label="ball",
            hide_details=True,
            density="compact",
        )
    with html.Div(v_if=f"['brush', 'erase'].includes({names.tool})"):
        lay_out_limits(tools.limits)
    with html.Div(v_if=f"{names.tool} === 'threshold'"):
        html.Div(
            f"{text(names.low + '.toFixed(0)')} to {text(names.high + '.toFixed(0)')}",
            classes="quiet",
            id="threshold-range",
        )
        range_slider(page, tools.threshold, names, "Values that Threshold fills")
    words = str(APPLIED)
    small_button(
        text(f"({words})[{names.tool}]"),
        page.trying(tools.apply),
        variant="tonal",
        v_if=f"{list(APPLIED)}.includes({names.tool})",
        block=True,
        classes="mb-2",
    )
