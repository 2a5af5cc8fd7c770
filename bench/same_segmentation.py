"""Whether another checkout finds the same to the bit, with the same weights and the same scans.

    python bench/same_segmentation.py OTHER MODEL ct=ct.nii.gz mr=mr.nii.gz

OTHER is a checkout with packages that are installed here; MODEL a model's folder. Prints a line per
file, and ends with 1 when one differs.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

NUMBERS = ("matrix", "similarity", "confidence", "overlap", "shift_mm", "angle_deg")
HERE = Path(__file__).resolve().parents[1]


def segmented(checkout: Path, model: str, scans: list[str], out: Path) -> tuple[dict, dict]:
    """What a checkout writes: the content of every map, and how the scans were aligned."""
    run = "import sys; from cmcseg.cli import main; main(sys.argv[1:])"
    subprocess.run(
        [sys.executable, "-c", run, "segment", "--model", model, *scans, "--out", str(out)],
        env={**os.environ, "PYTHONPATH": str(checkout / "CMCSegmentation")},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    found = {path.name: gzip.decompress(path.read_bytes()) for path in out.glob("*.nii.gz")}
    alignment = json.loads((out / "prediction.json").read_text())["alignment"]
    return found, {k: v for k, v in (alignment or {}).items() if k != "seconds"}


def main() -> None:
    other, model, *scans = sys.argv[1:]
    with tempfile.TemporaryDirectory() as room:
        old, before = segmented(Path(other), model, scans, Path(room, "old"))
        new, after = segmented(HERE, model, scans, Path(room, "new"))
    same = {name: old.get(name) == new.get(name) for name in sorted({*old, *new})}
    for name, equal in same.items():
        print("same" if equal else "DIFFERS", len(new.get(name, b"")), name)
    # Two registrations by one version differ in the eighth digit: its threads sum as they come.
    apart = [np.abs(np.subtract(before[k], after[k])).max() for k in before if k in NUMBERS]
    print(f"alignment: no number differs by more than {max(apart, default=0):.1g}")
    sys.exit(not all(same.values()))


main()
