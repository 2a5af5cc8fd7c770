"""A finished fine-tuning, made on the spot: a candidate, and a verdict that follows from scores."""

import json
from dataclasses import replace
from pathlib import Path

from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import Store
from cmcseg.bundle.verdict import sealed
from cmcseg.learn.noninferiority import Score, judge
from tiny import tiny_state

NAME = "abdomen-ct-mr"


def a_run(
    store: Store, folder: Path, seed: int = 1, change: float = 0.1, name: str = NAME, **changes
) -> Path:
    """A finished fine-tuning of the version in use; its verdict follows from a change of Dice."""
    used = store.card(name)
    card = replace(used, parent=used.sha256)
    made = save_bundle(tiny_state(card, seed), card, folder / "candidate", replace=True)
    verdict = {
        **judge(scores(change)).to_dict(),
        "model": name,
        "parent": used.sha256,
        "sha256": made.sha256,
        "learned_from": ["a", "b"],
        "taught": [],
        "compared_on": [f"c{k}" for k in range(7)],
        **changes,
    }
    (folder / "verdict.json").write_text(json.dumps(sealed(verdict)))
    return folder


def scores(change: float, real: int = 7) -> list[Score]:
    """The liver of some patients and two phantoms, each a little different."""
    return [
        Score(
            case=f"c{k}",
            role="ct",
            organ="liver",
            old=0.6 + k / 100,
            new=0.6 + k / 100 + change + k / 1000,
            real=k < real,
        )
        for k in range(real + 2)
    ]
