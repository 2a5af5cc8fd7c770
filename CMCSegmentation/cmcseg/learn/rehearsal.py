"""What a model learns again beside corrections, so that it does not forget.

No patient's scan ships with a model. It rehearses on phantoms, whose truth is known, and on its
own answers for scans that nobody has labelled (Li and Hoiem, *Learning without Forgetting*, ECCV
2016), as far as it was sure of them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from cmcseg.core.card import ModelCard
from cmcseg.core.case import Pair, Scan
from cmcseg.core.labelmap import UNANNOTATED
from cmcseg.core.progress import Progress, Report
from cmcseg.data.cache import CachedScan
from cmcseg.data.synthesis import SCENES, make_pair
from cmcseg.imaging.files import write_label_map, write_volume
from cmcseg.learn.answers import Answer

SURE = 0.8  # probability from which the model's own answer may teach it
FIRST_SEED = 7000  # phantoms of the gate and of rehearsal share no seed with anything else


def phantom_task(card: ModelCard) -> str:
    """The kind of phantom that shows a model's roles and organs, or empty."""
    organs = {label.name for label in card.table}
    for task, scene in SCENES.items():
        if scene.roles == card.roles and organs <= set(scene.organs):
            return task
    return ""


def write_phantoms(
    card: ModelCard, folder: Path, first: int, count: int, report: Report
) -> tuple[Pair, ...]:
    """Render pairs into files; seeds are fixed, so they are the same ones for ever.

    Args:
        card: says what to render.
        folder: for the files.
        first: number of the first phantom.
        count: how many.
        report: told after each.
    """
    task = phantom_task(card)
    if not task:
        return ()
    folder.mkdir(parents=True, exist_ok=True)
    pairs = []
    for number in range(first, first + count):
        report(Progress(stage="making phantoms", done=number - first, total=count))
        scans = {}
        made = make_pair(task, card.table, seed=FIRST_SEED + number, shift_mm=6.0, angle_deg=3.0)
        for role, scan in made.items():
            image, labels = (folder / f"{number}_{role}{end}.nii.gz" for end in ("", "_truth"))
            write_volume(scan.volume, image)
            write_label_map(scan.truth, labels)
            scans[role] = Scan(role=role, image=image, labels=labels)
        pairs.append(Pair(id=f"phantom-{number}", scans=scans))
    return tuple(pairs)


def own_answers(
    scans: tuple[CachedScan, ...], answers: dict[tuple[str, str], Answer], folder: Path
) -> tuple[CachedScan, ...]:
    """Training scans without labels, labelled by the model itself where it is sure.

    Args:
        scans: of a cache.
        answers: of the old model, by pair and role.
        folder: for the label arrays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rehearsed = []
    for scan in scans:
        if scan.labels is not None or scan.split != "train":
            continue
        said = answers[scan.pair, scan.role]
        labels = np.where(said.sureness >= SURE, said.labels, UNANNOTATED).astype(np.uint8)
        path = folder / f"{scan.pair}_{scan.role}_own.npy"
        np.save(path, labels)
        rehearsed.append(replace(scan, labels=path, dense=False))
    return tuple(rehearsed)
