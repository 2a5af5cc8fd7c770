"""The bar below the views."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.mrml.colours import MAGMA
from cmcseg.web.display_actions import AUTO, DisplayActions
from cmcseg.web.other_scan import KINDS
from cmcseg.web.view_poses import ORIENTATIONS
from cmcseg.web.widgets import icon_button, labelled
from cmcseg.web.windowing import PRESETS

HOW = "How the other scan is laid over: blend, checkerboard or edges"


def lay_out_display(display: DisplayActions) -> None:
    """Lay the bar out."""
    page, names, views = display.page, display.state.name, display.views.state.name
    _legend(display)
    with html.Div(classes="bar"):
        with v.VBtnToggle(
            model_value=(names.orientation,),
            update_modelValue=(page.trying(display.orient, str), "[$event]"),
            mandatory=True,
            density="compact",
            variant="text",
        ):
            for name in ORIENTATIONS:
                v.VBtn(name, value=name, size="small")
        icon_button("mdi-fit-to-screen-outline", "Fit", page.trying(display.fit))
        icon_button(
            "mdi-cube-outline",
            "Organs in 3D",
            page.trying(display.toggle_solid),
            active=(names.solid,),
            id="solid",
        )
        icon_button(
            "mdi-view-column-outline",
            "Three planes of this scan",
            page.trying(display.three_planes),
            v_if=views.single,
            active=(views.planes,),
            id="planes",
        )
        with v.VMenu():
            with v.Template(v_slot_activator="{ props }"):
                v.VBtn(
                    "window",
                    size="small",
                    variant="text",
                    id="windows",
                    v_bind="props",
                    title="Presets of window and level",
                )
            with v.VList(density="compact"):
                for name in (AUTO, *PRESETS):
                    v.VListItem(
                        title=name,
                        click=page.trying(lambda name=name: display.window(name)),
                        id=f"window-{name.replace(' ', '-')}",
                    )
        # One part, so that a narrow window breaks the line before it and not within it.
        with html.Div(classes="shown"):
            v.VIcon("mdi-circle-opacity", size="small", title="How strongly the organs are drawn")
            _slider(names.opacity, "opacity", "How strongly the organs are drawn")
            _other_scan(display)
            with v.VBtnToggle(
                model_value=(names.overlay,),
                update_modelValue=(page.trying(display.lay_over, str | None), "[$event]"),
                density="compact",
                variant="text",
                disabled=(f"!{display.tools.state.name.roles}.length",),
            ):
                v.VBtn("doubt", value="doubt", size="small", id="show-doubt")
                v.VBtn(
                    "disagreement",
                    value="disagreement",
                    size="small",
                    disabled=(f"{display.tools.state.name.roles}.length < 2",),
                    id="show-disagreement",
                )


def _other_scan(display: DisplayActions) -> None:
    """The other scan over each scan: how strongly, in which way, and moved by hand."""
    page, names, tools = display.page, display.state.name, display.tools.state.name
    views = display.views.state.name
    with html.Div(v_if=f"{views.corners}[1] && !{views.planes}", classes="line"):
        with v.VMenu():
            with v.Template(v_slot_activator="{ props }"):
                v.VBtn(
                    icon="mdi-checkerboard",
                    size="small",
                    variant="text",
                    id="others",
                    v_bind="props",
                    title=HOW,
                    raw_attrs=labelled(HOW),
                )
            with v.VList(density="compact"):
                for kind in KINDS:
                    v.VListItem(
                        title=kind,
                        click=page.trying(lambda kind=kind: display.show_other(kind)),
                        id=f"other-{kind}",
                    )
        _slider(names.blend, "blend", "How strongly the other scan is laid over")
        icon_button(
            "mdi-hand-back-right-outline",
            "Move the other scan by hand; the next segmentation takes it as it lies",
            page.trying(display.nudge),
            active=(f"{tools.tool} === 'nudge'",),
            id="nudge",
        )


def _legend(display: DisplayActions) -> None:
    """What the colours of a map mean."""
    with html.Div(
        v_if=display.state.name.overlay, classes="legend", id="legend", title="Colours of the map"
    ):
        html.Span("sure", v_if=f"{display.state.name.overlay} === 'doubt'")
        html.Span("agree", v_if=f"{display.state.name.overlay} !== 'doubt'")
        html.I(style=f"background: linear-gradient(to right, {', '.join(MAGMA)})")
        html.Span("unsure", v_if=f"{display.state.name.overlay} === 'doubt'")
        html.Span("contradict", v_if=f"{display.state.name.overlay} !== 'doubt'")


def _slider(name: str, key: str, title: str, **more: object) -> None:
    v.VSlider(
        v_model=(name,),
        min=0,
        max=100,
        hide_details=True,
        classes="short",
        raw_attrs=labelled(title),
        id=key,
        **more,
    )
