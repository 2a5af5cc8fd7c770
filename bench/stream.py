"""A stream of corrected cases, as a clinic lives it: fine-tune after some, adopt if the gate says.

    python bench/stream.py DATA MODEL OUT [--order 0] [--after 1 2 5 10 20] [--minutes 10]

DATA is the folder with `splits.json`. For a model of hearts the cases of `heart.acdc.correct` come
one after another, each corrected to its truth; for one of abdomens the MRs of `abdomen.train` as
another scanner could have made them (`other_scanner.py`), each corrected by some marks alone. After
so many of them the model in use is fine-tuned by `fine_tune`, and the candidate is used from then
on if the verdict is `adopt`. A row of `OUT/stream-ORDER.csv` is written after every fine-tuning:
the verdict, minutes, and mean Dice by organ of the next cases before they are corrected (not where
marks alone are known), of validation cases of that hospital and of the old one, by the model that
never learned (`control`), the model in use and the candidate. The same command goes on after an
interruption. `--few` measures on that many cases of each set only; `--steps` ends the learning by
steps instead of time. `--ceiling` writes one row more: of a model that learned from the whole
stream at once, for `CEILING.steps`, and went all of the way.
"""

import argparse
import csv
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.core.case import Cohort, Pair, Scan
from cmcseg.core.settings import TrainSettings
from cmcseg.data.cache import open_cache
from cmcseg.data.prepare import prepare
from cmcseg.learn.comparisons import Past
from cmcseg.learn.finetune import VERDICT, FineTuneSettings, fine_tune
from cmcseg.learn.loop import fit
from cmcseg.learn.predictions import answer
from cmcseg.learn.scores import dice
from cmcseg.learn.stages import CANDIDATE, STEPS, apart, averaged_weights, lessons
from other_scanner import altered

CPU = torch.device("cpu")
NEXT = 5  # cases that come after, measured before they are corrected
CEILING = TrainSettings(steps=1800, rate=1e-3, optimizer="muon", moves="scans", augment=0.5,
                        average=0.99, phantoms=0.0, alone=1.0, device="cpu")  # fmt: skip


def run(options):
    torch.set_num_threads(options.threads)
    bundle = load_bundle(default_store().find(options.model))
    splits = json.loads((options.data / "splits.json").read_text())
    if "mr" in bundle.card.roles:
        stream, sets = abdomens(options.data / "abdomen", splits["abdomen"], options.out / "scans")
    else:
        stream, sets = hearts(options.data / "heart", splits["heart"])
    if options.order:
        chance = np.random.default_rng(options.order).permutation(len(stream))
        stream = [stream[k] for k in chance]
    few = options.few or len(stream)
    sets = {name: pairs[:few] for name, pairs in sets.items()}
    measured = (*stream, *sets["validation"], *sets["home"])
    everything = Cohort(name="stream", roles=bundle.card.roles, table=bundle.card.table,
                        train=(), validation=measured)  # fmt: skip
    place = options.out / "cache"
    cache = open_cache(place) if place.exists() else prepare(everything, bundle.card, place)
    if options.ceiling:
        best = at_once(bundle, cache, stream, options.out)
        row = {"order": "ceiling", "cases": len(stream)}
        row |= qualities({"control": bundle, "candidate": best}, cache, sets)
        append(row, options.out / "stream-ceiling.csv")
        return
    control, past = bundle, None
    for cases in options.after:
        work = options.out / f"order-{options.order}-after-{cases}"
        cohort = replace(everything, train=tuple(stream[:cases]), validation=())
        settings = FineTuneSettings(minutes=options.minutes, device="cpu", steps=options.steps)
        handed, began = [], time.monotonic()
        fresh = not (work / VERDICT).exists()
        verdict = fine_tune(bundle, cohort, work, settings, past=past, hand_on=handed.append)
        minutes = (time.monotonic() - began) / 60
        if handed:
            (work / "handed.json").write_text(json.dumps(handed[0]))
        candidate = load_bundle(work / CANDIDATE) if (work / CANDIDATE).exists() else bundle
        if fresh:
            coming = dict(sets)
            if not any(scan.scribbles for scan in stream[0].scans.values()):
                coming["next"] = stream[cases : cases + min(few, NEXT)]
            row = {"order": options.order, "cases": cases, "minutes": f"{minutes:.1f}"}
            row |= {"verdict": verdict["verdict"], "compared": verdict["real_cases"]}
            row |= {"mean change": verdict["mean_change"], "error gone": verdict["error_gone"]}
            row |= {"error gone at worst": verdict["error_gone_at_worst"]}
            row |= {"way": verdict["way"], "left out": len(verdict["left_out"])}
            asked = {"control": control, "in use": bundle, "candidate": candidate}
            row |= qualities(asked, cache, coming)
            append(row, options.out / f"stream-{options.order}.csv")
            print(row, flush=True)
        past = Past.from_dict(json.loads((work / "handed.json").read_text()))
        if verdict["verdict"] == "adopt":
            record = {"learned_from": verdict["learned_from"]}
            card = replace(candidate.card, history=(*bundle.card.history, record))
            bundle, past = replace(candidate, card=card), None


def at_once(bundle, cache, pairs, out):
    """What the same network can reach on such scans: it learns from all of them, in one go."""
    bundle = apart(bundle)
    ids = {pair.id for pair in pairs}
    scans = tuple(replace(s, split="train") if s.pair in ids else s for s in cache.scans)
    taught = lessons(replace(cache, scans=scans, card=bundle.card), tuple(ids), out / "own")
    fit(taught, CEILING, out / "ceiling", initial=bundle.network.state_dict(), validate_every=0)
    bundle.network.load_state_dict(averaged_weights(out / "ceiling"))
    return bundle


def hearts(heart, splits):
    """The cases of another hospital as they come, and those that are measured on."""
    sets = {
        "validation": [strange(heart, name) for name in splits["acdc"]["validation"]],
        "home": [known(heart, name) for name in splits["validation"]["dense_both"]],
    }
    return [strange(heart, name) for name in splits["acdc"]["correct"]], sets


def abdomens(place, splits, out):
    """The same of abdomens: marks to learn from, label maps to measure on."""
    files = {
        name: (place / "images" / f"{name}.nii.gz", place / "labels" / f"{name}.nii.gz")
        for part in ("train", "validation")
        for names in splits[part].values()
        for name in names
    }

    def scan_of(name, role, image, **annotation):
        return Pair(id=name, scans={role: Scan(role=role, image=image, **annotation)})

    stream, there = [], []
    for seed, name in enumerate(splits["train"]["mr"]):
        image, labels, marks = altered(*files[name], out, seed)
        stream.append(scan_of(f"a{name}", "mr", image, scribbles=marks))
    for seed, name in enumerate(splits["validation"]["mr"]):
        image, labels, _ = altered(*files[name], out, seed)
        there.append(scan_of(f"a{name}", "mr", image, labels=labels))
    home = [
        scan_of(f"h{name}", role, files[name][0], labels=files[name][1])
        for role, names in splits["validation"].items()
        for name in names
    ]
    return stream, {"validation": there, "home": home}


def strange(heart, name):
    place = heart / "acdc"
    labels = place / "labels" / f"{name}.nii.gz"
    image = place / "images" / f"{name}_bssfp.nii.gz"
    return Pair(id=f"a{name}", scans={"bssfp": Scan(role="bssfp", image=image, labels=labels)})


def known(heart, name):
    scans = {
        role: Scan(
            role=role,
            image=heart / "images" / f"{name}_{role}.nii.gz",
            labels=heart / "labels" / f"{name}_{role}.nii.gz",
        )
        for role in ("bssfp", "lge")
    }
    return Pair(id=f"h{name}", scans=scans)


def qualities(bundles, cache, sets):
    return {
        f"{which} {name}": value
        for which, one in bundles.items()
        for name, value in quality(one, cache, sets).items()
    }


def quality(bundle, cache, sets):
    """Mean Dice by "set role organ", on the working grid."""
    found = {}
    for name, pairs in sets.items():
        ids = {pair.id for pair in pairs}
        for scan in (scan for scan in cache.scans if scan.pair in ids):
            said = answer(bundle.network.eval(), cache.card, scan, CPU).labels
            truth = np.load(scan.labels)
            for label in cache.card.table:
                value = dice(said, truth, label.value)
                found.setdefault(f"{name} {scan.role} {label.name}", []).append(value)
    return {name: f"{np.nanmean(values):.4f}" for name, values in found.items()}


def append(row, path):
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("model", help="name or folder of the model to start from")
    parser.add_argument("out", type=Path)
    parser.add_argument("--order", type=int, default=0, help="0: as listed; else a shuffle's seed")
    parser.add_argument("--after", type=int, nargs="+", default=[1, 2, 5, 10, 20])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--few", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ceiling", action="store_true")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
