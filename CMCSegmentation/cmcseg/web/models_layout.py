"""A card per model, and where a new one is dropped."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.web.learn_actions import LearnActions
from cmcseg.web.models_actions import ModelsActions
from cmcseg.web.widgets import small_button


def lay_out_models(models: ModelsActions, learn: LearnActions) -> None:
    """Lay the panel out; the versions that the cards tell are those of the step before."""
    page, names = models.page, models.state.name
    with html.Div(v_show=f"{page.state.name.step} === 'models'", classes="pane"):
        with v.VCard(v_for=f"c in {names.cards}", key="c.name", variant="outlined", classes="mb-3"):
            v.VCardTitle("{{ c.title }}", classes="text-subtitle-1")
            v.VCardSubtitle("{{ c.name }} · version {{ c.version }}")
            with v.VCardText():
                html.P("{{ c.description }}")
                html.P("{{ c.organs }}", classes="quiet")
                html.P("{{ c.measured }}", v_if="c.measured", classes="quiet")
                html.P("{{ c.terms }}", classes="quiet")
                html.P(
                    "Version {{ h.version }}, {{ h.at }}",
                    v_for=f"h in (c.chosen ? {learn.state.name.versions} : [])",
                    key="h.name",
                    classes="quiet",
                )
                with html.Details(v_if="c.chosen", classes="more mt-2 mb-0", id="new-organ"):
                    html.Summary("Teach it a new organ")
                    html.P(
                        "A copy of the model gets room for it. Draw it in a few cases, accept "
                        "them, and fine-tune.",
                        classes="quiet mb-2",
                    )
                    v.VTextField(
                        v_model=(names.organ,),
                        label="Name of the organ",
                        hide_details=True,
                        density="compact",
                        id="organ-name",
                    )
                    small_button(
                        "Make room for it",
                        (page.trying(models.extend, str, str), f"[c.name, {names.organ}]"),
                        variant="tonal",
                        classes="mt-2",
                        id="make-room",
                    )
            with v.VCardActions():
                v.VBtn(
                    "Use it",
                    click=(page.trying(models.use, str), "[c.name]"),
                    disabled=("c.chosen",),
                    size="small",
                )
                v.VSpacer()
                # A button at rest hears no mouse, so the reason hangs on what is around it.
                with html.Span(title=("c.stays || 'Delete this model'",)):
                    v.VBtn(
                        "Remove",
                        click=(page.trying(models.remove, str), "[c.name]"),
                        disabled=("!!c.stays",),
                        size="small",
                    )
        with html.Div(v_for=f"t in {names.tasks}", key="t.name", classes="mb-3"):
            small_button(
                "Begin a model: {{ t.title }}",
                (page.trying(models.begin, str), "[t.name]"),
                variant="tonal",
                raw_attrs=[':data-begin="t.name"'],
            )
            html.P(
                "No model was trained for this yet: draw some cases, accept them, and fine-tune.",
                classes="quiet mt-1",
            )
        with html.Label(classes="drop", for_="cmcseg-model"):
            v.VIcon("mdi-package-variant", classes="mr-2")
            html.Span("Import a model (zip), or begin one from a task's file (json)")
            html.Input(
                id="cmcseg-model",
                type="file",
                accept=".zip,.json",
                raw_attrs=['data-to="model"'],
            )
