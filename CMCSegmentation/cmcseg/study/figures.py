"""The figures of a study."""

import math
from pathlib import Path

from cmcseg.report.study_plots import Point, draw_bars, draw_lines
from cmcseg.study.findings import (
    PARTS,
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


def draw_apart(rows: list[Row], path: Path) -> Path | None:
    """Dice against displacement, beside what the scans reach alone; None without such cells."""
    lines: dict[str, dict[str, list[Point]]] = {}
    for role in roles(rows):
        for labelled in values(rows, "labelled"):
            for recipe in values(rows, "recipe"):
                fixed = {"recipe": recipe, "labelled": labelled}
                name = f"{recipe}, {100 * float(labelled):g} % labelled"
                alone = estimate(by_seed(rows, role, **fixed).values())
                for mm in values(rows, "apart_mm"):
                    found = by_seed(rows, role, apart_mm=mm, **fixed)
                    if found:
                        _add(lines, role, name, float(mm), estimate(found.values()))
                        _add(lines, role, f"{name}, alone", float(mm), alone)
    return draw_lines(lines, path, along="displacement of the other scan, mm") if lines else None


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
