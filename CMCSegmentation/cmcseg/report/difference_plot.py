"""A picture of paired differences: a dot per case, the interval of their mean as a bar."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure


def draw_differences(
    changes: dict[tuple[str, str], list[float]],
    intervals: dict[tuple[str, str], tuple[float, float, float]],
    path: Path,
    *,
    names: tuple[str, str],
) -> None:
    """Draw a row per role and organ.

    Args:
        changes: difference in Dice of every case, by role and organ.
        intervals: mean, lower and upper end, by the same keys.
        path: a ``.png``.
        names: of the two models; right of 0 the second is better.
    """
    figure = Figure(figsize=(7, 1.2 + 0.42 * len(changes)), layout="constrained")
    axes = figure.subplots()
    for place, (key, values) in enumerate(changes.items()):
        middle, low, high = intervals[key]
        spread = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else [0.0]
        axes.scatter(values, place + np.array(spread), s=18, color="0.6", zorder=2)
        if low == low:
            axes.hlines(place, low, high, color="#0072b2", linewidth=3, zorder=3)
        axes.plot([middle], [place], "o", color="#0072b2", markersize=6, zorder=4)
    axes.axvline(0, color="0.2", linewidth=1)
    axes.set_yticks(range(len(changes)), [" ".join(key).strip() for key in changes])
    axes.invert_yaxis()
    axes.set_xlabel("difference in Dice: left the first is better, right the second")
    axes.set_title(f"{Path(names[1]).name} against {Path(names[0]).name}", fontsize=10)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.savefig(path, dpi=130)
