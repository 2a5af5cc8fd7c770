"""What a model learns again beside corrections, so that it does not forget.

No patient's scan ships with a model. It rehearses on phantoms, whose truth is known, and on its
own answers for scans that nobody has labelled (Li and Hoiem, *Learning without Forgetting*, ECCV
2016), as far as it was sure of them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from cmcseg.core.labelmap import UNANNOTATED
from cmcseg.data.cache import CachedScan
from cmcseg.learn.predictions import Answer

SURE = 0.8  # probability from which the model's own answer may teach it


def own_answers(
    scans: tuple[CachedScan, ...],
    answers: dict[tuple[str, str], Answer],
    folder: Path,
    strange: frozenset[int] = frozenset(),
) -> tuple[CachedScan, ...]:
    """Training scans without labels, labelled by the model itself where it is sure.

    Args:
        scans: of a cache.
        answers: of the old model, by pair and role.
        folder: for the label arrays.
        strange: values of organs that the old model does not know; its background may be one.
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
        known = tuple(is_known and k not in strange for k, is_known in enumerate(scan.known))
        rehearsed.append(replace(scan, labels=path, dense=False, known=known, own=True))
    return tuple(rehearsed)


def stand_ins(
    scans: tuple[CachedScan, ...], roles: tuple[str, ...], folder: Path
) -> tuple[CachedScan, ...]:
    """Scans that take the place of a role which nobody corrected and no phantom shows.

    A step draws a window for every role. Where a queue holds CTs alone, the other role is shown
    the CT and told nothing: all its voxels count as not annotated, so it adds nothing to the loss.

    Args:
        scans: of a cache, with labels where there are any.
        roles: of the model.
        folder: for the label arrays.
    """
    train = [scan for scan in scans if scan.split == "train" and scan.labels is not None]
    present = {scan.role for scan in train}
    made = []
    for role in (role for role in roles if role not in present):
        for scan in train:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{scan.pair}_{scan.role}_as_{role}.npy"
            np.save(path, np.full(np.load(scan.labels).shape, UNANNOTATED, np.uint8))
            name = f"{scan.pair} as {role}"  # of no pair, so that nothing is called aligned
            made.append(replace(scan, pair=name, role=role, labels=path, dense=False))
    return tuple(made)
