"""What the verdict of a fine-tuning says, in the reader's words; both hosts show it alike."""

from collections.abc import Callable
from dataclasses import dataclass

from cmcseg.core.card import ModelCard
from cmcseg.session.i18n import _


@dataclass(frozen=True, kw_only=True)
class OrganLine:
    """One organ of one scan in both models.

    Attributes:
        name: "CT liver".
        old, new: mean Dice.
        at_worst: the change of Dice that is exceeded with 95 % certainty.
        word: what that means.
    """

    name: str
    old: float
    new: float
    at_worst: float
    word: str


def is_made(verdict: dict) -> bool:
    """Whether the fine-tuning came to a new model at all."""
    return bool(verdict) and bool(
        verdict.get("sha256") or verdict.get("organs") or verdict.get("verdict") == "adopt"
    )


def is_against(verdict: dict) -> bool:
    """Whether the comparison does not speak for the new model."""
    return verdict.get("verdict") != "adopt"


def headline(verdict: dict) -> str:
    """The verdict in a few words; empty where there is none."""
    if not verdict:
        return ""
    if not is_made(verdict):
        return _("No new model was made.")
    words = {
        "adopt": _("The new model is better."),
        "keep": _("The new model does not do better."),
        "insufficient": _("There is not enough evidence yet."),
    }
    return words.get(verdict["verdict"], "")


def at_fault(verdict: dict) -> dict[str, str]:
    """Pairs and entries that could not be learned from, with the reason of each."""
    kinds = ("left_out", "unfit", "set_aside")
    return {name: why for kind in kinds for name, why in verdict.get(kind, {}).items()}


def told(verdict: dict, title: Callable[[str], str]) -> str:
    """Why the verdict is what it is, its pairs by the names that a reader knows.

    Args:
        verdict: of the fine-tuning.
        title: what a pair is called.
    """
    if verdict and not is_made(verdict) and at_fault(verdict):
        return _(
            "The labels of every corrected pair look like a mistake; mend them, then try again."
        )
    sentence = verdict.get("reason", "")
    for pair in verdict.get("left_out", {}):
        sentence = sentence.replace(pair, title(pair))
    return sentence


def organ_lines(verdict: dict, card: ModelCard | None) -> list[OrganLine]:
    """A line per organ and scan that both models were compared on."""
    titles = {spec.role: spec.title for spec in card.inputs} if card else {}
    lines = []
    for key, found in verdict.get("organs", {}).items():
        role, _space, organ = key.partition(" ")
        lines.append(
            OrganLine(
                name=f"{titles.get(role, role)} {organ}",
                word=_word(found),
                **{name: float(found[name]) for name in ("old", "new", "at_worst")},
            )
        )
    return lines


def _word(found: dict) -> str:
    if found["at_worst"] > 0:
        return _("better")
    return _("may be worse") if found["worse"] else _("not worse")
