"""The figures of a study."""

import math
from pathlib import Path

from cmcseg.report.study_plots import Point, draw_bars, draw_lines
from cmcseg.study.estimates import (
    PARTS,
    TOGETHER,
    Estimate,
    Row,
    by_seed,
    estimate,
    part_by_seed,
    roles,
    values,
)


def draw_labelled(rows: list[Row], path: Path) -> Path | None:
    """Dice against the share of labelled scans, a curve per recipe; None for a single share."""
    if len(values(rows, "labelled")) < 2:
        return None
    lines: dict[str, dict[str, list[Point]]] = {}
    for role in roles(rows):
        for recipe in values(rows, "recipe"):
            for labelled in values(rows, "labelled"):
                found = by_seed(rows, role, recipe=recipe, labelled=labelled)
                _add(lines, role, recipe, 100 * float(labelled), estimate(found.values()))
    return draw_lines(lines, path, along="share of labelled scans, %")


ALONG = {
    "apart_mm": "displacement of the other scan, mm",
    "turn_degrees": "turn of the other scan, degrees",
    "bend_mm": "bending of the other scan, mm",
}


def draw_apart(rows: list[Row], path: Path, key: str = "apart_mm") -> Path | None:
    """Dice against displacement, beside what the scans reach alone; None without such cells.

    ``key`` is the column that varies, one of ``ALONG``; all others are at rest.
    """
    lines: dict[str, dict[str, list[Point]]] = {}
    for role in roles(rows):
        for labelled in values(rows, "labelled"):
            for recipe in values(rows, "recipe"):
                fixed = {"recipe": recipe, "labelled": labelled}
                name = f"{recipe}, {100 * float(labelled):g} % labelled"
                alone = estimate(by_seed(rows, role, **fixed).values())
                for amount in values(rows, key):
                    found = by_seed(rows, role, **fixed, **{**TOGETHER, key: amount})
                    if found:
                        _add(lines, role, name, float(amount), estimate(found.values()))
                        _add(lines, role, f"{name}, alone", float(amount), alone)
    if len(values(rows, key)) < 2 and key != "apart_mm":
        return None  # it never varied
    return draw_lines(lines, path, along=ALONG[key]) if lines else None


def draw_parts(rows: list[Row], path: Path) -> Path | None:
    """The whole method beside itself without one part; None where nothing was left out."""
    bars: dict[str, dict[str, list[Point]]] = {}
    for labelled in values(rows, "labelled"):
        for recipe in values(rows, "recipe"):
            panel = f"{recipe}, {100 * float(labelled):g} % labelled"
            for place, change in enumerate(PARTS.values()):
                for role in roles(rows):
                    found = part_by_seed(rows, role, change, recipe, labelled)
                    _add(bars, panel, role, place, estimate(found.values()))
            if panel in bars and not any(p.x for points in bars[panel].values() for p in points):
                del bars[panel]  # nothing to compare the whole with
    return draw_bars(bars, list(PARTS), path) if bars else None


def _add(
    groups: dict[str, dict[str, list[Point]]], panel: str, name: str, x: float, y: Estimate | None
) -> None:
    if y:
        point = Point(x=x, mean=y.mean, half=y.half if math.isfinite(y.half) else 0.0)
        groups.setdefault(panel, {}).setdefault(name, []).append(point)
