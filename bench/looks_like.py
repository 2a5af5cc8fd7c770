"""Do scans tell of which hospital they are? Groups of one hospital, and who looks like them.

    python bench/looks_like.py DATA [--tries 20]

DATA is the folder with `splits.json`. Groups of 1 to 20 of the bSSFP scans of `heart.acdc` are
drawn by chance, `--tries` of each; the table says how far from them other scans lie (10th, 50th and
90th percentile of the distance), how many count as alike, and how much of what was learned from the
group these scans get (the mean of `likeness`).
"""

import argparse
from pathlib import Path

import numpy as np
from cmcseg.core.scan_traits import LOOKS_LIKE, groups_of, likeness, traits_of
from cmcseg.imaging.files import read_volume

SETS = {
    "home hospital, bSSFP": ("images", "bssfp"),
    "another scanner, bSSFP": ("unlabelled/images", "bssfp"),
    "home hospital as MyoPS, bSSFP": ("myops/images", "bssfp"),
    "home hospital, LGE": ("images", "lge"),
}


def main() -> None:
    """Parse the arguments, draw groups, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--tries", type=int, default=20)
    options = parser.parse_args()
    heart = options.data / "heart"
    own = traits(heart / "acdc/images", "bssfp")
    others = {name: traits(heart / place, kind) for name, (place, kind) in SETS.items()}
    rows = measured(own, others, options.tries)
    print("| scans | group of | p10 | p50 | p90 | look like it | get of it |")
    print("|---|---|---|---|---|---|---|")
    for name, size, away, alike in rows:
        low, middle, high = np.percentile(away, (10, 50, 90))
        share = 100 * np.mean(np.array(away) <= LOOKS_LIKE)
        print(
            f"| {name} | {size} | {low:.2f} | {middle:.2f} | {high:.2f} | {share:.1f} % "
            f"| {100 * np.mean(alike):.1f} % |"
        )


def measured(own, others, tries, sizes=(1, 3, 5, 10, 20)):
    """Rows of who is compared, the size of the groups, all distances to them, and likenesses."""
    rows, rng = [], np.random.default_rng(0)
    drawn = {size: [rng.permutation(len(own)) for _ in range(tries)] for size in sizes}
    for name in ("the same hospital, bSSFP", *others):
        for size in sizes:
            away, alike = [], []
            for order in drawn[size]:
                group = groups_of(("x", own[k]) for k in order[:size])["x"]
                asked = others.get(name) or [own[k] for k in order[size:]]
                away += [group.distance(scan) for scan in asked]
                alike += [likeness([group], scan) for scan in asked]
            rows.append((name, size, away, alike))
    return rows


def traits(folder: Path, kind: str):
    """Of all scans of a kind in a folder."""
    return [traits_of(read_volume(path)) for path in sorted(folder.glob(f"*_{kind}.nii.gz"))]


if __name__ == "__main__":
    main()
