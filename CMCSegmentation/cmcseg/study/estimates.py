"""What a study found: Dice by seed of any cell, and means over seeds with their intervals."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cmcseg.study.plan import BOTH, NOTHING
from cmcseg.study.run import FACTS, KEY

Row = dict[str, str]
# Two-sided 95 % quantiles of Student's t for 1 to 10 degrees of freedom; the normal's beyond.
T975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
ALONE = {"apart_mm": "", "turn_degrees": "", "bend_mm": ""}
TOGETHER = {"apart_mm": "0", "turn_degrees": "0", "bend_mm": "0"}
FULL = {"without": NOTHING, "modality": BOTH, "fusion": "True", **ALONE}
# What the bars compare: the difference from FULL. ``None`` stands for the role in question.
PARTS: dict[str, dict[str, str | None]] = {
    "all": {},
    "without CSC": {"without": "csc"},
    "without CAC": {"without": "cac"},
    "without MIA": {"without": "mia"},
    "without fusion": {"fusion": "False"},
    "one modality": {"fusion": "False", "modality": None},
    "tested together": {**TOGETHER},
}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        mean: of the values.
        half: half the width of its 95 % interval (Student, Biometrika 1908); infinite for one
            value.
        seeds: how many values.
    """

    mean: float
    half: float
    seeds: int

    def told(self, *, signed: bool = False) -> str:
        """The mean and, where there is one, its interval."""
        form = "+.3f" if signed else ".3f"
        if not math.isfinite(self.half):
            return f"{self.mean:{form}}"
        low, high = self.mean - self.half, self.mean + self.half
        return f"{self.mean:{form}} ({low:{form}} to {high:{form}})"


def estimate(values: Iterable[float]) -> Estimate | None:
    """Mean and 95 % interval of the values; None when there is none."""
    x = np.array([value for value in values if not math.isnan(value)])
    if not len(x):
        return None
    half = math.inf
    if len(x) > 1:
        t = T975[len(x) - 2] if len(x) - 2 < len(T975) else 1.96
        half = float(t * x.std(ddof=1) / math.sqrt(len(x)))
    return Estimate(mean=float(x.mean()), half=half, seeds=len(x))


def by_seed(rows: list[Row], role: str, **wanted: str) -> dict[str, float]:
    """Mean Dice over a role's organs, per seed, of the rows that are as wanted.

    Args:
        rows: of the study.
        role: whose organs.
        wanted: columns and their values; other columns of the key are those of the whole method.
    """
    wanted = {**FULL, **wanted}
    found = {}
    for row in rows:
        dice = [float(row[name]) for name in _organs(row, role) if row[name]]
        if dice and all(row[key] == value for key, value in wanted.items()):
            found[row["seed"]] = float(np.mean(dice))
    return found


def roles(rows: list[Row]) -> list[str]:
    """The roles that were measured, in the order of the columns."""
    names = [name for name in rows[0] if name not in (*KEY, *FACTS)]
    return list(dict.fromkeys(name.partition(" ")[0] for name in names))


def values(rows: list[Row], key: str) -> list[str]:
    """The values of a column, numbers in their order."""
    found = list(dict.fromkeys(row[key] for row in rows))
    numbers = key in ("labelled", *ALONE)
    return sorted(filter(None, found), key=float) if numbers else found


def displacements(rows: list[Row]) -> list[dict[str, str]]:
    """The ways in which scans were displaced while they were segmented together."""
    found = {tuple(row[key] for key in ALONE) for row in rows if row["apart_mm"]}
    ways = sorted(found, key=lambda way: [float(amount) for amount in way[::-1]])
    return [dict(zip(ALONE, way, strict=True)) for way in ways]


def difference(a: dict[str, float], b: dict[str, float]) -> Estimate | None:
    """Mean of a - b over the seeds that both have: they share labelled scans and weights."""
    return estimate(a[seed] - b[seed] for seed in a if seed in b)


def part_by_seed(
    rows: list[Row], role: str, change: dict[str, str | None], recipe: str, labelled: str
) -> dict[str, float]:
    """``by_seed`` of the method with one of ``PARTS`` changed."""
    wanted = {key: role if value is None else value for key, value in change.items()}
    return by_seed(rows, role, recipe=recipe, labelled=labelled, **wanted)


def _organs(row: Row, role: str) -> list[str]:
    return [name for name in row if name not in (*KEY, *FACTS) and name.startswith(f"{role} ")]
