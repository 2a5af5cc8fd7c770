"""The queue as nnU-Net v2 datasets: one per role, as nnU-Net wants all channels on one grid.

    FOLDER/Dataset501_ct/dataset.json
                         imagesTr/PAIR_0000.nii.gz  labelsTr/PAIR.nii.gz    to learn from
                         imagesTs/PAIR_0000.nii.gz  labelsTs/PAIR.nii.gz    kept back

nnU-Net does not train on ``Ts``. Where nobody looked, voxels carry its own label ``ignore``, one
above the highest organ.
"""

import json
from pathlib import Path

import numpy as np

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.labelmap import UNANNOTATED, LabelTable
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import read_label_map, write_volume
from cmcseg.queue.entry import EntryScan, QueueEntry
from cmcseg.queue.holdout import CHECK, LEARN
from cmcseg.queue.ledger import Ledger

FOLDERS = {LEARN: ("imagesTr", "labelsTr"), CHECK: ("imagesTs", "labelsTs")}


def write_nnunet(ledger: Ledger, entries: list[QueueEntry], folder: Path) -> None:
    """Write a dataset for every role that has labels.

    Args:
        ledger: the queue.
        entries: of one label table.
        folder: is there already.
    """
    roles = sorted({role for entry in entries for role in entry.scans})
    for number, role in enumerate(roles, 501):
        drawn = [
            entry for entry in entries if role in entry.scans and _annotation(entry.scans[role])
        ]
        place = folder / f"Dataset{number}_{role}"
        for entry in drawn:
            _write_case(ledger, entry, role, place)
        if drawn:
            content = _dataset(role, drawn, entries[0].table)
            text = json.dumps(content, indent=1) + "\n"
            write_whole(place / "dataset.json", text)


def _write_case(ledger: Ledger, entry: QueueEntry, role: str, place: Path) -> None:
    scan = entry.scans[role]
    images, labels = (place / name for name in FOLDERS[entry.part])
    for target in (images, labels):
        target.mkdir(parents=True, exist_ok=True)
    ledger.copy(entry, scan.image, images / f"{entry.pair}_0000.nii.gz")
    target = labels / f"{entry.pair}.nii.gz"
    if scan.labels and not scan.organs:
        ledger.copy(entry, scan.labels, target)
        return
    drawn = read_label_map(ledger.path(entry, _annotation(scan) or ""), entry.table)
    # Background of a map that covers some organs only may be any of the others.
    unknown = (drawn.array == UNANNOTATED) | (bool(scan.organs) & (drawn.array == 0))
    array = np.where(unknown, np.uint8(_ignore(entry.table)), drawn.array)
    write_volume(Volume(array=array, grid=drawn.grid), target)


def _dataset(role: str, drawn: list[QueueEntry], table: LabelTable) -> dict:
    labels = {"background": 0, **{label.name: label.value for label in table}}
    if any(entry.scans[role].scribbles or entry.scans[role].organs for entry in drawn):
        labels["ignore"] = _ignore(table)
    return {
        "channel_names": {"0": "CT" if role == "ct" else role},
        "labels": labels,
        "numTraining": sum(entry.part == LEARN for entry in drawn),
        "file_ending": ".nii.gz",
    }


def _annotation(scan: EntryScan) -> str | None:
    return scan.labels or scan.scribbles


def _ignore(table: LabelTable) -> int:
    return max(label.value for label in table) + 1
