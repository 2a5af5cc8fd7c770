"""Erasing a patient from a queue: what goes for good, and what no command can take back."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.json_file import read_json
from cmcseg.queue.damage import read_entry
from cmcseg.queue.disk import in_words
from cmcseg.queue.entry import check_pair
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.pending_pairs import DOUBTS
from cmcseg.queue.pseudonyms import forget_pair, known_pair
from cmcseg.queue.scan_index import SCANS

RUNS, PLAN = "runs", "plan.json"
_PLACES = ("entries", "removed", "damaged", "tmp")


@dataclass(frozen=True, kw_only=True)
class Traces:
    """What a queue holds of a subject.

    Attributes:
        pair: its study-local id.
        folders: what is deleted: entries in every place, drafts, fine-tunings that read them.
        files: single files that are deleted: notes beside damaged entries, what says which scans
            are the pair's, and all kept doubts, whose names do not say of whom they are.
        elsewhere: scans that entries only refer to; they stay.
    """

    pair: str
    folders: tuple[Path, ...]
    files: tuple[Path, ...]
    elsewhere: tuple[str, ...]


def traces(ledger: Ledger, subject: str, key: Path) -> Traces:
    """Find all that a queue holds of a subject; nothing is changed.

    Args:
        ledger: the queue.
        subject: what the clinic calls the patient, or the study-local id where the key is lost.
        key: the folder that says which subject has which id.

    Raises:
        BadInput: when the queue knows neither such a subject nor such an id.
    """
    pair = known_pair(subject, key) or _as_pair(subject, ledger)
    found = [path for place in _PLACES for path in _listed(ledger.folder / place)]
    mine = [path for path in found if _belongs(path.name, pair)]
    runs = [path for path in _listed(ledger.folder / RUNS) if _mentions(path / PLAN, pair)]
    return Traces(
        pair=pair,
        folders=tuple(path for path in (*mine, *runs) if path.is_dir()),
        files=(
            *(path for path in mine if not path.is_dir()),
            *_listed(ledger.folder / DOUBTS),
            *(path for path in _listed(ledger.folder / SCANS) if _is_of(path, pair)),
        ),
        elsewhere=tuple(sorted({image for path in mine for image in _referred(path)})),
    )


def forget(found: Traces, subject: str, key: Path) -> None:
    """Delete what ``traces`` found, and last the key, so that a broken attempt can be repeated.

    The empty files under ``given`` stay: they hold a random number only, which must not come again.

    Raises:
        BadInput: when the disk refuses.
    """
    try:
        for folder in found.folders:
            shutil.rmtree(folder)
        for file in found.files:
            file.unlink(missing_ok=True)
        forget_pair(subject, key)
    except OSError as error:
        raise BadInput(
            f"Not all could be erased: {in_words(error)} ({error.filename}). Do it again."
        ) from error


def _as_pair(subject: str, ledger: Ledger) -> str:
    try:
        pair = check_pair(subject.strip())
    except ValueError:
        pair = ""
    names = [path.name for place in (*_PLACES, "given") for path in _listed(ledger.folder / place)]
    if not pair or not any(_belongs(name, pair) for name in names):
        raise BadInput(
            f"The queue {ledger.folder} knows no subject {subject!r}, nor a pair of that name; see "
            "'cmcseg queue list', and --key if the key lies elsewhere."
        )
    return pair


def _belongs(name: str, pair: str) -> bool:
    """Whether a name in the queue is that of an entry (``PAIR.r1``) or a draft (``PAIR-0f...``)."""
    head, _, tail = name.rpartition("-")
    return name.split(".")[0] == pair or (head == pair and tail.isalnum())


def _is_of(file: Path, pair: str) -> bool:
    """Whether a file of the index of scans is about the pair; one that cannot be read may be."""
    try:
        return _belongs(file.name, pair) or read_json(file).get("pair") == pair
    except (OSError, ValueError):
        return True


def _mentions(plan: Path, pair: str) -> bool:
    """Whether a fine-tuning read the pair; one whose plan cannot be read may have."""
    try:
        value = read_json(plan)
        return pair in value["learn"] or pair in value["check"]
    except (OSError, ValueError, KeyError, TypeError):
        return True


def _referred(folder: Path) -> list[str]:
    try:
        entry = read_entry(folder, ".".join(folder.name.split(".")[:2]))
    except ValueError:
        return []
    return [scan.image for scan in entry.scans.values() if scan.sha256]


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
