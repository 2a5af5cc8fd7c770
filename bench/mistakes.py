"""How often labels that are mistakes are recognised, and true ones are not taken for mistakes.

    python bench/mistakes.py CACHE --model NAME

CACHE is made by `cmcseg prepare`; all its labelled scans are used, with their true labels and with
labels that were swapped, shifted, emptied, drawn at random or taken from other patients. Every one
is judged beside what the model in use says, and beside a model that sees nothing at all.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.core.labelmap import UNANNOTATED
from cmcseg.data.cache import open_cache
from cmcseg.learn.label_checks import implausible
from cmcseg.learn.predictions import answer


def shifted(labels, mm, scan, rng):
    """All labels moved by so much, into a random direction."""
    way = rng.normal(size=3)
    step = np.round(way / np.linalg.norm(way) * mm / scan.grid.spacing).astype(int)
    return np.roll(labels, tuple(step), axis=(0, 1, 2))


def tighter(labels, table):
    """Every organ without its outermost voxels."""
    result = np.where(labels == UNANNOTATED, UNANNOTATED, 0).astype(np.uint8)
    for label in table:
        mask = labels == label.value
        kept = mask.copy()
        for axis in range(3):
            for step in (1, -1):
                kept &= np.roll(mask, step, axis)
        result[kept] = label.value
    return result


def swapped(labels, table):
    result = labels.copy()
    for one, other in table.mirrored:
        result[labels == one], result[labels == other] = other, one
    return result


def pasted(other, labels):
    """Another patient's labels, middle on middle."""
    result = np.zeros_like(labels)
    starts = [(a - b) // 2 for a, b in zip(labels.shape, other.shape, strict=True)]
    here = tuple(
        slice(max(s, 0), max(s, 0) + min(a, b))
        for s, a, b in zip(starts, labels.shape, other.shape, strict=True)
    )
    there = tuple(
        slice(max(-s, 0), max(-s, 0) + min(a, b))
        for s, a, b in zip(starts, labels.shape, other.shape, strict=True)
    )
    result[here] = other[there]
    return result


def cases(scan, peers, table, rng):
    """Names of kinds, and label maps of the scan."""
    truth = np.load(scan.labels)
    if not scan.dense:
        yield "true, scribbles", truth
        return
    yield "true", truth
    yield "true, every border one voxel tighter", tighter(truth, table)
    yield "shifted by 5 mm", shifted(truth, 5, scan, rng)
    yield "shifted by 20 mm", shifted(truth, 20, scan, rng)
    for label in table:
        one = np.where(truth == label.value, 0, truth).astype(np.uint8)
        one[shifted(truth, 20, scan, rng) == label.value] = label.value
        yield "one organ alone shifted by 20 mm", one
    yield "emptied", np.zeros_like(truth)
    yield "random", rng.integers(0, len(table) + 1, truth.shape).astype(np.uint8)
    if table.mirrored and all((truth == value).any() for value in table.mirrored[0]):
        yield "left and right swapped", swapped(truth, table)
    for peer in peers:
        yield "of another patient, middle on middle", pasted(np.load(peer.labels), truth)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cache", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument(
        "--others", type=int, default=4, help="patients whose labels a scan is given"
    )
    options = parser.parse_args()
    cache = open_cache(options.cache)
    bundle = load_bundle(default_store().find(options.model))
    table, rng = cache.card.table, np.random.default_rng(0)
    scans = [s for s in cache.scans if s.labels and not s.phantom]
    left_out: dict[str, list[tuple[bool, bool]]] = {}
    for scan in scans:
        image = np.load(scan.image)
        found = answer(bundle.network, cache.card, scan, torch.device("cpu")).labels
        same = [s for s in scans if s.role == scan.role and s.dense and s.pair != scan.pair]
        peers = [same[k] for k in rng.permutation(len(same))[: options.others]]
        for kind, labels in cases(scan, peers, table, rng):
            why = [
                implausible(image, labels, said, scan.grid, table, scan.known)
                for said in (found, np.zeros_like(found))
            ]
            left_out.setdefault(kind, []).append(tuple(map(bool, why)))
    print(f"{options.model} {bundle.card.version}, {len(scans)} scans\n")
    print("| labels | left out | beside a model that sees nothing |\n|---|---|---|")
    for kind, marks in left_out.items():
        counts = [f"{sum(column)} of {len(column)}" for column in zip(*marks, strict=True)]
        print(f"| {kind} | {' | '.join(counts)} |")


if __name__ == "__main__":
    main()
