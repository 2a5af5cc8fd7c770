"""What the report's table says of each organ: volumes, doubt, and what contradicts itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

import numpy as np

from cmcseg.core.card import ModelCard
from cmcseg.core.organ_findings import contradiction, organ_findings
from cmcseg.core.prediction import Prediction
from cmcseg.core.uncertainty import DoubtLevel


@dataclass(frozen=True, kw_only=True)
class VolumeCell:
    """One organ's volume in one scan."""

    text: str
    exact: str
    is_cut: bool
    dice: str


@dataclass(frozen=True, kw_only=True)
class OrganRow:
    """One line of the table."""

    name: str
    color: str
    cells: tuple[VolumeCell, ...]
    doubt: str
    doubt_exact: str
    remark: str
    is_flagged: bool


def organ_rows(
    card: ModelCard, prediction: Prediction, truth_dice: Mapping[str, Mapping[str, float]]
) -> list[OrganRow]:
    """What the table of volumes and doubt says, an organ a row; its cells in the card's order.

    Args:
        card: of the model.
        prediction: what was found.
        truth_dice: by role and organ; empty when the truth is not known.
    """
    roles = [role for role in card.roles if role in prediction.labels]
    findings = {role: organ_findings(prediction, role) for role in roles}
    rows = []
    for label in card.table:
        found = {role: findings[role][label.name] for role in roles}
        ml = {role: finding.ml for role, finding in found.items()}
        cells = tuple(
            VolumeCell(
                text=_ml(ml[role]),
                exact=f"{ml[role]:.2f} mL",
                is_cut=found[role].is_cut,
                dice=number_text(truth_dice.get(role, {}).get(label.name)),
            )
            for role in roles
        )
        seen = {card.input(role).title: found[role] for role in roles if ml[role]}
        worst = max((finding.level for finding in seen.values()), default=None)
        remark = contradiction(found.values())
        rows.append(
            OrganRow(
                name=label.name,
                color=label.color,
                cells=cells,
                doubt=worst.word if worst else "",
                doubt_exact=", ".join(f"{title} {f.doubtful:.0%}" for title, f in seen.items()),
                remark=remark,
                is_flagged=bool(remark) or worst == DoubtLevel.HIGH,
            )
        )
    return rows


def _ml(volume: float) -> str:
    if volume == 0:
        return "not found"
    return f"{volume:.0f}" if volume >= 10 else f"{volume:.1f}"


def number_text(value: object) -> str:
    """A number with two decimals; empty when it is none."""
    is_number = isinstance(value, Real) and np.isfinite(value)
    return f"{value:.2f}" if is_number else ""
