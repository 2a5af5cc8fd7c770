"""Fill the tables of docs/results.md from what was measured, and draw the stream's curves.

    python bench/results.py

`docs/measured/MODEL.csv` is the `scores.csv` that `cmcseg evaluate` wrote for a shipped model,
`former.csv` keeps the means of versions that are no longer shipped, `fusion-heart.csv` is what
`bench/fusion.py` wrote, `heart-acdc.csv` the heart's scores on another hospital's scans,
`robustness-MODEL.csv` is of `bench/robustness.py`, `stream-acdc.csv` (all orders),
`stream-ceiling.csv` and `stream-abdomen.csv` of `bench/stream.py`, and each
`study*` folder is the `study.csv` and `plan.json` of a `cmcseg study`. A table stands between two
comments in the page; what is written around it is written by hand.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

from cmcseg.study.table import write_report
from matplotlib.figure import Figure

DOCS = Path(__file__).resolve().parents[1] / "docs"
MODELS = ("abdomen-ct-mr", "heart-bssfp-lge")
STUDIES = {
    "study": "results-study.md",
    "study-parts": "results-study-parts.md",
    "study-heart": "results-study-heart.md",
}
HEARTS = {"validation bssfp": "20 others", "next bssfp": "next five",
          "home bssfp": "home bSSFP", "home lge": "home LGE"}  # fmt: skip
ABDOMENS = {"validation mr": "3 others", "home mr": "home MR", "home ct": "home CT"}
NONE = "-"
WAYS = ("alone", "none", "auto")  # of bench/fusion.py

Row = dict[str, str]


def main() -> None:
    rows = [row for model in MODELS for row in read(DOCS / "measured" / f"{model}.csv")]
    former = read(DOCS / "measured" / "former.csv")
    page = DOCS / "results.md"
    text = page.read_text(encoding="utf-8")
    text = filled(text, "organs", organ_table(rows))
    text = filled(text, "means", mean_table(rows, former))
    text = filled(text, "apart", apart_table(read(DOCS / "measured" / "fusion-heart.csv")))
    text = filled(text, "acdc", organ_table(read(DOCS / "measured" / "heart-acdc.csv")))
    for model in MODELS:
        altered = read(DOCS / "measured" / f"robustness-{model}.csv")
        text = filled(text, f"robustness of {model}", robustness_table(altered))
    acdc, most, abdomen = (
        read(DOCS / "measured" / f"stream-{name}.csv") for name in ("acdc", "ceiling", "abdomen")
    )
    text = filled(text, "stream", stream_table(HEARTS, acdc, most))
    text = filled(text, "stream of abdomens", stream_table(ABDOMENS, abdomen, []))
    page.write_text(text, encoding="utf-8")
    draw_stream(acdc, most, DOCS / "figures" / "stream.png")
    for folder, name in STUDIES.items():
        write_report(DOCS / "measured" / folder, DOCS / name)


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def filled(text: str, name: str, table: str, by: str = "results.py") -> str:
    """The page with a new table between the comments of that name."""
    start, end = f"<!-- {name}: made by bench/{by} -->", f"<!-- end of {name} -->"
    found = re.compile(f"(?<={re.escape(start)}\n).*?(?={re.escape(end)})", re.DOTALL)
    if not found.search(text):
        raise SystemExit(f"The page has no place for {name}: {start} ... {end}")
    return found.sub(lambda hit: f"\n{table}\n\n", text)  # noqa: ARG005


def organ_table(rows: list[Row]) -> str:
    """Dice and surface distance per organ: mean, lowest and highest case."""
    lines = []
    for role, organ in _unique(rows, "role", "organ"):
        mine = [row for row in rows if (row["role"], row["organ"]) == (role, organ)]
        alone = [row for row in mine if row["scans"] == "alone"]
        distances = [float(row["hd95_mm"]) for row in alone if row["hd95_mm"]]
        together = [row for row in mine if row["scans"] == "together"]
        lines.append(
            (
                role,
                organ,
                str(len(alone)),
                _range(alone),
                f"{mean(distances):.1f}",
                _range(together),
            )
        )
    heads = ("scan", "organ", "cases", "Dice alone", "HD95 mm alone", "Dice together")
    return _table(heads, lines)


def mean_table(rows: list[Row], former: list[Row]) -> str:
    """Mean over organs and cases, beside the versions before."""
    versions = sorted({row["version"] for row in former}, reverse=True)
    lines = []
    for (role,) in _unique(rows, "role"):
        ways = ("alone", "together")
        found = [[r for r in rows if (r["role"], r["scans"]) == (role, way)] for way in ways]
        means = [f"{_mean(group):.3f}" if group else NONE for group in found]
        earlier = {row["version"]: row["dice"] for row in former if row["role"] == role}
        lines.append((role, *means, *(earlier.get(version, NONE) for version in versions)))
    heads = ("scan", "alone", "together", *(f"version {v}, alone" for v in versions))
    return _table(heads, lines)


def robustness_table(rows: list[Row]) -> str:
    """Per scan and way of altering it: mean Dice, and how much it fell, on average and at worst."""
    lines = []
    for role, way in _unique(rows, "role", "way"):
        mine = {r["case"]: float(r["dice"]) for r in rows if (r["role"], r["way"]) == (role, way)}
        first = next(row for row in rows if (row["role"], row["way"]) == (role, way))
        if not first["allowed"]:
            plain = mine
            lines.append((role, way, f"{mean(mine.values()):.3f}", NONE, NONE, NONE))
            continue
        gaps = [mine[case] - plain[case] for case in mine]
        change = (f"{mean(gaps):+.3f}", f"{min(gaps):+.3f}", f"-{first['allowed']}")
        lines.append((role, way, f"{mean(mine.values()):.3f}", *change))
    return _table(("scan", "altered", "Dice", "change", "worst case", "allowed"), lines)


def stream_table(sets: dict[str, str], rows: list[Row], ceiling: list[Row]) -> str:
    """What so many corrected cases brought: Dice of the candidate and, in brackets, its gain.

    The gain is over the control, the model that never learned; of the gap between that and a model
    that learned from the whole stream at once, so much is closed on the others.

    Args:
        sets: what the columns are called, by set and role; the first is of the others.
        rows: of the stream.
        ceiling: one row of what was reached at once, or none.
    """
    others = next(iter(sets))
    reached = [_organs(row, "candidate", others) for row in ceiling]
    lines = []
    for row in (*rows, *ceiling):
        cells = []
        for name in sets:
            new, old = (_organs(row, which, name) for which in ("candidate", "control"))
            told = (f"{a:.3f} ({a - b:+.3f})" for a, b in zip(new, old, strict=True))
            cells.append(" / ".join(told) or NONE)
        new, old = (_organs(row, which, others) for which in ("candidate", "control"))
        closed = found = NONE
        if reached:
            share = (mean(new) - mean(old)) / (mean(reached[0]) - mean(old))
            closed = f"{100 * share:.0f} %"
        if row.get("verdict"):
            found = f"{row['verdict']}, {float(row['mean change']):+.3f} on {row['compared']}"
        lines.append((row["order"], row["cases"], found, closed, *cells))
    heads = ("order", "corrected", "verdict on the model in use", "gap closed", *sets.values())
    return _table(heads, lines)


def draw_stream(rows: list[Row], ceiling: list[Row], path: Path) -> None:
    """Mean Dice of the organs against the cases that were corrected, a curve for every order."""
    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    shown = (("validation bssfp", "20 others of that hospital"), ("home bssfp", "at home"))
    ticks = sorted({0, *(int(row["cases"]) for row in rows)})
    for axes, (name, title) in zip(panels, shown, strict=True):
        for (order,) in _unique(rows, "order"):
            mine = [row for row in rows if row["order"] == order]
            start = mean(_organs(mine[0], "control", name))
            reached = [start, *(mean(_organs(row, "candidate", name)) for row in mine)]
            cases = [0, *(int(row["cases"]) for row in mine)]
            axes.plot(cases, reached, marker="o", label=f"order {order}")
        for row in ceiling:
            most = mean(_organs(row, "candidate", name))
            words = f"learned from all {row['cases']} at once"
            axes.axhline(most, color="0.5", linestyle="--", label=words)
        axes.set(title=title, xlabel="corrected cases", xticks=ticks)
    panels[0].set_ylabel("Dice, mean of three organs")
    told = panels[0].get_legend_handles_labels()
    figure.legend(*told, loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(path, dpi=120)


def _organs(row: Row, which: str, name: str) -> list[float]:
    """Dice of every organ, in the order of the file."""
    return [float(row[key]) for key in row if key.startswith(f"{which} {name} ") and row[key]]


def apart_table(rows: list[Row]) -> str:
    """A scan alone, and with a partner that was displaced; the gap is that of `auto` to alone."""
    units = {"shift_mm": "shifted by {} mm", "turn_degrees": "turned by {} degrees"}
    units["elastic_mm"] = "bent by {} mm"
    lines = []
    for key in _unique(rows, *units, "role"):
        *amounts, role = key
        mine = [row for row in rows if tuple(row[k] for k in (*units, "role")) == key]
        told = [
            text.format(f"{float(amount):g}")
            for text, amount in zip(units.values(), amounts, strict=True)
            if float(amount)
        ]
        ways = {way: {r["case"]: float(r["dice"]) for r in mine if r["way"] == way} for way in WAYS}
        gaps = [ways["auto"][case] - ways["alone"][case] for case in ways["alone"]]
        trust = mean(float(row["trust"]) for row in mine if row["way"] == "auto")
        means = (f"{mean(ways[way].values()):.3f}" for way in WAYS)
        worst = f"{mean(gaps):+.3f} ({min(gaps):+.3f} to {max(gaps):+.3f})"
        lines.append((" and ".join(told) or "as it was", role, *means, worst, f"{trust:.2f}"))
    heads = ("partner", "scan", "alone", "headers", "`auto`", "gap of `auto`", "confidence")
    return _table(heads, lines)


def _unique(rows: list[Row], *keys: str) -> Iterator[tuple[str, ...]]:
    """The values of some columns, each once, in the order of the rows, a role's organs together."""
    found = list(dict.fromkeys(tuple(row[key] for key in keys) for row in rows))
    roles = list(dict.fromkeys(values[0] for values in found))
    return iter(sorted(found, key=lambda values: roles.index(values[0])))


def _mean(rows: list[Row]) -> float:
    return mean(float(row["dice"]) for row in rows)


def _range(rows: list[Row]) -> str:
    if not rows:
        return NONE
    dice = [float(row["dice"]) for row in rows]
    return f"{mean(dice):.3f} ({min(dice):.3f} to {max(dice):.3f})"


def _table(heads: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    rows = [heads, ("---",) * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
