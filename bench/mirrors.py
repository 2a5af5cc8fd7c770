"""Which mirrored headers are found out, and which true ones are doubted.

    python bench/mirrors.py MODEL FOLDER [SCAN ...]

Segments every scan of a folder whose name begins with a role (``ct_00.nii.gz``), as it lies and
under a header that exchanges left and right, and prints for both: the share in doubt on the
network's grid, and whether the result asks if the header mirrors the patient.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.imaging.files import read_volume
from cmcseg.predict import segment as whole
from cmcseg.predict.mirror_look import in_doubt

ASKS = "mirror the patient?"


def main():
    """Parse the arguments, segment, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("scans", nargs="*")
    arguments = parser.parse_args()
    bundle = load_bundle(default_store().find(arguments.model))
    names = arguments.scans or sorted(path.name for path in arguments.folder.glob("*.nii.gz"))
    print("scan | in doubt | mirrored: in doubt | asked | mirrored: asked", flush=True)
    sums = {}
    for name in names:
        role = next(role for role in bundle.card.roles if name.startswith(role))
        scan = read_volume(arguments.folder / name)
        flip = np.diag([-1.0, 1.0, 1.0, 1.0]) @ scan.grid.affine
        turned = replace(scan, grid=replace(scan.grid, affine=flip))
        (share, asked), (other, found) = (looked(one, role, bundle) for one in (scan, turned))
        print(f"{name} | {share:.2f} | {other:.2f} | {asked} | {found}", flush=True)
        count, false, true = sums.get(role, (0, 0, 0))
        sums[role] = (count + 1, false + bool(asked), true + bool(found))
    for role, (count, false, true) in sums.items():
        print(f"{role}: {count} scans, {false} doubted, mirrored {true} found out")


def looked(scan, role, bundle):
    """Share in doubt on the network's grid, and why the header is doubted (or empty)."""
    seen = []
    plain = whole.mirror_look

    def look(scores, *rest):
        seen.append(in_doubt(scores[role]))
        return plain(scores, *rest)

    whole.mirror_look = look
    try:
        warnings = whole.segment({role: scan}, bundle).warnings
    finally:
        whole.mirror_look = plain
    told = [sentence for sentence in warnings if sentence.endswith(ASKS)]
    return seen[0], "by its doubt" if any(
        "in a mirror" in s for s in told
    ) else "by its organs" * bool(told)


if __name__ == "__main__":
    main()
