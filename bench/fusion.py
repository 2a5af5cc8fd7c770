"""Dice against displacement: is a pair ever worse than the better of its single scans?

    python bench/fusion.py heart-bssfp-lge --phantoms 3 --out fusion.csv
    python bench/fusion.py heart-bssfp-lge --cohort heart.json --out fusion.csv

Real pairs are shifted and turned by a header that lies, and bent together with their truth, one
thing at a time; phantoms are built displaced. Every scan is segmented alone, and together under
`auto` (registered, with the measured confidence as trust) and `none` (the headers as they are). A
curve of `none` shows what the network does with what alignment leaves; a curve of `auto` shows what
a user gets.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.volume import Volume
from cmcseg.data.cohort import read_cohort
from cmcseg.data.synthesis import make_pair
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.imaging.resample import to_array, to_image
from cmcseg.learn.scores import dice
from cmcseg.predict.segment import segment

WAYS = ("alone", "none", "auto")
MOVES = ("shift_mm", "turn_degrees", "elastic_mm")  # how a scan was displaced
COLUMNS = ("case", *MOVES, "role", "way", "trust", "dice", "seconds")


def phantoms(card, task, count, move):
    for seed in range(count):
        scans = make_pair(
            task,
            card.table,
            seed=seed,
            shift_mm=move["shift_mm"],
            angle_deg=move["turn_degrees"],
            elastic_mm=move["elastic_mm"],
        )
        volumes = {role: scan.volume for role, scan in scans.items()}
        yield f"phantom {seed}", volumes, {role: s.truth.array for role, s in scans.items()}


def real(card, path, move):
    cohort = read_cohort(path, card)
    for number, pair in enumerate(cohort.validation):
        if len(pair.scans) < 2 or not all(scan.labels for scan in pair.scans.values()):
            continue
        volumes = {role: read_volume(scan.image) for role, scan in pair.scans.items()}
        truths = {
            role: read_label_map(scan.labels, cohort.table, cohort.unannotated).array
            for role, scan in pair.scans.items()
        }
        last = card.roles[-1]
        rng = np.random.default_rng(number)
        volumes[last] = displaced(volumes[last], move["shift_mm"], move["turn_degrees"], rng)
        if move["elastic_mm"]:
            volumes[last], truths[last] = bent(volumes[last], truths[last], move["elastic_mm"], rng)
        yield pair.id, volumes, truths


def displaced(volume, shift, turn, rng):
    """The scan with a header that lies by that many mm and degrees, in random directions."""
    way, axis = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    about = sitk.VersorRigid3DTransform()
    about.SetCenter(volume.grid.center.tolist())
    about.SetRotation(axis.tolist(), np.radians(turn))
    about.SetTranslation((shift * way).tolist())
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(about.GetMatrix()).reshape(3, 3)
    matrix[:3, 3] = about.TransformPoint((0.0, 0.0, 0.0))
    return Volume(array=volume.array, grid=volume.grid.moved(matrix), facts=volume.facts)


def bent(volume, truth, mm, rng):
    """Scan and truth on a smoothly bent space: normal displacements of a few control points."""
    image = to_image(volume.array.astype(np.float32), volume.grid)
    bend = sitk.BSplineTransformInitializer(image, [4, 4, 4])
    bend.SetParameters(rng.normal(scale=mm, size=len(bend.GetParameters())).tolist())
    labels = to_image(truth, volume.grid)
    low = float(volume.array.min())
    image = sitk.Resample(image, image, bend, sitk.sitkLinear, low)
    labels = sitk.Resample(labels, labels, bend, sitk.sitkNearestNeighbor, 0)
    return Volume(array=to_array(image), grid=volume.grid, facts=volume.facts), to_array(labels)


def rows(bundle, case, volumes, truths, ways, device):
    """One row per scan and way; the mean Dice of the organs that are there."""
    table = bundle.card.table
    for way in ways:
        groups = [{role: v} for role, v in volumes.items()] if way == "alone" else [volumes]
        for group in groups:
            started = time.monotonic()
            settings = SegmentSettings(align="auto" if way == "alone" else way, device=device)
            found = segment(group, bundle, settings)
            trust = found.alignment.confidence if found.alignment else 0.0
            for role, label_map in found.labels.items():
                scores = [dice(label_map.array, truths[role], label.value) for label in table]
                yield {
                    "case": case,
                    "role": role,
                    "way": way,
                    "trust": f"{trust:.3f}",
                    "dice": f"{np.nanmean(scores):.4f}",
                    "seconds": f"{time.monotonic() - started:.1f}",
                }


def means(found, key):
    """Mean Dice per role, displacement and way, where nothing else is displaced."""
    others = [other for other in MOVES if other != key]
    table = {}
    for row in found:
        if not any(row[other] for other in others):
            place = (row["role"], float(row[key]))
            table.setdefault(place, {}).setdefault(row["way"], []).append(float(row["dice"]))
    for (role, amount), ways in sorted(table.items()):
        text = "  ".join(f"{way} {np.mean(ways[way]):.3f}" for way in WAYS)
        gaps = {way: np.mean(ways[way]) - np.mean(ways["alone"]) for way in WAYS[1:]}
        text += "".join(f"  {way} {gap:+.3f}" for way, gap in gaps.items())
        print(f"{role:8s} {key:10s} {amount:5.0f}  {text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--task", help="of the phantoms; the model's name tells it when left out")
    parser.add_argument("--phantoms", type=int, default=0, help="how many")
    parser.add_argument("--cohort", type=Path, help="labelled pairs under 'validation'")
    parser.add_argument("--shifts", type=float, nargs="*", default=[10, 20, 30, 40])
    parser.add_argument("--turns", type=float, nargs="*", default=[10, 20], help="degrees")
    parser.add_argument("--elastic", type=float, nargs="*", default=[5, 10], help="mm")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    bundle = load_bundle(default_store().find(options.model))
    task = options.task or options.model.partition("-")[0]
    amounts = zip(MOVES, (options.shifts, options.turns, options.elastic), strict=True)
    still = dict.fromkeys(MOVES, 0.0)
    moves = [still, *({**still, key: mm} for key, every in amounts for mm in every)]
    found, alone = [], {}
    with options.out.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        for move in moves:
            cases = list(phantoms(bundle.card, task, options.phantoms, move))
            if options.cohort:
                cases += real(bundle.card, options.cohort, move)
            for case, volumes, truths in cases:
                # A header that lies does not change what a scan shows alone.
                sight = (case, *(move.values() if "phantom" in case else [move["elastic_mm"]]))
                ways = WAYS[1:] if sight in alone else WAYS
                new = list(rows(bundle, case, volumes, truths, ways, options.device))
                alone.setdefault(sight, [row for row in new if row["way"] == "alone"])
                for row in new if ways == WAYS else [*alone[sight], *new]:
                    row = {**row, **move}
                    writer.writerow(row)
                    handle.flush()
                    found.append(row)
                    print(*row.values(), flush=True)
    for key in MOVES:
        means(found, key)


if __name__ == "__main__":
    main()
