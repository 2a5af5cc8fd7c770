"""A picture of a training run that is drawn again and again while it goes on."""

import csv
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from cmcseg.core.atomic_write import atomic_path

PLOT = "curves.png"
SMOOTH = 25  # steps of the running mean over which a loss is shown


def draw_curves(folder: Path) -> None:
    """Draw ``losses.csv`` and ``scores.csv`` of a run into ``curves.png``.

    Args:
        folder: of the run; files that are not there yet are left out.
    """
    losses, scores = (_columns(folder / name) for name in ("losses.csv", "scores.csv"))
    losses.pop("gradient", None)
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, (name, values) in enumerate(_without_step(losses)):
        color = colormaps["tab10"](number % 10)
        left.plot(losses["step"], values, color=color, alpha=0.2, linewidth=0.8)
        left.plot(losses["step"], _smoothed(values), color=color, label=name)
    for number, (name, values) in enumerate(_without_step(scores)):
        right.plot(scores["step"], values, ".-", color=colormaps["tab20"](number % 20), label=name)
    left.set(title=f"losses (mean of {SMOOTH} steps)", xlabel="step")
    right.set(title="Dice on validation cases, working grid", xlabel="step", ylim=(0, 1))
    for panel in (left, right):
        panel.grid(color="0.9")
        panel.spines[["top", "right"]].set_visible(False)
        if panel.lines:
            panel.legend(fontsize=7, frameon=False)
    with atomic_path(folder / PLOT) as draft:
        figure.savefig(draft, dpi=110, format="png")


def _columns(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: np.array([float(row[key]) for row in rows]) for key in (rows[0] if rows else ())}


def _without_step(columns: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    return [(name, values) for name, values in columns.items() if name != "step"]


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Mean of the last ``SMOOTH`` values, of fewer at the start."""
    total = np.cumsum(np.insert(values, 0, 0.0))
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - SMOOTH, 0)
    return (total[last] - total[first]) / (last - first)
