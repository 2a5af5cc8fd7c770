"""What a stroke brings: smart correction beside painting, growing from seeds and filling.

    python bench/strokes.py look DATA FOLDER --sets acdc-validation heart abdomen
    python bench/strokes.py measure FOLDER --sets acdc-validation heart abdomen
    python bench/strokes.py table

DATA holds real scans with labels and `splits.json`. `look` runs the shipped models once and keeps
what they see in FOLDER, an ignored one. `measure` lets the simulated user of `stroke_user.py`
correct every scan with each tool in turn, ten strokes per organ, and writes a row per scan, organ,
tool and number of strokes to `docs/measured/strokes.csv`; the user always takes what is proposed.
The user follows the same rule with every tool, and so draws the same strokes until the results
differ. `table` fills the table in docs/results.md.

Painting uses a brush of 3 mm. *Grow from seeds* is Slicer's own, over seeds that a user would
have: the present organs and the background without their rims of 4 mm, and all strokes. *Fill
between slices* is Slicer's own, over the strokes painted so far of one organ.
"""

import argparse
import csv
import json
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.core.grid import Grid
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.imaging.surface_distance import hausdorff95
from cmcseg.learn.scores import dice
from cmcseg.predict.propose import propose
from cmcseg.predict.scan_memory import ScanMemory, look
from cmcseg.predict.segment import segment
from stroke_tools import fill_between, grow, paint
from stroke_user import Case, correct

DOCS = Path(__file__).parents[1] / "docs"
ROWS, RESULTS = DOCS / "measured" / "strokes.csv", DOCS / "results.md"
BEGIN, END = "<!-- strokes: made by bench/strokes.py table -->", "<!-- strokes end -->"
SETS = {
    "acdc-validation": "Hearts of another hospital, heart 0.5.1:",
    "abdomen": "Abdomens of the model's own hospitals, abdomen 0.6.0:",
    "heart": "Hearts of the model's own hospital, heart 0.5.1:",
}
MARGIN_MM = 45.0  # kept around what is labelled or found
AFTER = (0, 1, 3, 5, 10)
MODELS = {"heart": "heart-bssfp-lge", "acdc": "heart-bssfp-lge", "abdomen": "abdomen-ct-mr"}
HEADER = ("set", "scan", "tool", "strokes", "organ", "dice", "hd95_mm", "harm")
HEADER += ("seconds", "worst", "memory_mb")
PROCESS = Path("/proc/self")


def scans_of(data, name):
    """Scans of a set: ``(name, role, image, labels)``."""
    splits = json.loads((data / "splits.json").read_text(encoding="utf-8"))
    what, _, part = name.partition("-")
    if what == "acdc":
        folder = data / "heart" / "acdc"
        for patient in splits["heart"]["acdc"][part or "validation"]:
            yield f"{patient}_bssfp", "bssfp", folder / "images", f"{patient}.nii.gz"
    elif what == "heart":
        for patient in splits["heart"][part or "validation"]["dense_both"]:
            for role in ("bssfp", "lge"):
                yield (
                    f"{patient}_{role}",
                    role,
                    data / "heart" / "images",
                    f"{patient}_{role}.nii.gz",
                )
    else:
        for role, cases in splits["abdomen"][part or "validation"].items():
            for case in cases:
                yield case, role, data / "abdomen" / "images", f"{case}.nii.gz"


def look_at(options):
    """Segment every scan, and keep what the model sees of it."""
    torch.set_num_threads(options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.sets:
        bundle = load_bundle(default_store().find(MODELS[name.partition("-")[0]]))
        for scan, role, images, labels in list(scans_of(options.data, name))[: options.most]:
            path = options.folder / f"{name}.{scan}.npz"
            if path.exists():
                continue
            volume = read_volume(images / f"{scan}.nii.gz")
            truth = read_label_map(images.with_name("labels") / labels, bundle.card.table)
            found = segment({role: volume}, bundle).labels[role]
            memory = look(volume, role, bundle, "cpu")
            write_case(path, memory, found.array, truth.array)
            print(path.stem, truth.array.shape, flush=True)


def write_case(path, memory, found, truth):
    """Keep the part of a scan around its organs."""
    places = np.argwhere((found > 0) | (truth > 0))
    margin = np.ceil(MARGIN_MM / np.array(memory.grid.spacing)).astype(int)
    low = np.maximum(places.min(axis=0) - margin, 0)
    high = np.minimum(places.max(axis=0) + margin + 1, truth.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    shift = np.eye(4)
    shift[:3, 3] = low
    np.savez(
        path,
        image=memory.image[box],
        probabilities=memory.probabilities,
        features=memory.features,
        to_working=memory.to_working @ shift,
        patch=np.array(memory.patch),
        affine=memory.grid.affine @ shift,
        found=found[box],
        truth=truth[box],
    )


def by_name(folder, sets):
    return [path for name in sets for path in sorted(folder.glob(f"{name}.*.npz"))]


def read_cases(paths):
    """The cases that `look` kept."""
    for path in paths:
        name, scan = path.stem.split(".", 1)
        card = default_store().card(MODELS[name.partition("-")[0]])
        with np.load(path) as kept:
            grid = Grid(shape=kept["found"].shape, affine=kept["affine"])
            memory = ScanMemory(
                grid=grid,
                image=kept["image"],
                probabilities=kept["probabilities"],
                features=kept["features"],
                to_working=kept["to_working"],
                patch=tuple(kept["patch"].tolist()),
            )
            yield Case(
                name=scan,
                set=name,
                memory=memory,
                found=kept["found"],
                truth=kept["truth"],
                table=card.table,
            )


def smart(case):
    """What the program itself proposes."""

    def one(now, mark, earlier):
        box = mark.box(case.grid)
        out = now.copy()
        out[box] = propose(case.memory, now[box], box, mark, earlier)
        return out

    return one


TOOLS = {
    "painting": paint,
    "grow from seeds": grow,
    "fill between slices": fill_between,
    "mark": smart,
}


def measure(options):
    """Every scan with every tool; a scan that has its rows already is passed over."""
    torch.set_num_threads(options.threads)
    for path in by_name(options.folder, options.sets):
        if options.scans and path.stem.split(".", 1)[1] not in options.scans:
            continue
        for case in read_cases([path]):
            for tool in options.tools:
                for hand in options.hands:
                    title = tool if hand == "careful" else f"{tool}, {hand}"
                    if not is_done(case, title, options.out):
                        append(rows_of(case, tool, title, hand, options.rounds), options.out)
                        print(case.set, case.name, title, flush=True)


def rows_of(case, tool, title, hand, rounds):
    """Dice, distance and harm after some strokes; what they cost, user and look aside."""
    rows, seconds, memory = [], [], []
    apply = TOOLS[tool](case)

    def timed(now, mark, earlier):
        before, started = resident_mb("VmRSS"), time.process_time()
        (PROCESS / "clear_refs").write_text("5")  # the peak starts anew
        out = apply(now, mark, earlier)
        seconds.append(time.process_time() - started)
        memory.append(resident_mb("VmHWM") - before)
        return out

    def seen(number, now):
        if number not in AFTER:
            return
        for label in case.table:
            mine, truth = now == label.value, case.truth == label.value
            before = case.found == label.value
            rows.append(
                {
                    "set": case.set,
                    "scan": case.name,
                    "tool": title,
                    "strokes": number,
                    "organ": label.name,
                    "dice": f"{dice(now, case.truth, label.value):.4f}",
                    "hd95_mm": f"{hausdorff95(mine, truth, case.grid):.2f}",
                    "harm": int(((before == truth) & (mine != truth)).sum()),
                    "seconds": f"{median(seconds):.3f}" if seconds else "",
                    "worst": f"{max(seconds):.3f}" if seconds else "",
                    "memory_mb": f"{max(memory):.0f}" if memory else "",
                }
            )

    sloppy = np.random.default_rng(1) if hand == "sloppy" else None
    correct(case, timed, rounds, seen, sloppy)
    return rows


def resident_mb(what):
    """Memory of this process in MB, as Linux tells it."""
    lines = (PROCESS / "status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def read_rows(path):
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def is_done(case, title, path):
    key = (case.set, case.name, title)
    return any((row["set"], row["scan"], row["tool"]) == key for row in read_rows(path))


def append(rows, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, HEADER, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)


def table(options):
    """Fill the table in docs/results.md, a row a set and tool."""
    rows = read_rows(options.out)
    parts = [
        f"{title}\n\n{set_table([row for row in rows if row['set'] == name])}"
        for name, title in SETS.items()
        if any(row["set"] == name for row in rows)
    ]
    text = RESULTS.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    filled = "\n\n".join([BEGIN, *parts, END])
    RESULTS.write_text(f"{before}{filled}{after}", encoding="utf-8")


def set_table(rows):
    heads = ["tool", *(f"Dice after {n}" for n in AFTER), "error left after 5"]
    heads += [f"HD95 (mm) after {', '.join(map(str, AFTER))}", "harmed voxels after 5"]
    heads += ["scans and organs worse", "s a stroke", "s at worst", "MB more at most"]
    lines = []
    for tool in dict.fromkeys(row["tool"] for row in rows):
        mine = [row for row in rows if row["tool"] == tool]
        at = {n: [row for row in mine if row["strokes"] == str(n)] for n in AFTER}
        at = {n: found for n, found in at.items() if len(found) == len(at[0])}
        scores = {n: mean(found, "dice") for n, found in at.items()}
        worse = sum(
            float(b["dice"]) < float(a["dice"]) - 1e-4 for a, b in zip(at[0], at[5], strict=True)
        )
        lines.append(
            [
                tool,
                *(f"{scores[n]:.3f}" if n in scores else "-" for n in AFTER),
                f"{(1 - scores[5]) / (1 - scores[0]):.0%}",
                ", ".join(f"{mean(at[n], 'hd95_mm'):.1f}" if n in at else "-" for n in AFTER),
                f"{mean(at[5], 'harm'):.0f}",
                f"{worse} of {len(at[5])}",
                f"{median(float(row['seconds']) for row in at[5]):.2f}",
                f"{max(float(row['worst']) for row in at[5]):.2f}",
                f"{max(int(row['memory_mb']) for row in at[5])}",
            ]
        )
    rule = ["---"] * len(heads)
    return "\n".join("| " + " | ".join(line) + " |" for line in [heads, rule, *lines])


def mean(rows, what):
    known = [float(row[what]) for row in rows if np.isfinite(float(row[what]))]
    return float(np.mean(known))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(required=True)
    for call, name, words in (
        (look_at, "look", ["data", "folder"]),
        (measure, "measure", ["folder"]),
        (table, "table", []),
    ):
        verb = verbs.add_parser(name)
        verb.set_defaults(call=call)
        for word in words:
            verb.add_argument(word, type=Path)
        if words:
            verb.add_argument("--sets", nargs="+", required=True)
            verb.add_argument("--threads", type=int, default=1)
        if name == "measure":
            verb.add_argument("--scans", nargs="+", help="only these")
            verb.add_argument("--tools", nargs="+", default=list(TOOLS))
            verb.add_argument("--rounds", type=int, default=max(AFTER), help="strokes per organ")
            verb.add_argument("--hands", nargs="+", default=["careful"])
        if name == "look":
            verb.add_argument("--most", type=int, default=100, help="scans of a set")
        else:
            verb.add_argument("--out", type=Path, default=ROWS)
    options = parser.parse_args()
    options.call(options)


if __name__ == "__main__":
    main()
