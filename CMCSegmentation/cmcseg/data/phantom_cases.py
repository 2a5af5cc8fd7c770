"""Phantoms as cases of a cohort: rendered pairs whose truth is known."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from cmcseg.core.card import ModelCard
from cmcseg.core.case import Cohort, Pair, Scan
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelTable
from cmcseg.core.progress import Progress, Report
from cmcseg.data.cache import PHANTOM
from cmcseg.data.synthesis import KINDS, make_pair
from cmcseg.imaging.files import write_label_map, write_volume

FIRST_SEED = 7000  # rendered cases share no seed with samples and demonstrations
TRAINING = 1000  # number of the first phantom that shipped models learn from


def phantom_task(card: ModelCard) -> str:
    """The kind of phantom that shows a model's roles and its first organs, or empty."""
    for task, kind in KINDS.items():
        if kind.roles == card.roles and next(iter(card.table)).name in kind.organs:
            return task
    return ""


def shown_table(card: ModelCard, task: str) -> LabelTable:
    """The model's organs up to the first one that a phantom lacks: one that was added later."""
    shown = tuple(takewhile(lambda label: label.name in KINDS[task].organs, card.table))
    pairs = tuple(pair for pair in card.table.mirrored if max(pair) <= len(shown))
    return LabelTable(labels=shown, mirrored=pairs)


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
    table = shown_table(card, task)
    organs = tuple(label.name for label in table) if len(table) < len(card.table) else ()
    pairs = []
    for number in range(first, first + count):
        report(Progress(stage="making phantoms", done=number - first, total=count))
        scans = {}
        made = make_pair(task, table, seed=FIRST_SEED + number, shift_mm=6.0, angle_deg=3.0)
        for role, scan in made.items():
            image, labels = (folder / f"{number}_{role}{end}.nii.gz" for end in ("", "_truth"))
            write_volume(scan.volume, image)
            write_label_map(scan.truth, labels)
            scans[role] = Scan(role=role, image=image, labels=labels, organs=organs)
        pairs.append(Pair(id=f"{PHANTOM}{number}", scans=scans))
    return tuple(pairs)


@contextmanager
def with_phantoms(cohort: Cohort, card: ModelCard, count: int, report: Report) -> Iterator[Cohort]:
    """The cohort with so many rendered pairs to train on; their files last as long as the block.

    Raises:
        BadInput: when phantoms are wanted of a task that there are none of.
    """
    if count < 0:
        raise BadInput(f"{count} phantoms cannot be made; give 0 or more.")
    if count and not phantom_task(card):
        raise BadInput(f"There is no phantom with the scans and organs of {card.name}.")
    with tempfile.TemporaryDirectory(prefix="cmcseg-phantoms-") as folder:
        made = write_phantoms(card, Path(folder), TRAINING, count, report)
        yield replace(cohort, train=(*cohort.train, *made))
