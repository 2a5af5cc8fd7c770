"""Does the gate keep its promise? Streams of corrected cases, made by chance, and what is adopted.

    python bench/gate.py [--streams 1000]

fills the table of docs/fine-tuning.md. A stream is up to 30 cases. The change of a case is drawn
about a true mean; each of three organs changes as the case does, and by as much again on its own.
It is looked at once, after 8 cases; after every case; or after 8, 16 and 30, and each time all
earlier cases are judged anew by another candidate: half of a case's scatter comes with it again. In
the last rows each half of the cases is judged by a candidate of its own, whose true mean lies
beside that of the candidates in general.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cmcseg.core.sequential_test import one_by_one, shown_after
from cmcseg.learn.noninferiority import MARGIN
from results import DOCS, filled

CASES, AT, ORGANS = 30, (8, 16, 30), 3
DRAWS = {
    "normal": lambda rng, size: rng.standard_normal(size),
    "heavy tails (t, 3 degrees)": lambda rng, size: rng.standard_t(3, size) / 3**0.5,
    "losses rare and large (gamma, 2)": lambda rng, size: -(rng.gamma(2, 1, size) - 2) / 2**0.5,
}
MEANS = {"harmful": -0.01, "useless": 0.0, "useful": 0.02}
SCATTERS = (0.01, 0.015, 0.02)
BESIDE = 0.005  # standard deviation of a candidate's true mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=1000)
    options = parser.parse_args()
    heads = ["candidate", "mean change", "scatter", "changes are", "one look, at 8",
             *(f"after every case, by {n}" for n in AT), "judged anew at 8, 16 and 30"]  # fmt: skip
    lines = [heads, ["---"] * len(heads)]
    for name, mean in MEANS.items():
        for draw in DRAWS:
            for scatter in SCATTERS if name == "useful" else SCATTERS[2:]:
                shares = adopted(mean, scatter, draw, options.streams)
                lines.append([name, f"{mean:+.3f}", f"{scatter:.3f}", draw, *map(told, shares)])
                print(*lines[-1], sep=" | ", flush=True)
    for mean in (0.0, 0.02):
        share = adopted_of_two(mean, SCATTERS[2], options.streams)
        name = f"of two candidates, each {BESIDE} beside"
        lines.append([name, f"{mean:+.3f}", f"{SCATTERS[2]:.3f}", "normal", told(share), *"----"])
        print(*lines[-1], sep=" | ", flush=True)
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    page = Path(DOCS) / "fine-tuning.md"
    text = filled(page.read_text(encoding="utf-8"), "gate", table, by="gate.py")
    page.write_text(text, encoding="utf-8")


def told(share: float) -> str:
    return f"{100 * share:.1f} %"


def adopted(mean: float, scatter: float, draw: str, streams: int) -> list[float]:
    """Share of streams in which a candidate was adopted, by how it is looked at."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(streams):
        lasting = DRAWS[draw](rng, (1 + ORGANS, CASES))
        once = changes(mean, scatter, lasting)
        after = shown(one_by_one, once)
        anew = (DRAWS[draw](rng, (len(AT), 1 + ORGANS, CASES)) + lasting) / 2**0.5
        looks = np.stack([changes(mean, scatter, part) for part in anew], axis=1)
        for row, cases in enumerate(AT):
            looks[:, row, cases:] = np.nan
        found.append(
            [
                shown(lambda values: values[None], once[:, : AT[0]]) is not None,
                *(after is not None and after <= n for n in AT),
                shown(lambda values: values, looks) is not None,
            ]
        )
    return np.mean(found, axis=0).tolist()


def adopted_of_two(mean: float, scatter: float, streams: int) -> float:
    """Share of streams in which it was adopted when each half has its own candidate, at 8 cases."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(streams):
        beside = np.repeat(rng.normal(0, BESIDE, 2), AT[0] // 2)
        once = changes(mean, scatter, rng.standard_normal((1 + ORGANS, AT[0]))) + beside
        found.append(shown(lambda values: values[None], once) is not None)
    return float(np.mean(found))


def changes(mean: float, scatter: float, drawn: np.ndarray) -> np.ndarray:
    """Of the cases, first, and of their organs, whose mean they are."""
    case, organs = mean + scatter * drawn[0], mean + scatter * (drawn[0] + drawn[1:])
    return np.stack([case, *(organs + case - organs.mean(axis=0))])


def shown(looks: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> int | None:
    """After how many cases it was shown of the mean, and of every organ that it does not lose."""
    levels = (0.0, *[-MARGIN] * ORGANS)
    after = [shown_after(looks(row), level) for row, level in zip(rows, levels, strict=True)]
    return None if None in after else max(after)


if __name__ == "__main__":
    main()
