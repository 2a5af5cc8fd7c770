"""Does the gate keep its promise? Streams of corrected cases, made by chance, and what is adopted.

    python bench/gate.py [--streams 1000]

fills the table of docs/fine-tuning.md. A stream is up to 30 cases; after every case the comparison
is asked whether the candidate may be adopted. The change of a case is drawn about a true mean; each
of three organs changes as the case does, and by as much again on its own. *As before* is what the
program did until 0.5: half of the pairs kept back, Student's t, at every look anew.
"""

import argparse
from pathlib import Path

import numpy as np
from cmcseg.core.sequential_test import shown_after
from cmcseg.learn.noninferiority import MARGIN, lower_bound
from results import DOCS, filled

CASES, AT, ORGANS = 30, (8, 16, 30), 3
DRAWS = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy tails (t, 3 degrees)": lambda rng, n: rng.standard_t(3, n) / 3**0.5,
    "losses rare and large (gamma, 2)": lambda rng, n: -(rng.gamma(2, 1, n) - 2) / 2**0.5,
}
MEANS = {"harmful": -0.01, "useless": 0.0, "useful": 0.02}
SCATTERS = (0.01, 0.015, 0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=1000)
    options = parser.parse_args()
    heads = ["candidate", "mean change", "scatter", "changes are",
             *(f"adopted by {n} cases" for n in AT), "as before, by 30"]  # fmt: skip
    lines = [heads, ["---"] * len(heads)]
    for name, mean in MEANS.items():
        for draw in DRAWS:
            for scatter in SCATTERS if name == "useful" else SCATTERS[2:]:
                shares, before = adopted(mean, scatter, draw, options.streams)
                told = [f"{100 * share:.1f} %" for share in (*shares, before)]
                lines.append([name, f"{mean:+.3f}", f"{scatter:.3f}", draw, *told])
                print(*lines[-1], sep=" | ", flush=True)
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    page = Path(DOCS) / "fine-tuning.md"
    text = filled(page.read_text(encoding="utf-8"), "gate", table, by="gate.py")
    page.write_text(text, encoding="utf-8")


def adopted(mean: float, scatter: float, draw: str, streams: int) -> tuple[list[float], float]:
    """Share of streams in which a candidate was adopted by so many cases, and as before."""
    rng = np.random.default_rng(0)
    after, before = [], 0
    for _ in range(streams):
        case = mean + scatter * DRAWS[draw](rng, CASES)
        organs = case + scatter * np.stack([DRAWS[draw](rng, CASES) for _ in range(ORGANS)])
        organs += case - organs.mean(axis=0)  # the case is the mean of its organs
        shown = [shown_after(case), *(shown_after(organ, -MARGIN) for organ in organs)]
        after.append(CASES + 1 if None in shown else max(shown))
        before += any(as_before(case[:n], organs[:, :n]) for n in range(6, CASES + 1))
    return [float(np.mean(np.array(after) <= n)) for n in AT], before / streams


def as_before(case: np.ndarray, organs: np.ndarray) -> bool:
    kept = slice(1, None, 2)
    return lower_bound(case[kept]) > 0 and all(lower_bound(o[kept]) > -MARGIN for o in organs)


if __name__ == "__main__":
    main()
