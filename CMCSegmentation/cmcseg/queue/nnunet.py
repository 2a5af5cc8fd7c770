"""The queue as nnU-Net v2 datasets: one per role, as nnU-Net wants all channels on one grid.

    FOLDER/Dataset501_ct/dataset.json
                         imagesTr/PAIR_0000.nii.gz  labelsTr/PAIR.nii.gz    to learn from
                         imagesTs/PAIR_0000.nii.gz  labelsTs/PAIR.nii.gz    kept back

nnU-Net does not train on ``Ts``. Where nobody looked, voxels carry its own label ``ignore``, one
above the highest organ.
"""

import json
import re
from pathlib import Path

import numpy as np

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.card import ModelCard
from cmcseg.core.case import Cohort, Pair, Scan
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import UNANNOTATED, LabelTable
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import read_label_map, write_volume
from cmcseg.queue.entry import EntryScan, QueueEntry
from cmcseg.queue.holdout import CHECK, LEARN
from cmcseg.queue.ledger import Ledger

FOLDERS = {LEARN: ("imagesTr", "labelsTr"), CHECK: ("imagesTs", "labelsTs")}
_DATASET = re.compile(r"Dataset\d{3}_(.+)")


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


def read_nnunet(folder: Path, card: ModelCard) -> Cohort:
    """The pairs of such a folder; what lies in ``imagesTs`` is kept back.

    Args:
        folder: holds the datasets, one per role.
        card: gives the roles and the organs.

    Raises:
        BadInput: when there is no dataset of a role of the model, or values mean other organs.
    """
    scans: dict[str, dict[str, dict[str, Scan]]] = {LEARN: {}, CHECK: {}}
    for place in sorted(path for path in folder.iterdir() if (path / "dataset.json").is_file()):
        match = _DATASET.fullmatch(place.name)
        role = match[1] if match else ""
        if role not in card.roles:
            raise BadInput(
                f"The dataset {place.name} must be called Dataset501_ROLE; the roles are "
                f"{', '.join(card.roles)}."
            )
        _check_organs(place, card)
        for part, (images, labels) in FOLDERS.items():
            for image in sorted((place / images).glob("*_0000.nii.gz")):
                pair = image.name.removesuffix("_0000.nii.gz")
                drawn = place / labels / f"{pair}.nii.gz"
                scan = Scan(role=role, image=image, labels=drawn if drawn.is_file() else None)
                scans[part].setdefault(pair, {})[role] = scan
    learn, check = (
        tuple(Pair(id=name, scans=found) for name, found in scans[part].items())
        for part in (LEARN, CHECK)
    )
    if not learn and not check:
        raise BadInput(f"{folder} holds no nnU-Net dataset with cases ending in _0000.nii.gz.")
    try:
        return Cohort(
            name=folder.name,
            roles=card.roles,
            table=card.table,
            train=learn,
            validation=check,
            unannotated=_ignore(card.table),
        )
    except ValueError as error:
        raise BadInput(f"{folder.name}: {error}") from error


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


def _check_organs(place: Path, card: ModelCard) -> None:
    try:
        labels = json.loads((place / "dataset.json").read_text(encoding="utf-8"))["labels"]
        found = {str(name): value for name, value in labels.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise BadInput(f"{place / 'dataset.json'} cannot be read: {error}.") from error
    known = {
        "background": 0,
        **{label.name: label.value for label in card.table},
        "ignore": _ignore(card.table),
    }
    for name, value in found.items():
        if known.get(name) != value:
            raise BadInput(
                f"In {place.name} the value {value} means {name}; the model {card.name} does not "
                "know it so."
            )


def _annotation(scan: EntryScan) -> str | None:
    return scan.labels or scan.scribbles


def _ignore(table: LabelTable) -> int:
    return max(label.value for label in table) + 1
