"""Erasing a patient from a queue: what goes for good, and what no command can take back."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.json_file import read_json
from cmcseg.queue.damage import read_entry
from cmcseg.queue.disk import in_words
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.pseudonyms import keys_of, known_pair
from cmcseg.queue.uncorrected_pairs import DOUBTS

RUNS, PLAN = "runs", "plan.json"
_PLACES = ("entries", "removed", "damaged", "tmp")


@dataclass(frozen=True, kw_only=True)
class Traces:
    """What a queue holds of a subject.

    Attributes:
        pairs: the study-local ids that stand for it: one, or more where the same scans came under
            several names.
        folders: what is deleted: entries in every place, drafts, fine-tunings that read them.
        files: single files that are deleted: notes beside damaged entries, what says which scans
            are the pair's, and all kept doubts, whose names do not say of whom they are.
        keys: files of the key, deleted last.
        elsewhere: scans that entries only refer to; they stay.
    """

    pairs: tuple[str, ...]
    folders: tuple[Path, ...]
    files: tuple[Path, ...]
    keys: tuple[Path, ...]
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
    first = known_pair(subject, key) or _as_pair(subject, ledger)
    pairs, sums = ledger.scans.known_as({first})
    found = [path for place in _PLACES for path in _listed(ledger.folder / place)]
    mine = [path for path in found if _belongs(path.name, pairs)]
    runs = [path for path in _listed(ledger.folder / RUNS) if _mentions(path / PLAN, pairs)]
    return Traces(
        pairs=tuple(sorted(pairs)),
        folders=tuple(path for path in (*mine, *runs) if path.is_dir()),
        files=(
            *(path for path in mine if not path.is_dir()),
            *sums,
            *_listed(ledger.folder / DOUBTS),
        ),
        keys=keys_of(pairs, key),
        elsewhere=tuple(sorted({image for path in mine for image in _referred(path)})),
    )


def forget(found: Traces) -> None:
    """Delete what ``traces`` found, and last the key, so that a broken attempt can be repeated.

    The empty files under ``given`` stay: they hold a random number only, which must not come again.

    Raises:
        BadInput: when the disk refuses.
    """
    try:
        for folder in found.folders:
            shutil.rmtree(folder)
        for file in (*found.files, *found.keys):
            file.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(
            f"Not all could be erased: {in_words(error)} ({error.filename}). Do it again."
        ) from error


def _as_pair(subject: str, ledger: Ledger) -> str:
    pair = subject.strip()
    names = [path.name for place in (*_PLACES, "given") for path in _listed(ledger.folder / place)]
    if pair not in {name.split(".")[0] for name in names}:
        raise BadInput(
            f"The queue {ledger.folder} knows no subject {subject!r}, nor a pair of that name; see "
            "'cmcseg queue list', and --key if the key lies elsewhere."
        )
    return pair


def _belongs(name: str, pairs: set[str]) -> bool:
    """Whether a name in the queue is that of an entry (``PAIR.r1``) or a draft (``PAIR-0f...``)."""
    head, _, tail = name.partition(".")[0].rpartition("-")
    return name.split(".")[0] in pairs or (head in pairs and tail.isalnum())


def _mentions(plan: Path, pairs: set[str]) -> bool:
    """Whether a fine-tuning read one of the pairs; one whose plan cannot be read may have."""
    try:
        value = read_json(plan)
        return not pairs.isdisjoint((*value["learn"], *value["check"]))
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
