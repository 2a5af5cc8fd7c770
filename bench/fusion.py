"""Dice against displacement: is a pair ever worse than the better of its single scans?

    python bench/fusion.py heart-bssfp-lge --phantoms 3 --out fusion.csv
    python bench/fusion.py heart-bssfp-lge --cohort heart.json --out fusion.csv

Real pairs are displaced by a header that lies; phantoms are built displaced, and warped where
`--elastic` says so. Every scan is segmented alone, and together under `auto` (registered, with the
measured confidence as trust) and `none` (the headers as they are). A curve of `none` shows what
the network does with what alignment leaves; a curve of `auto` shows what a user gets.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.volume import Volume
from cmcseg.data.cohort import read_cohort
from cmcseg.data.synthesis import make_pair
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.learn.scores import dice
from cmcseg.predict.segment import segment

WAYS = ("alone", "none", "auto")
COLUMNS = ("case", "shift_mm", "elastic_mm", "role", "way", "trust", "dice", "seconds")


def phantoms(card, task, count, shift, elastic):
    for seed in range(count):
        scans = make_pair(task, card.table, seed=seed, shift_mm=shift, elastic_mm=elastic)
        volumes = {role: scan.volume for role, scan in scans.items()}
        yield f"phantom {seed}", volumes, {role: s.truth.array for role, s in scans.items()}


def real(card, path, shift):
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
        volumes[last] = displaced(volumes[last], shift, number)
        yield pair.id, volumes, truths


def displaced(volume, shift, seed):
    """The scan with a header that lies by that many mm in a random direction."""
    way = np.random.default_rng(seed).normal(size=3)
    matrix = np.eye(4)
    matrix[:3, 3] = shift * way / np.linalg.norm(way)
    return Volume(array=volume.array, grid=volume.grid.moved(matrix), facts=volume.facts)


def rows(bundle, case, volumes, truths, device):
    """One row per scan and way; the mean Dice of the organs that are there."""
    table = bundle.card.table
    for way in WAYS:
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
    """Mean Dice per role, displacement and way."""
    table = {}
    for row in found:
        place = (row["role"], float(row[key]))
        table.setdefault(place, {}).setdefault(row["way"], []).append(float(row["dice"]))
    for (role, amount), ways in sorted(table.items()):
        text = "  ".join(f"{way} {np.mean(ways[way]):.3f}" for way in WAYS)
        gaps = {way: np.mean(ways[way]) - np.mean(ways["alone"]) for way in WAYS[1:]}
        text += "".join(f"  {way} {gap:+.3f}" for way, gap in gaps.items())
        print(f"{role:8s} {amount:5.0f} mm  {text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--task", help="of the phantoms; the model's name tells it when left out")
    parser.add_argument("--phantoms", type=int, default=0, help="how many")
    parser.add_argument("--cohort", type=Path, help="labelled pairs under 'validation'")
    parser.add_argument("--shifts", type=float, nargs="+", default=[0, 10, 20, 30, 40])
    parser.add_argument("--elastic", type=float, nargs="+", default=[0], help="phantoms only")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    bundle = load_bundle(default_store().find(options.model))
    task = options.task or options.model.partition("-")[0]
    found = []
    with options.out.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        for elastic in options.elastic:
            for shift in options.shifts:
                cases = list(phantoms(bundle.card, task, options.phantoms, shift, elastic))
                if options.cohort and not elastic:
                    cases += real(bundle.card, options.cohort, shift)
                for case, volumes, truths in cases:
                    for row in rows(bundle, case, volumes, truths, options.device):
                        row |= {"shift_mm": shift, "elastic_mm": elastic}
                        writer.writerow(row)
                        handle.flush()
                        found.append(row)
                        print(*row.values(), flush=True)
    means([row for row in found if not row["elastic_mm"]], "shift_mm")
    if len(options.elastic) > 1:
        means([row for row in found if not row["shift_mm"]], "elastic_mm")


if __name__ == "__main__":
    main()
