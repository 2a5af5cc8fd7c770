"""What corrections bring: Dice on the validation cases against corrected pairs and minutes.

    python bench/finetune.py run COHORT MODEL OUT --labelled 0.1 --corrections 1 2 4 8
    python bench/finetune.py run COHORT MODEL OUT --labelled 0.1 --scan bssfp
    python bench/finetune.py show OUT [OUT ...] --figures docs/figures

MODEL was trained on a share of COHORT's training scans, drawn by `--labelled` and `--seed` as
`cmcseg train` draws them; it has never seen the labels of the others. These stand for what a user
would correct: for every number of corrections the model is fine-tuned by `fine_tune`, as the
program does it. `--scan` corrects one scan of each pair only and leaves the other one to the
model. Where the scans of a cohort are of different subjects, their roles take turns.

A row of `OUT/finetune.csv` is one fine-tuning, written when it is done. The same command goes on
after an interruption; other numbers, scans, steps and seeds may join later. Steps are given, not
minutes, so that a busy machine teaches nothing less; the minutes of one core are measured.
"""

import argparse
import csv
import json
import time
from collections import Counter
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
from cmcseg.data.prepare import prepare
from cmcseg.data.rendered import write_phantoms
from cmcseg.learn.answers import answer
from cmcseg.learn.finetune import CANDIDATE, FineTuneSettings, fine_tune
from cmcseg.learn.scores import dice
from cmcseg.study.findings import estimate
from matplotlib.figure import Figure

HEADER = (
    "scan",
    "corrected",
    "corrections",
    "steps",
    "core minutes",
    "seeds",
    "Dice",
    "change",
    "verdict",
)
ROWS, CACHE = "finetune.csv", "cache"
EVERY, NONE = "every", "none"  # in place of a role: all scans are corrected; the start model
KEY = ("seed", "scan", "corrections", "steps")
FACTS = ("cpu_s", "wall_s", "verdict", "left_out", "pairs", "threads")
AMPLE = 600.0  # minutes: the steps decide
CPU = torch.device("cpu")


def run(options):
    """Measure the start model, then every fine-tuning that has no row yet."""
    torch.set_num_threads(options.threads)
    bundle = load_bundle(default_store().find(options.model))
    cohort = read_cohort(options.cohort, bundle.card)
    cache = prepared(cohort, bundle.card, options.out / CACHE)
    order = unseen(cache, cohort, options.scan, options.labelled, options.seed)
    if not done((str(options.seed), NONE, "0", "0"), options.out):
        facts = dict(zip(KEY, (options.seed, NONE, 0, 0), strict=True))
        append({**facts, **dict.fromkeys(FACTS, ""), **measured(bundle, cache)}, options.out)
    for steps in options.steps:
        for corrections in options.corrections:
            key = (str(options.seed), options.scan, str(corrections), str(steps))
            if done(key, options.out):
                continue
            if corrections > len(order):
                raise SystemExit(f"{corrections} corrections are wanted, {len(order)} are there.")
            print(*key, flush=True)
            work = options.out / "-".join(("work", *key))
            rmtree(work, ignore_errors=True)  # an interrupted one begins again: its time is true
            lesson = taught(cohort, order[:corrections], options.scan)
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


def unseen(cache, cohort, scan, labelled, seed):
    """Training pairs that the start model has no label of, in the order they are corrected in.

    Densely labelled pairs come first, as a correction in the program is dense.
    """
    real = replace(cache, scans=tuple(s for s in cache.scans if not s.phantom))
    batches = labelled_batches(real, TrainSettings(labelled=labelled, seed=seed))
    seen = {s.pair for scans in batches.scans for s in scans}
    chance = np.random.default_rng((seed, 11)).permutation(len(cohort.train))
    pairs = [cohort.train[i] for i in chance if cohort.train[i].id not in seen]
    complete = [pair for pair in pairs if len(pair.scans) == len(cohort.roles)]
    if not complete:
        roles = [[p for p in pairs if role in p.scans] for role in cohort.roles]
        complete = [pair for turn in zip(*roles, strict=False) for pair in turn]
    if scan != EVERY:
        complete = [pair for pair in complete if scan in pair.scans]
    return sorted(complete, key=lambda pair: not dense(pair))


def dense(pair):
    return all(scan.labels for scan in pair.scans.values())


def taught(cohort, pairs, scan):
    """The cohort as a queue would give it: these pairs, corrected in the one scan or in all."""
    return replace(
        cohort,
        train=tuple(
            replace(
                pair,
                scans={
                    role: one if scan in (EVERY, role) else without(one)
                    for role, one in pair.scans.items()
                },
            )
            for pair in pairs
        ),
    )


def without(scan):
    return replace(scan, labels=None, scribbles=None)


def learned(bundle, cohort, cache, work, steps, seed):
    """One fine-tuning: what happened, and Dice of the new model, or the old one without any."""
    share_cache(cache, cohort, work / CACHE)
    cpu, wall = time.process_time(), time.monotonic()
    settings = FineTuneSettings(minutes=AMPLE, steps=steps, device="cpu", seed=seed)
    verdict = fine_tune(bundle, cohort, work, settings)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    made = (work / CANDIDATE).exists()
    return {
        "cpu_s": f"{cpu:.1f}",
        "wall_s": f"{wall:.1f}",
        "verdict": verdict["verdict"],
        "left_out": " ".join(verdict["left_out"]),
        "pairs": " ".join(pair.id for pair in cohort.train),
        "threads": torch.get_num_threads(),
        **measured(load_bundle(work / CANDIDATE) if made else bundle, cache),
    }


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


def show(options):
    """Print the table of all rows and draw the figures."""
    corrections, minutes = {}, {}
    print("| " + " | ".join(HEADER) + " |\n" + "|---" * len(HEADER) + "|")
    for folder in options.out:
        rows = read_rows(folder)
        for role in dict.fromkeys(name.split("/")[0] for name in rows[0] if "/" in name):
            for line in lines(rows, role):
                print("| " + " | ".join(line) + " |")
            corrections[role] = by_corrections(rows, role, options.steps)
            minutes[role] = by_minutes(rows, role)
    options.figures.mkdir(parents=True, exist_ok=True)
    draw(corrections, options.figures / "finetune-corrections.png", "corrections")
    draw(minutes, options.figures / "finetune-minutes.png", "minutes of one core")


def lines(rows, role):
    """The cells of a table's lines: what was corrected, and what it brought to one role."""
    start = [row for row in rows if row["scan"] == NONE]
    yield [role, "-", "0", "0", "-", str(len(start)), f"{mean(by_case(start, role)):.3f}", "-", "-"]
    for (scan, count, steps), some in groups(rows).items():
        before, after = paired(rows, role, some)
        verdicts = Counter(row["verdict"] for row in some)
        yield [
            role,
            scan,
            count,
            steps,
            f"{minutes_of(some):.1f}",
            str(len(some)),
            f"{mean(after):.3f}",
            estimate(after[case] - before[case] for case in after).told(signed=True),
            ", ".join(f"{number} {word}" for word, number in verdicts.items()),
        ]


def groups(rows):
    """Rows that differ by seed only, by what was corrected, how many, and the steps."""
    found = {}
    for row in rows:
        if row["scan"] != NONE:
            found.setdefault((row["scan"], row["corrections"], row["steps"]), []).append(row)
    order = sorted(found, key=lambda key: (key[0], int(key[2]), int(key[1])))
    return {key: found[key] for key in order}


def by_corrections(rows, role, steps):
    """A curve for every scan corrected, and one for each scan of the pair corrected alone."""
    curves = {}
    for (scan, count, taken), some in groups(rows).items():
        if int(taken) == steps:
            name = f"{scan} scan corrected" if scan == EVERY else f"only {scan} corrected"
            start, point = points(rows, role, some, float(count))
            curves.setdefault(name, [start]).append(point)
    return curves


def by_minutes(rows, role):
    """A curve for each number of corrections, every scan corrected."""
    curves = {}
    for (scan, count, _), some in sorted(groups(rows).items(), key=lambda one: int(one[0][1])):
        if scan == EVERY:
            start, point = points(rows, role, some, minutes_of(some))
            curves.setdefault(f"{count} corrected", [start]).append(point)
    return curves


def points(rows, role, some, x):
    """Where the start model is, and what became of it at ``x``."""
    before, after = paired(rows, role, some)
    change = estimate(after[case] - before[case] for case in after)
    return (0.0, mean(before), 0.0), (x, mean(after), change.half)


def draw(panels, path, along):
    """A panel per scan; bars are the 95 % interval of the change over the validation cases."""
    figure = Figure(figsize=(3.4 * len(panels), 3.8), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for panel, (role, curves) in zip(axes, panels.items(), strict=True):
        for name, found in curves.items():
            x, y, half = zip(*sorted(found), strict=True)
            panel.errorbar(x, y, half, marker="o", markersize=4, capsize=2, label=name)
        panel.set(title=role, xlabel=along)
        panel.grid(axis="y", alpha=0.3)
        panel.legend(fontsize=7, loc="lower right")
    axes[0].set_ylabel("Dice, 95 % interval of the change over cases")
    figure.savefig(path, dpi=110)


def paired(rows, role, some):
    """Dice by validation case before and after, mean over the organs and the seeds of ``some``."""
    seeds = {row["seed"] for row in some}
    start = [row for row in rows if row["scan"] == NONE and row["seed"] in seeds]
    return by_case(start, role), by_case(some, role)


def by_case(rows, role):
    values = {}
    for row in rows:
        for name, value in row.items():
            if name.startswith(f"{role}/") and value != "nan":
                values.setdefault(name.split("/")[2], []).append(float(value))
    return {case: float(np.mean(found)) for case, found in values.items()}


def mean(by_case):
    return float(np.mean(list(by_case.values())))


def minutes_of(rows):
    """Of one core, from the start to a verdict, without preparing the scans."""
    return float(np.mean([float(row["cpu_s"]) for row in rows])) / 60


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(required=True)
    measure = verbs.add_parser("run", help="fine-tune, one row each")
    measure.add_argument("cohort", type=Path)
    measure.add_argument("model", help="name or folder of the model to start from")
    measure.add_argument("out", type=Path)
    measure.add_argument("--labelled", type=float, default=0.1, help="share MODEL learned from")
    measure.add_argument("--seed", type=int, default=0, help="MODEL's, and of everything here")
    measure.add_argument("--scan", default=EVERY, help="role that is corrected")
    measure.add_argument("--corrections", type=int, nargs="+", default=[1, 2, 4, 8])
    measure.add_argument("--steps", type=int, nargs="+", default=[100])
    measure.add_argument("--threads", type=int, default=1)
    measure.set_defaults(verb=run)
    table = verbs.add_parser("show", help="print the table, draw the figures")
    table.add_argument("out", type=Path, nargs="+")
    table.add_argument("--figures", type=Path, default=Path("docs/figures"))
    table.add_argument("--steps", type=int, default=100, help="of the curves by corrections")
    table.set_defaults(verb=show)
    options = parser.parse_args()
    options.verb(options)


if __name__ == "__main__":
    main()
