"""Does a start from a shipped model help a task of fewer organs? Two organs of four, CT alone.

    python bench/transfer.py DATA OUT [--steps 150] [--seeds 0 1 2] [--cases 8]

Trains `abdomen-ct-mr` on to liver and spleen in CT, and the same network from random weights, on
the same crops, and scores both on the validation scans, on the working grid. To be affordable on
one core the working grid is twice as coarse as the shipped one (6 mm), and the windows span as
much. The shipped model has learned from the same training scans with all four organs, never from
the validation scans. A run that was stopped goes on; OUT/transfer.csv has a row per run.
"""

import argparse
import csv
import json
from dataclasses import replace
from pathlib import Path

import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store, task_card
from cmcseg.core.card import CleaningRule
from cmcseg.core.labelmap import LabelTable
from cmcseg.core.settings import TrainSettings
from cmcseg.data.cache import open_cache
from cmcseg.data.cohort import read_cohort
from cmcseg.data.prepare import prepare
from cmcseg.learn.loop import averaged, fit
from cmcseg.learn.validate import validate
from cmcseg.nets.build import build_network
from cmcseg.nets.transfer import transfer

ORGANS = ("liver", "spleen")
SPACING, WINDOW = (6.0, 6.0, 6.0), (48, 48, 32)


def the_card():
    """CT alone, liver and spleen, the shipped network on a grid of 6 mm."""
    card = task_card("abdomen")
    kept = [label for label in card.table if label.name in ORGANS]
    return replace(
        card,
        name="liver-spleen-ct",
        inputs=(card.input("ct"),),
        table=LabelTable(labels=tuple(replace(x, value=n) for n, x in enumerate(kept, 1))),
        grid=replace(card.grid, spacing=SPACING, window=WINDOW),
        cleaning=CleaningRule(),
    )


def the_cache(data, out, cases):
    if (out / "cache").exists():
        return open_cache(out / "cache")
    names = json.loads((data / "splits.json").read_text())["abdomen"]
    rows = {}
    for part in ("train", "validation"):
        rows[part] = [
            {
                "id": name,
                "ct": str(data / "abdomen" / "images" / f"{name}.nii.gz"),
                "ct_labels": str(data / "abdomen" / "labels" / f"{name}.nii.gz"),
            }
            for name in names[part]["ct"][: cases if part == "train" else None]
        ]
    labels = {"liver": 1, "spleen": 4, "background": [2, 3]}
    content = {"labels": labels, "training": rows["train"], "validation": rows["validation"]}
    out.mkdir(parents=True, exist_ok=True)
    (out / "cohort.json").write_text(json.dumps(content))
    card = the_card()
    return prepare(read_cohort(out / "cohort.json", card), card, out / "cache")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cases", type=int, default=8, help="training scans")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cache = the_cache(given.data, given.out, given.cases)
    shipped = load_bundle(default_store().base("abdomen-ct-mr"))
    rows = []
    for seed in given.seeds:
        settings = TrainSettings(steps=given.steps, seed=seed, device="cpu", check_every=25)
        torch.manual_seed(seed)
        fresh = build_network(cache.card).state_dict()
        taken = transfer(shipped.network.state_dict(), shipped.card, cache.card, fresh)
        for start, weights in (("shipped", taken.state), ("random", fresh)):
            folder = given.out / f"{start}-{seed}"
            state = fit(cache, settings, folder, initial=weights, validate_every=0)
            scores = validate(averaged(state, cache), cache, torch.device("cpu"))
            rows.append({"start": start, "seed": seed, "seconds": round(state.spent), **scores})
            print(taken.sentence(shipped.card.name) if start == "shipped" else "", rows[-1])
            with (given.out / "transfer.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
