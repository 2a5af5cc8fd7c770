"""How well abdominal models segment rendered pairs, whose truth is known to the voxel.

    python bench/phantoms.py MODEL [MODEL ...] [--seeds 0 3 5]

MODEL is a name or a folder. Prints mean Dice over organs and bodies, by scan.
"""

import argparse
from statistics import mean

from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.data.synthesis import make_pair
from cmcseg.predict.segment import segment

SHIFT_MM, ANGLE_DEG = 12.0, 4.0


def main():
    """Parse the arguments, segment, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 3, 5])
    arguments = parser.parse_args()
    for name in arguments.models:
        bundle = load_bundle(default_store().find(name))
        scores = {role: [] for role in bundle.card.roles}
        for seed in arguments.seeds:
            pair = make_pair(
                "abdomen", bundle.card.table, seed=seed, shift_mm=SHIFT_MM, angle_deg=ANGLE_DEG
            )
            found = segment({role: scan.volume for role, scan in pair.items()}, bundle)
            for role, scan in pair.items():
                scores[role] += [
                    dice(found.labels[role].array, scan.truth.array, label.value)
                    for label in bundle.card.table
                ]
        shown = ", ".join(f"{role} {mean(values):.3f}" for role, values in scores.items())
        print(f"{name} {bundle.card.version}: {shown}")


def dice(found, truth, value):
    """Dice of one label."""
    a, b = found == value, truth == value
    return float(2 * (a & b).sum() / max(1, a.sum() + b.sum()))


if __name__ == "__main__":
    main()
