"""What the card of a model says before the model has learned anything, and what changes then."""

from dataclasses import replace

from cmcseg.core.card import ModelCard
from cmcseg.core.counted import counted

SUFFIX = " (not trained yet)"
NOTHING = "Nothing yet."


def untaught(card: ModelCard) -> ModelCard:
    """The card of a model with random weights."""
    return replace(card, title=card.title + SUFFIX, trained_on=NOTHING)


def is_untaught(card: ModelCard) -> bool:
    """Whether the weights are random: whatever they said would be noise."""
    return card.trained_on == NOTHING


def taught(card: ModelCard, pairs: int) -> ModelCard:
    """The card once the model has learned from so many corrected pairs."""
    if not is_untaught(card):
        return card
    title = card.title.replace(SUFFIX, "")
    return replace(card, title=title, trained_on=f"{counted(pairs, 'corrected pair')}.")
