"""The queue in the formats of others: a Decathlon/MONAI datalist, or nnU-Net v2 datasets."""

import json
import shutil
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.queue.entry import QueueEntry
from cmcseg.queue.ledger import Ledger

FORMATS = ("datalist", "nnunet")


def export(ledger: Ledger, folder: Path, form: str = "datalist") -> Path:
    """Copy the newest revision of every pair into a new folder.

    ``datalist`` writes ``datalist.json``, which ``cmcseg prepare`` reads, with the files beside it.
    ``nnunet`` writes one dataset per role, since the two scans of a pair lie on different grids and
    nnU-Net wants all channels of a case on one.

    Args:
        ledger: the queue.
        folder: must not exist.
        form: one of ``FORMATS``.

    Returns:
        The folder.

    Raises:
        BadInput: for an empty queue, an unknown format, or a folder that exists.
    """
    if form not in FORMATS:
        raise BadInput(f"The format {form!r} is not one of {', '.join(FORMATS)}.")
    entries = ledger.latest()
    if not entries:
        raise BadInput(f"The queue {ledger.folder} is empty; there is nothing to export.")
    try:
        folder.mkdir(parents=True)
        (_as_datalist if form == "datalist" else _as_nnunet)(ledger, entries, folder)
    except FileExistsError as error:
        raise BadInput(f"The folder {folder} exists; give a new one.") from error
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise BadInput(f"The folder {folder} cannot be written: {error.strerror}.") from error
    return folder


def _as_datalist(ledger: Ledger, entries: list[QueueEntry], folder: Path) -> None:
    parts: dict[str, list[dict]] = {"learn": [], "check": []}
    for entry in entries:
        case: dict = {"id": entry.pair}
        for role, scan in entry.scans.items():
            case[role] = _copied(ledger, entry, scan.image, folder / f"{entry.pair}_{role}.nii.gz")
            for kind, name in (("labels", scan.labels), ("scribbles", scan.scribbles)):
                if name:
                    target = folder / f"{entry.pair}_{role}_{kind}.nii.gz"
                    case[f"{role}_{kind}"] = _copied(ledger, entry, name, target)
            if scan.organs:
                case[f"{role}_organs"] = list(scan.organs)
        parts[entry.part].append(case)
    content = {
        "name": ledger.folder.name,
        "labels": {str(label.value): label.name for label in entries[0].table},
        "training": parts["learn"],
        "validation": parts["check"],
    }
    _write(folder / "datalist.json", content)


def _as_nnunet(ledger: Ledger, entries: list[QueueEntry], folder: Path) -> None:
    roles = sorted({role for entry in entries for role in entry.scans})
    for number, role in enumerate(roles, 501):
        place = folder / f"Dataset{number}_{role}"
        count = 0
        for entry in entries:
            scan = entry.scans.get(role)
            if scan is None or not scan.labels:
                continue
            images, labels = place / "imagesTr", place / "labelsTr"
            images.mkdir(parents=True, exist_ok=True)
            labels.mkdir(exist_ok=True)
            _copied(ledger, entry, scan.image, images / f"{entry.pair}_0000.nii.gz")
            _copied(ledger, entry, scan.labels, labels / f"{entry.pair}.nii.gz")
            count += 1
        if count:
            table = entries[0].table
            content = {
                "channel_names": {"0": "CT" if role == "ct" else role},
                "labels": {"background": 0, **{label.name: label.value for label in table}},
                "numTraining": count,
                "file_ending": ".nii.gz",
            }
            _write(place / "dataset.json", content)


def _copied(ledger: Ledger, entry: QueueEntry, name: str, target: Path) -> str:
    source = ledger.path(entry, name)
    if not source.name.endswith(".nii.gz"):
        raise BadInput(
            f"The entry {entry.id} only refers to {source.name}; export needs scans that the queue "
            "has copied."
        )
    shutil.copyfile(source, target)
    return target.name


def _write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
