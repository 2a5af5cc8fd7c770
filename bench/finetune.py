"""What corrections bring: Dice on the validation cases against corrected pairs and minutes.

    python bench/finetune.py COHORT MODEL OUT --labelled 0.1 --corrections 1 2 4 8
    python bench/finetune.py COHORT MODEL OUT --labelled 0.1 --scan bssfp --folder

MODEL was trained on a share of COHORT's training scans, drawn by `--labelled` and `--seed` as
`cmcseg train` draws them; it has never seen the labels of the others. These stand for what a user
would correct: for every number of corrections the model is fine-tuned by `fine_tune`, as the
program does it. `--scan` corrects one scan of each pair only and leaves the other one to the
model. Where the scans of a cohort are of different subjects, their roles take turns. `--folder`
gives it the training pairs that neither it nor the user has labelled, as `cmcseg finetune --folder`
does. `--corrections 0 --folder` is the control: what rehearsing does by itself.

A row of `OUT/finetune.csv` is one fine-tuning, written when it is done. The same command goes on
after an interruption; other numbers, scans, steps and seeds may join later. Steps are given, not
minutes, so that a busy machine teaches nothing less; the minutes of one core are measured. What
`bench/corrections.py` shows are such files, copied to `docs/measured`.
"""

import argparse
import csv
import json
import time
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import numpy as np
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.core.progress import ignore
from cmcseg.core.settings import TrainSettings
from cmcseg.data.batches import labelled_batches
from cmcseg.data.cache import INDEX, open_cache
from cmcseg.data.cohort import read_cohort
from cmcseg.data.phantom_cases import write_phantoms
from cmcseg.data.prepare import prepare
from cmcseg.learn import finetune
from cmcseg.learn.comparisons import Past
from cmcseg.learn.finetune import CANDIDATE, FineTuneSettings, fine_tune
from cmcseg.learn.predictions import answer
from cmcseg.learn.rounds import Round
from cmcseg.learn.scores import dice
from cmcseg.learn.stages import WAYS, Stages

ROWS, CACHE = "finetune.csv", "cache"
EVERY, NONE = "every", "none"  # in place of a role: all scans are corrected; the start model
WITH, WITHOUT = "with", "without"  # a folder of scans that nobody has labelled
KEY = ("seed", "scan", "folder", "corrections", "steps")
FACTS = ("cpu_s", "wall_s", "verdict", "left_out", "pairs", "threads")
AMPLE = 600.0  # minutes: the steps decide
CPU = torch.device("cpu")


def run(options):
    """Measure the start model, then every fine-tuning that has no row yet."""
    torch.set_num_threads(options.threads)
    bundle = load_bundle(default_store().find(options.model))
    cohort = read_cohort(options.cohort, bundle.card)
    cache = prepared(cohort, bundle.card, options.out / CACHE)
    strange = unseen(cache, cohort, options.labelled, options.seed)
    order = in_turn(strange, cohort.roles, options.scan)
    folder = WITH if options.folder else WITHOUT
    if not done((str(options.seed), NONE, WITHOUT, "0", "0"), options.out):
        facts = dict(zip(KEY, (options.seed, NONE, WITHOUT, 0, 0), strict=True))
        append({**facts, **dict.fromkeys(FACTS, ""), **measured(bundle, cache)}, options.out)
    for steps in options.steps:
        for corrections in options.corrections:
            key = (str(options.seed), options.scan, folder, str(corrections), str(steps))
            if done(key, options.out):
                continue
            if corrections > len(order):
                raise SystemExit(f"{corrections} corrections are wanted, {len(order)} are there.")
            print(*key, flush=True)
            work = options.out / "-".join(("work", *key))
            rmtree(work, ignore_errors=True)  # an interrupted one begins again: its time is true
            corrected = order[:corrections]
            others = [p for p in strange if p not in corrected] if options.folder else []
            lesson = taught(cohort, corrected, options.scan, others)
            row = learned(bundle, lesson, cache, work, steps, options.seed)
            append({**dict(zip(KEY, key, strict=True)), **row}, options.out)
            rmtree(work)


def prepared(cohort, card, folder):
    """All scans and the phantoms of a fine-tuning on the working grid, once for all of them."""
    if folder.exists():
        return open_cache(folder)
    files, plan = folder.with_name("phantoms"), FineTuneSettings()
    compare = write_phantoms(card, files, 0, plan.compare, ignore)
    learn = write_phantoms(card, files, 100, plan.rehearse, ignore)
    both = replace(cohort, train=(*cohort.train, *learn), validation=(*cohort.validation, *compare))
    cache = prepare(both, card, folder)
    rmtree(files)
    return cache


def unseen(cache, cohort, labelled, seed):
    """Training pairs that the start model has no label of, in the order of chance."""
    real = replace(cache, scans=tuple(s for s in cache.scans if not s.phantom))
    batches = labelled_batches(real, TrainSettings(labelled=labelled, seed=seed))
    seen = {s.pair for scans in batches.scans for s in scans}
    chance = np.random.default_rng((seed, 11)).permutation(len(cohort.train))
    return [cohort.train[i] for i in chance if cohort.train[i].id not in seen]


def in_turn(pairs, roles, scan):
    """The order that pairs are corrected in: complete ones, or else the roles in turn.

    Densely labelled pairs come first, as a correction in the program is dense.
    """
    complete = [pair for pair in pairs if len(pair.scans) == len(roles)]
    if not complete:
        alone = [[pair for pair in pairs if role in pair.scans] for role in roles]
        complete = [pair for turn in zip(*alone, strict=False) for pair in turn]
    if scan != EVERY:
        complete = [pair for pair in complete if scan in pair.scans]
    return sorted(complete, key=lambda pair: not dense(pair))


def dense(pair):
    return all(scan.labels for scan in pair.scans.values())


def taught(cohort, pairs, scan, others):
    """The cohort as a queue and a folder would give it.

    ``pairs`` are corrected in the one scan or in all; nobody has labelled the ``others``.
    """
    roles = cohort.roles if scan == EVERY else (scan,)
    return replace(
        cohort,
        train=(
            *(labelled_in(pair, roles) for pair in pairs),
            *(labelled_in(pair, ()) for pair in others),
        ),
    )


def labelled_in(pair, roles):
    """The pair with its labels in these scans only."""
    scans = {
        role: one if role in roles else replace(one, labels=None, scribbles=None)
        for role, one in pair.scans.items()
    }
    return replace(pair, scans=scans)


def learned(bundle, cohort, cache, work, steps, seed):
    """One fine-tuning: what happened, and Dice of the new model, or the old one without any."""
    share_cache(cache, cohort, work / CACHE)
    cpu, wall = time.process_time(), time.monotonic()
    settings = FineTuneSettings(minutes=AMPLE, steps=steps, device="cpu", seed=seed)
    corrected = any(pair.is_labelled for pair in cohort.train)
    teach = fine_tune if corrected else rehearse
    verdict = teach(bundle, cohort, work, settings)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    made = (work / CANDIDATE).exists()
    return {
        "cpu_s": f"{cpu:.1f}",
        "wall_s": f"{wall:.1f}",
        "verdict": verdict["verdict"],
        "left_out": " ".join(verdict["left_out"]),
        "pairs": " ".join(pair.id for pair in cohort.train if pair.is_labelled),
        "threads": torch.get_num_threads(),
        **measured(load_bundle(work / CANDIDATE) if made else bundle, cache),
    }


def rehearse(bundle, cohort, work, settings):  # noqa: ARG001
    """The control: the same learning where nobody has corrected anything."""
    cache = open_cache(work / CACHE)
    stages = Stages(
        bundle=bundle, folder=work, settings=settings, past=Past(), device=CPU, report=ignore
    )
    scans = [scan for scan in cache.scans if scan.split == "train"]
    said = stages.ask(bundle, scans, cache.card, "")
    lessons = finetune._without(cache, {}, said, work, frozenset())
    alone = Round(learn=(), judge=(), share=1.0)
    weights = stages.learn(lessons, alone, True, 0, settings.minutes, stages.starting_weights())
    stages.candidate(weights, WAYS[0])
    return {"verdict": "-", "left_out": {}}


def share_cache(cache, cohort, folder):
    """A cache of a fine-tuning's own that points to the arrays of the shared one."""
    index = json.loads((cache.folder / INDEX).read_text(encoding="utf-8"))
    pairs = {pair.id: pair for pair in cohort.train}
    rows = []
    for row, scan in zip(index["scans"], cache.scans, strict=True):
        if scan.split == "train" and scan.pair not in pairs and not scan.phantom:
            continue
        hidden = scan.pair in pairs and not pairs[scan.pair].scans[scan.role].annotation
        labels = str(scan.labels.resolve()) if scan.labels and not hidden else None
        rows.append({**row, "image": str(scan.image.resolve()), "labels": labels})
    folder.mkdir(parents=True)
    (folder / INDEX).write_text(json.dumps({**index, "scans": rows}), encoding="utf-8")


def measured(bundle, cache):
    """Dice by "role/organ/case" on the real validation scans."""
    found = {}
    for scan in cache.scans:
        if scan.split != "validation" or scan.phantom or scan.labels is None:
            continue
        said = answer(bundle.network.eval(), cache.card, scan, CPU).labels
        truth = np.load(scan.labels)
        for label in cache.card.table:
            value = dice(said, truth, label.value)
            found[f"{scan.role}/{label.name}/{scan.pair}"] = f"{value:.4f}"
    return found


def read_rows(folder):
    path = folder / ROWS
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def done(key, folder):
    return any(tuple(row[name] for name in KEY) == key for row in read_rows(folder))


def append(row, folder):
    path = folder / ROWS
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("model", help="name or folder of the model to start from")
    parser.add_argument("out", type=Path)
    parser.add_argument("--labelled", type=float, default=0.1, help="share MODEL learned from")
    parser.add_argument("--seed", type=int, default=0, help="MODEL's, and of everything here")
    parser.add_argument("--scan", default=EVERY, help="role that is corrected")
    parser.add_argument("--folder", action="store_true", help="give the unlabelled pairs, too")
    parser.add_argument("--corrections", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--steps", type=int, nargs="+", default=[100])
    parser.add_argument("--threads", type=int, default=1)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
