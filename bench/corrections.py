"""What corrections bring, as a table and as curves.

    python bench/corrections.py

`docs/measured/finetune-*.csv` are what `bench/finetune.py` wrote, one file a cohort, and fill the
table of docs/fine-tuning.md and two figures. *Change* is paired: of every validation case the mean
over organs and seeds, after minus before, with its 95 % interval over the cases.
"""

import csv
import math
from collections import Counter
from pathlib import Path

import numpy as np
from cmcseg.learn.noninferiority import MARGIN, T95
from cmcseg.study.estimates import Estimate, estimate
from matplotlib.figure import Figure
from results import DOCS, filled

COHORTS = ("abdomen", "heart")
LIGHT = "abdomen-light"  # measured again, with windows augmented lightly
HEADER = ("corrected", "folder", "corrections", "steps", "core minutes", "seeds")
EVERY, NONE = "every", "none"  # in place of a role: all scans are corrected; the start model
WITH = "with"
STEPS = 100  # of the curves by corrections

Row = dict[str, str]


def main() -> None:
    page = DOCS / "fine-tuning.md"
    text = page.read_text(encoding="utf-8")
    corrections, minutes, starts = {}, {}, {}
    for name in COHORTS:
        rows = read(DOCS / "measured" / f"finetune-{name}.csv")
        text = filled(text, f"corrections, {name}", table(rows), by="corrections.py")
        text = filled(text, f"cases, {name}", cases_table(rows), by="corrections.py")
        for role in roles(rows):
            starts[role] = before(rows, role)
            corrections[role] = by_corrections(rows, role)
            minutes[role] = by_minutes(rows, role)
    again = table(read(DOCS / "measured" / f"finetune-{LIGHT}.csv"))
    text = filled(text, f"corrections, {LIGHT}", again, by="corrections.py")
    page.write_text(text, encoding="utf-8")
    draw(starts, corrections, DOCS / "figures" / "finetune-corrections.png", "corrections")
    draw(starts, minutes, DOCS / "figures" / "finetune-minutes.png", "minutes of one core")


def read(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def roles(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(name.split("/")[0] for name in rows[0] if "/" in name))


def table(rows: list[Row]) -> str:
    """A line for the start model, and one for all seeds of what was corrected."""
    heads = [*HEADER, *roles(rows), "verdict"]
    start = [row for row in rows if row["scan"] == NONE]
    dice = [f"Dice {before(rows, role):.3f}" for role in roles(rows)]
    lines = [("-", "-", "0", "0", "-", str(len(start)), *dice, "-")]
    for key, some in groups(rows).items():
        changes = [change(rows, role, some).told(signed=True) for role in roles(rows)]
        verdicts = Counter(row["verdict"] for row in some)
        told = ", ".join(f"{number} {word}" for word, number in sorted(verdicts.items()))
        lines.append((*key, f"{minutes_of(some):.1f}", str(len(some)), *changes, told))
    return markdown([heads, *lines])


def markdown(lines: list) -> str:
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cases_table(rows: list[Row]) -> str:
    """How many cases kept back can tell that an organ that did not change is not worse.

    The scatter is the standard deviation of an organ's change over the cases, pooled over all
    fine-tunings in which every scan was corrected.
    """
    scatter: dict[str, list[float]] = {}
    start = {row["seed"]: row for row in rows if row["scan"] == NONE}
    for row in (row for row in rows if row["scan"] == EVERY and row["corrections"] != "0"):
        changes: dict[str, list[float]] = {}
        for name in (name for name in row if name.count("/") == 2):
            change = float(row[name]) - float(start[row["seed"]][name])
            changes.setdefault(name.rpartition("/")[0].replace("/", " "), []).append(change)
        for organ, values in changes.items():
            known = [value for value in values if not math.isnan(value)]
            if len(known) > 1:
                scatter.setdefault(organ, []).append(float(np.var(known, ddof=1)))
    pooled = {organ: float(np.sqrt(np.mean(found))) for organ, found in scatter.items()}
    lines = [(organ, f"{sd:.3f}", str(needed(sd))) for organ, sd in pooled.items()]
    return markdown([("organ", "scatter", "cases needed"), *lines])


def needed(scatter: float) -> int:
    """The fewest cases whose one-sided 95 % interval of a mean change of 0 keeps the margin."""
    bounds = (T95[min(n - 2, len(T95) - 1)] * scatter / math.sqrt(n) for n in range(2, 1000))
    return next(n for n, bound in enumerate(bounds, 2) if bound < MARGIN)


def change(rows: list[Row], role: str, some: list[Row]) -> Estimate:
    """Mean over the validation cases, each against the start models of the same seeds."""
    seeds = {row["seed"] for row in some}
    old = by_case([row for row in rows if row["scan"] == NONE and row["seed"] in seeds], role)
    return estimate(dice - old[case] for case, dice in by_case(some, role).items())


def groups(rows: list[Row]) -> dict[tuple[str, ...], list[Row]]:
    """Rows that differ by seed only, by what was corrected, the folder, how many, and the steps."""
    found = {}
    for row in rows:
        if row["scan"] != NONE:
            key = (row["scan"], row["folder"], row["corrections"], row["steps"])
            found.setdefault(key, []).append(row)
    order = sorted(found, key=lambda k: (k[0] != EVERY, *k[:2], int(k[3]), int(k[2])))
    return {key: found[key] for key in order}


def by_corrections(rows: list[Row], role: str) -> dict[str, list]:
    """A curve for every scan corrected, and one for each scan of the pair corrected alone.

    All begin at the control where there is one, else at the start model.
    """
    curves, origin = {}, (0.0, before(rows, role), 0.0)
    for (scan, folder, count, taken), some in groups(rows).items():
        if int(taken) != STEPS:
            continue
        point = reached(rows, role, some, float(count))
        if not int(count):
            origin = point
            continue
        name = "every scan corrected" if scan == EVERY else f"only {scan} corrected"
        name += "" if folder == WITH else ", no folder"
        curves.setdefault(name, [origin]).append(point)
    return curves


def by_minutes(rows: list[Row], role: str) -> dict[str, list]:
    """A curve for each number of corrections, every scan corrected, with a folder."""
    curves = {}
    for (scan, folder, count, _), some in sorted(groups(rows).items(), key=lambda g: int(g[0][2])):
        if scan == EVERY and folder == WITH and int(count):
            start = (0.0, before(rows, role), 0.0)
            point = reached(rows, role, some, minutes_of(some))
            curves.setdefault(f"{count} corrected", [start]).append(point)
    return curves


def before(rows: list[Row], role: str) -> float:
    """Dice of the start models on average."""
    return mean(by_case([row for row in rows if row["scan"] == NONE], role))


def reached(rows: list[Row], role: str, some: list[Row], x: float) -> tuple[float, float, float]:
    """At ``x``, what was added to the start models, and half of its interval."""
    found = change(rows, role, some)
    return x, before(rows, role) + found.mean, found.half


def draw(starts: dict[str, float], panels: dict[str, dict], path: Path, along: str) -> None:
    """A panel per scan; the dotted line is the start model, bars are intervals of the change."""
    figure = Figure(figsize=(3.2 * len(panels), 4.2), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    names = dict.fromkeys(name for curves in panels.values() for name in curves)
    colours = {name: f"C{number}" for number, name in enumerate(names)}
    for panel, (role, curves) in zip(axes, panels.items(), strict=True):
        for number, (name, found) in enumerate(curves.items()):
            x, y, half = (np.array(values) for values in zip(*sorted(found), strict=True))
            aside = 0.006 * x.max() * number  # so that bars do not hide each other
            look = {"marker": "o", "markersize": 4, "capsize": 2, "color": colours[name]}
            panel.errorbar(x + aside, y, half, label=name, **look)
        panel.axhline(starts[role], color="0.4", linewidth=1, linestyle=":", label="start model")
        panel.set(title=role, xlabel=along)
        panel.grid(axis="y", alpha=0.3)
        panel.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)
    axes[0].set_ylabel("Dice, 95 % interval of the change")
    figure.savefig(path, dpi=110)


def by_case(rows: list[Row], role: str) -> dict[str, float]:
    """Mean over the organs and the rows."""
    values = {}
    for row in rows:
        for name, value in row.items():
            if name.startswith(f"{role}/") and value != "nan":
                values.setdefault(name.split("/")[2], []).append(float(value))
    return {case: float(np.mean(found)) for case, found in values.items()}


def mean(by_case: dict[str, float]) -> float:
    return float(np.mean(list(by_case.values())))


def minutes_of(rows: list[Row]) -> float:
    """Of one core, from the start to a verdict, without preparing the scans."""
    return float(np.mean([float(row["cpu_s"]) for row in rows])) / 60


if __name__ == "__main__":
    main()
