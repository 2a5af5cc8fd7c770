"""How often labels that are mistakes are recognised, and true ones are not taken for mistakes.

    python bench/mistakes.py CACHE --model NAME

CACHE is made by `cmcseg prepare`; its dense validation scans are used, with their true labels and
with labels that were swapped, shifted, emptied, drawn at random or taken from another patient.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.data.cache import open_cache
from cmcseg.learn.answers import answer
from cmcseg.learn.plausible import implausible


def shifted(labels, mm, scan):
    return np.roll(labels, round(mm / scan.grid.spacing[0]), axis=0)


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cache", type=Path)
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    cache = open_cache(options.cache)
    bundle = load_bundle(default_store().find(options.model))
    table = cache.card.table
    scans = [s for s in cache.scans if s.split == "validation" and s.labels and s.dense]
    truths = {(s.pair, s.role): np.load(s.labels) for s in scans}
    found = {
        (s.pair, s.role): answer(bundle.network, cache.card, s, torch.device("cpu")).labels
        for s in scans
    }
    rng = np.random.default_rng(0)
    kinds: dict[str, list[bool]] = {}
    for scan in scans:
        key = scan.pair, scan.role
        truth = truths[key]
        cases = {
            "true": truth,
            "shifted by 20 mm": shifted(truth, 20, scan),
            "emptied": np.zeros_like(truth),
            "random": rng.integers(0, len(table) + 1, truth.shape).astype(np.uint8),
        }
        if table.mirrored:
            cases["left and right swapped"] = swapped(truth, table)
        for kind, labels in cases.items():
            why = implausible(labels, found[key], scan.grid, table, scan.known)
            kinds.setdefault(kind, []).append(bool(why))
    for one, other in product(scans, scans):
        if one.role == other.role and one.pair != other.pair:
            key = one.pair, one.role
            labels = pasted(truths[other.pair, other.role], truths[key])
            why = implausible(labels, found[key], one.grid, table, one.known)
            kinds.setdefault("of another patient", []).append(bool(why))
    print(f"{options.model} {bundle.card.version}, {len(scans)} validation scans\n")
    print("| labels | left out |\n|---|---|")
    for kind, left_out in kinds.items():
        print(f"| {kind} | {sum(left_out)} of {len(left_out)} |")


if __name__ == "__main__":
    main()
