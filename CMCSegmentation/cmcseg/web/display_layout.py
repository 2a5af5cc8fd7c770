"""The bar below the views."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.web.display_actions import AUTO, DisplayActions
from cmcseg.web.views import ORIENTATIONS
from cmcseg.web.widgets import icon_button, labelled
from cmcseg.web.windowing import PRESETS


def lay_out_display(display: DisplayActions) -> None:
    """Lay the bar out."""
    page, names, views = display.page, display.state.name, display.views.state.name
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
            html.Span("organs", classes="quiet")
            _slider(names.opacity, "opacity", "How strongly the organs are drawn")
            html.Span("blend", classes="quiet", v_if=f"{views.corners}[1]")
            _slider(names.blend, "blend", "Blend in the other scan", v_if=f"{views.corners}[1]")
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
                    v_if=f"{display.tools.state.name.roles}.length > 1",
                    id="show-disagreement",
                )


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
