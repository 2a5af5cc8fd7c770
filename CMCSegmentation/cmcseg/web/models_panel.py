"""The models at hand: what each promises, import, remove, and how it came to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.core.card import ModelCard

if TYPE_CHECKING:
    from cmcseg.web.app import App


class ModelsPanel:
    """The cards of all models.

    Args:
        app: the app.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        app.state.update({"cards": []})

    def build(self) -> None:
        """Lay the panel out."""
        app = self._app
        with html.Div(v_show="step === 'models'", classes="pane"):
            with v.VCard(v_for="c in cards", key="c.name", variant="outlined", classes="mb-3"):
                v.VCardTitle("{{ c.title }}", classes="text-subtitle-1")
                v.VCardSubtitle("{{ c.name }} · version {{ c.version }}")
                with v.VCardText():
                    html.P("{{ c.description }}")
                    html.P("{{ c.organs }}", classes="quiet")
                    html.P("{{ c.measured }}", v_if="c.measured", classes="quiet")
                    html.P("{{ c.terms }}", classes="quiet")
                    html.P(
                        "Version {{ h.version }}, {{ h.at }}",
                        v_for="h in (c.chosen ? history.filter((h) => h.at) : [])",
                        key="h.version + h.at",
                        classes="quiet",
                    )
                with v.VCardActions():
                    v.VBtn(
                        "Use it",
                        click=(app.trying(app.segment.choose_model, str), "[c.name]"),
                        disabled=("c.chosen",),
                        size="small",
                    )
                    v.VSpacer()
                    # A button at rest hears no mouse, so the reason hangs on what is around it.
                    with html.Span(title=("c.stays || 'Delete this model'",)):
                        v.VBtn(
                            "Remove",
                            click=(app.trying(app.segment.remove_model, str), "[c.name]"),
                            disabled=("!!c.stays",),
                            size="small",
                        )
            with html.Label(classes="drop", for_="cmcseg-model"):
                v.VIcon("mdi-package-variant", classes="mr-2")
                html.Span("Import a model (zip)")
                html.Input(
                    id="cmcseg-model", type="file", accept=".zip", raw_attrs=['data-to="/model"']
                )

    def refresh(self) -> None:
        """Show the models."""
        chosen = self._app.segment.card
        self._app.state.cards = [
            {
                "name": card.name,
                "title": card.title,
                "version": card.version,
                "description": card.description,
                "organs": ", ".join(label.name for label in card.table),
                "measured": _measured(card),
                "terms": card.intended_use,
                "chosen": bool(chosen and chosen.name == card.name),
                "stays": self._app.segment.why_not_remove(card),
            }
            for card in self._app.segment.cards
        ]


def _measured(card: ModelCard) -> str:
    """Mean Dice by scan, when the card tells it."""
    means = []
    for spec in card.inputs:
        values = card.measured.get(spec.role) if isinstance(card.measured, dict) else None
        if isinstance(values, dict):
            numbers = [n for n in values.values() if isinstance(n, int | float)]
            if numbers:
                means.append(f"{spec.title} {sum(numbers) / len(numbers):.2f}")
    return f"Mean Dice on validation cases: {', '.join(means)}" if means else ""
