"""A picture of scores: a dot per case, a bar at the mean, a panel per scan."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure


def draw_scores(rows: list[tuple], colors: dict[str, str], path: Path, *, title: str) -> None:
    """Draw Dice per organ; segmented alone as dots, together with the other scan as rings.

    Args:
        rows: (case, alone or together, role, organ, Dice, distance in mm); Dice may be NaN.
        colors: of the organs, ``#rrggbb``.
        path: a ``.png``.
        title: of the picture.
    """
    roles = list(dict.fromkeys(row[2] for row in rows))
    organs = [organ for organ in colors if any(row[3] == organ for row in rows)]
    together = any(row[1] == "together" for row in rows)
    figure = Figure(figsize=(1.2 + 3.6 * len(roles), 3.6), layout="constrained")
    panels = figure.subplots(1, len(roles), sharey=True, squeeze=False)[0]
    for panel, role in zip(panels, roles, strict=True):
        for place, organ in enumerate(organs):
            for way, shift in (("alone", -0.14), ("together", 0.14)):
                dice = [r[4] for r in rows if r[1:4] == (way, role, organ) and not np.isnan(r[4])]
                x = place + (shift if together else 0.0)
                _strip(panel, x, dice, colors[organ], filled=way == "alone")
        panel.set_title(role, fontsize=10)
        panel.set_xticks(range(len(organs)), organs, rotation=20, ha="right", fontsize=9)
        panel.set_xlim(-0.6, len(organs) - 0.4)
        panel.grid(axis="y", color="0.9")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("Dice")
    lowest = min((row[4] for row in rows if not np.isnan(row[4])), default=0.0)
    panels[0].set_ylim(max(0.0, np.floor(lowest * 10 - 0.5) / 10), 1.0)
    key = "dot: the scan alone, ring: both scans together, bar: mean" if together else "bar: mean"
    figure.suptitle(f"{title}, validation cases ({key})", fontsize=10)
    figure.savefig(path, dpi=150)


def _strip(panel, x: float, dice: list[float], color: str, *, filled: bool) -> None:  # noqa: ANN001
    if not dice:
        return
    spread = np.linspace(-0.07, 0.07, len(dice)) if len(dice) > 1 else np.zeros(1)
    panel.scatter(
        x + spread, dice, s=26, zorder=3, linewidths=1.2,
        facecolors=color if filled else "white", edgecolors=color,
    )  # fmt: skip
    panel.hlines(np.mean(dice), x - 0.12, x + 0.12, color="0.2", linewidth=1.5, zorder=4)
