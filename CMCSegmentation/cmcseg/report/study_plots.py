"""Pictures of a study: curves with intervals, and bars side by side."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cmcseg.core.atomic_write import atomic_path

ACROSS = 3  # panels side by side


@dataclass(frozen=True, kw_only=True)
class Point:
    """A mean at a place, give or take ``half``; 0 where there is no interval."""

    x: float
    mean: float
    half: float = 0.0


def draw_lines(panels: dict[str, dict[str, list[Point]]], path: Path, *, along: str) -> Path:
    """Draw a curve per name, a panel per scan; a name that ends in "alone" is dotted.

    Args:
        panels: title to curves by name.
        path: a ``.png``.
        along: what x is.

    Returns:
        The path.
    """
    figure, axes = _panels(list(panels), width=4.2)
    for panel, lines in zip(axes, panels.values(), strict=True):
        # A dotted curve takes the colour of the curve that it belongs to.
        names = list(dict.fromkeys(name.removesuffix(", alone") for name in lines))
        for name, points in lines.items():
            color = colormaps["tab10"](names.index(name.removesuffix(", alone")) % 10)
            style = ":" if name.endswith("alone") else "-"
            x, y, half = _columns(points)
            panel.plot(x, y, style, marker="o", markersize=4, color=color, label=name)
            if style == "-":
                panel.fill_between(x, y - half, y + half, color=color, alpha=0.15, linewidth=0)
        panel.set_xlabel(along)
    lowest = min(p.mean for lines in panels.values() for points in lines.values() for p in points)
    return _saved(figure, axes, lowest - 0.15, path)


def draw_bars(panels: dict[str, dict[str, list[Point]]], places: list[str], path: Path) -> Path:
    """Draw a group of bars per place, a bar per name in it.

    Args:
        panels: title to bars by name; ``x`` is the number of a place.
        places: what stands below the groups.
        path: a ``.png``.

    Returns:
        The path.
    """
    figure, axes = _panels(list(panels), width=1.6 + 0.7 * len(places))
    for panel, groups in zip(axes, panels.values(), strict=True):
        width = 0.8 / len(groups)
        used = sorted({int(p.x) for points in groups.values() for p in points})
        for number, (name, points) in enumerate(groups.items()):
            x, y, half = _columns(points)
            left = np.array([used.index(int(value)) for value in x]) - 0.4 + (number + 0.5) * width
            panel.bar(left, y, 0.9 * width, color=colormaps["tab10"](number % 10), label=name)
            panel.errorbar(left, y, half, fmt="none", ecolor="0.2", elinewidth=1, capsize=2)
        names = [places[place] for place in used]
        panel.set_xticks(range(len(used)), names, rotation=20, ha="right", fontsize=8)
    return _saved(figure, axes, 0.0, path)


def _panels(titles: list[str], width: float) -> tuple[Figure, list[Axes]]:
    across = min(ACROSS, len(titles))
    down = -(-len(titles) // across)
    figure = Figure(figsize=(width * across, 3.4 * down + 0.5), layout="constrained")
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    axes = grid.ravel()[: len(titles)]
    for unused in grid.ravel()[len(titles) :]:
        unused.set_axis_off()
    for panel, title in zip(axes, titles, strict=True):
        panel.set_title(title, fontsize=10)
        panel.grid(axis="y", color="0.9")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    for first in grid[:, 0]:
        first.set_ylabel("Dice, 95 % interval over seeds", fontsize=9)
    return figure, list(axes)


def _saved(figure: Figure, axes: list[Axes], lowest: float, path: Path) -> Path:
    axes[0].set_ylim(max(0.0, lowest), 1.0)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", fontsize=8, frameon=False)
    with atomic_path(path) as draft:
        figure.savefig(draft, dpi=130, format="png")
    return path


def _columns(points: list[Point]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(np.array([getattr(p, name) for p in points]) for name in ("x", "mean", "half"))
