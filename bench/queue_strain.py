"""The queue under strain: two programs that add at once, and a disk that fills up.

python bench/queue_strain.py many FOLDER [--entries 1000]
python bench/queue_strain.py full FOLDER

The second wants FOLDER on a small disk, as from `mount -t tmpfs -o size=600k`.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.core.volume import Volume
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.submission import Submission

TABLE = LabelTable(labels=(Label(value=1, name="liver", color="#aabbcc"),))
ENOUGH = 1000  # entries until a disk is not small


def a_draft(shape, seed):
    """A scan of noise and a label map of noise, which do not shrink."""
    rng = np.random.default_rng(seed)
    grid = Grid(shape=shape, affine=np.eye(4))
    image = Volume(array=rng.integers(0, 3000, shape).astype(np.int16), grid=grid)
    array = rng.integers(0, 2, shape).astype(np.uint8)
    labels = LabelMap(array=array, grid=grid, table=TABLE)
    return Submission(scans={"ct": image}, corrected={"ct": labels}, table=TABLE)


def add(folder, count):
    for seed in range(count):
        print(Ledger(folder).add(a_draft((6, 5, 4), seed)).id)


def many(folder, count):
    words = [sys.executable, __file__, "add", str(folder), "--entries", str(count // 2)]
    start = time.monotonic()
    programs = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [name for p in programs for name in p.communicate()[0].split()]
    print(f"{len(told)} entries added by two programs in {time.monotonic() - start:.0f} s")
    start = time.monotonic()
    listed = {entry.id for entry in Ledger(folder).entries()}
    print(f"listed in {time.monotonic() - start:.2f} s")
    print(f"all there: {listed == set(told)}; set aside: {Ledger(folder).verify()}")


def full(folder):
    ledger, told = Ledger(folder), []
    for seed in range(ENOUGH):
        try:
            told.append(ledger.add(a_draft((40, 40, 20), seed)).id)
        except BadInput as error:
            print(f"{len(told)} entries, then: {error}")
            break
    listed = {entry.id for entry in ledger.entries()}
    left = list((folder / "tmp").iterdir())
    print(f"all there: {listed == set(told)}; set aside: {ledger.verify()}; drafts left: {left}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["many", "full", "add"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--entries", type=int, default=1000)
    options = parser.parse_args()
    if options.what == "full":
        full(options.folder)
    else:
        {"many": many, "add": add}[options.what](options.folder, options.entries)


if __name__ == "__main__":
    main()
