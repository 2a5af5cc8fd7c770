"""The queue in the formats of others: a Decathlon/MONAI datalist, or nnU-Net v2 datasets."""

import json
import shutil
import uuid
from dataclasses import replace
from pathlib import Path

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelTable
from cmcseg.queue.disk import in_words, is_full
from cmcseg.queue.entry import QueueEntry
from cmcseg.queue.holdout import CHECK, LEARN, is_fresh_id, new_pair, part_of
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.nnunet import write_nnunet
from cmcseg.queue.scan_index import one_of_twins

FORMATS = ("datalist", "nnunet")
TASK = "task.json"


def export(
    ledger: Ledger, folder: Path, form: str = "datalist", card: ModelCard | None = None
) -> Path:
    """Copy the newest revision of every pair into a new folder, which appears whole or not at all.

    ``datalist`` writes ``datalist.json``, which ``cmcseg prepare`` and MONAI read, with the files
    beside it; ``nnunet`` is told in ``nnunet.py``. Either way pairs that are kept back stay apart.

    Args:
        ledger: the queue.
        folder: must not exist.
        form: one of ``FORMATS``.
        card: of the model that the labels belong to; a datalist gets it as its task.

    Returns:
        The folder.

    Raises:
        BadInput: for an empty queue, an unknown format, a folder that exists, entries of different
            label tables, scans that are only referred to, or a disk that refuses.
    """
    if form not in FORMATS:
        raise BadInput(f"The format {form!r} is not one of {', '.join(FORMATS)}.")
    if folder.exists():
        raise BadInput(f"The folder {folder} exists; give a new one.")
    entries = one_of_twins(ledger.latest(), ledger.twins())
    if not entries:
        raise BadInput(f"The queue {ledger.folder} is empty; there is nothing to export.")
    entries = _of_one_table(entries)
    draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        draft.mkdir(parents=True)
        if form == "datalist":
            _write_datalist(ledger, entries, draft, card)
        else:
            write_nnunet(ledger, entries, draft)
        draft.rename(folder)
    except (OSError, BadInput) as error:
        if isinstance(error, BadInput) and not is_full(error):
            raise
        raise BadInput(f"The folder {folder} cannot be written: {in_words(error)}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def pair_for_import(ledger: Ledger, name: str, part: str | None) -> str:
    """The id that a pair of a file gets in the queue.

    An id that a queue has drawn stays, and its part with it. Any other may name a patient, and may
    be given twice by two files; a fresh one takes its place.

    Args:
        ledger: the queue.
        name: the pair's id in the file.
        part: where the file has it; None when the file keeps nothing back.
    """
    if is_fresh_id(name) and part in (None, part_of(name)):
        return name
    return new_pair(part) if part else ledger.fresh_pair()


def _of_one_table(entries: list[QueueEntry]) -> list[QueueEntry]:
    """The entries under the longest of their tables.

    Those from before an organ was added cover the organs of their own table only.
    """
    longest = max(entries, key=lambda entry: len(entry.table))
    for entry in entries:
        if not _meanings(entry).items() <= _meanings(longest).items():
            raise BadInput(
                f"The entries {longest.id} and {entry.id} have different label tables, so that "
                "their label maps cannot stand in one data set; remove those of one table first."
            )
    return [_under(entry, longest.table) for entry in entries]


def _under(entry: QueueEntry, table: LabelTable) -> QueueEntry:
    if len(entry.table) == len(table):
        return entry
    own = tuple(label.name for label in entry.table)
    scans = {role: replace(scan, organs=scan.organs or own) for role, scan in entry.scans.items()}
    return replace(entry, table=table, scans=scans)


def _meanings(entry: QueueEntry) -> dict[int, str]:
    return {label.value: label.name for label in entry.table}


def _write_datalist(
    ledger: Ledger, entries: list[QueueEntry], folder: Path, card: ModelCard | None
) -> None:
    parts: dict[str, list[dict]] = {LEARN: [], CHECK: []}
    for entry in entries:
        parts[entry.part].append(_case(ledger, entry, folder))
    content = {
        "name": ledger.folder.name,
        **({"task": TASK} if card else {}),
        "labels": {str(value): name for value, name in _meanings(entries[0]).items()},
        "training": parts[LEARN],
        "validation": parts[CHECK],
    }
    write_whole(folder / "datalist.json", json.dumps(content, indent=1) + "\n")
    if card:
        write_whole(folder / TASK, json.dumps(card.to_dict(), indent=1) + "\n")


def _case(ledger: Ledger, entry: QueueEntry, folder: Path) -> dict:
    case: dict = {"id": entry.pair}
    for role, scan in entry.scans.items():
        names = {
            role: scan.image,
            f"{role}_labels": scan.labels,
            f"{role}_scribbles": scan.scribbles,
        }
        for key, name in names.items():
            if name:
                case[key] = f"{entry.pair}_{key}.nii.gz"
                ledger.copy(entry, name, folder / case[key])
        if scan.organs:
            case[f"{role}_organs"] = list(scan.organs)
    # As MONAI calls them; where roles differ in what they have, only a reader of roles can tell.
    for key, suffix in (("image", ""), ("label", "_labels")):
        files = [case[f"{role}{suffix}"] for role in entry.scans if f"{role}{suffix}" in case]
        if files and len(files) == len(entry.scans):
            case[key] = files if len(files) > 1 else files[0]
    return case
