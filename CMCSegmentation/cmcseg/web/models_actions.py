"""The models at hand: what each promises, which one is used, import and remove."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from trame_server.utils.typed_state import TypedState

from cmcseg.core.card import ModelCard
from cmcseg.session.segment import SegmentSession
from cmcseg.web.page import Page
from cmcseg.web.uploads import TASK_FILE, discard


@dataclass
class ModelsState:
    """What the panel shows: a row per model and per task without one; ``organ`` is the user's."""

    cards: list[dict] = field(default_factory=list)
    tasks: list[dict] = field(default_factory=list)
    organ: object = ""


class ModelsActions:
    """The cards of all models.

    Args:
        page: that it is shown on.
        session: knows the models.
    """

    def __init__(self, page: Page, session: SegmentSession) -> None:
        self.page, self._session = page, session
        self.state = TypedState(page.server.state, ModelsState)

    def use(self, name: str) -> None:
        """Choose a model."""
        self._session.choose_model(name)

    def extend(self, name: str, organ: str) -> None:
        """Make a model with room for one organ more, and choose it."""
        self._session.models.extend(name, organ)
        self.state.data.organ = ""

    def begin(self, task: str) -> None:
        """Make a model of a task that has none, and choose it."""
        self._session.models.begin(task)

    def came(self, file: Path) -> None:
        """A model's archive was sent, or a task's file to begin one from; it is deleted after."""
        models = self._session.models

        def over() -> None:
            discard(file.parent)

        if file.suffix.lower() == TASK_FILE:
            models.begin(str(file), over)
        else:
            models.import_(file, over)

    def remove(self, name: str) -> None:
        """Delete a model that was imported."""
        self._session.models.remove(name)

    def refresh(self) -> None:
        """Show the models."""
        chosen, models = self._session.card, self._session.models
        self.state.data.tasks = [{"name": n, "title": title} for n, title in models.tasks.items()]
        self.state.data.cards = [
            {
                "name": card.name,
                "title": card.title,
                "version": card.version,
                "description": card.description,
                "organs": ", ".join(label.name for label in card.table),
                "measured": _measured(card),
                "terms": card.intended_use,
                "chosen": bool(chosen and chosen.name == card.name),
                "stays": models.why_not_remove(card),
            }
            for card in models.cards
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
