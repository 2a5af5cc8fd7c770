"""Which study-local id stands for which subject; lies apart from the queue.

One small file per subject, named by a hash of the subject's id. It appears once, so two programs
never give two ids.
"""

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.json_file import read_json
from cmcseg.core.privacy import private_folder
from cmcseg.queue.disk import in_words
from cmcseg.queue.entry import check_pair
from cmcseg.queue.holdout import new_pair
from cmcseg.queue.publish import publish_once


def pair_for(subject: str, key: Path, fresh: Callable[[], str] = new_pair) -> str:
    """The study-local id of a subject; a new one when it comes for the first time.

    The id stays the subject's even if nothing comes into the queue after all: another program may
    have read it meanwhile.

    Args:
        subject: whatever the clinic calls the patient or study; never empty.
        key: the key's folder; keep it where only the clinic can read it.
        fresh: gives an id when there is none yet.

    Raises:
        BadInput: when the key cannot be read or written.
    """
    path = _path(subject, key)
    try:
        if not path.exists():
            pair = fresh()  # where there is no queue, no key is made either
            private_folder(key)
            publish_once(path, {"subject": subject.strip(), "pair": pair})
    except OSError as error:
        raise BadInput(f"The key {path} cannot be used: {in_words(error)}.") from error
    return _read(path)


def known_pair(subject: str, key: Path) -> str | None:
    """The id of a subject that has come before; None for any other.

    Raises:
        BadInput: when the key cannot be read.
    """
    path = _path(subject, key)
    return _read(path) if path.exists() else None


def keys_of(pairs: set[str], key: Path) -> tuple[Path, ...]:
    """The files of a key that name one of these ids."""
    found = []
    for path in sorted(key.glob("*.json")):
        with contextlib.suppress(BadInput):  # a damaged one names nobody
            if _read(path) in pairs:
                found.append(path)
    return tuple(found)


def key_beside(queue: Path) -> Path:
    """Where the key of a queue lies when nobody says otherwise."""
    return queue.with_name(f"{queue.name}-key")


def _path(subject: str, key: Path) -> Path:
    if not subject.strip():
        raise BadInput("The subject's id is empty; give what your clinic calls the patient.")
    digest = hashlib.sha256(subject.strip().encode("utf-8")).hexdigest()
    return key / f"{digest}.json"


def _read(path: Path) -> str:
    try:
        return check_pair(read_json(path)["pair"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"The key {path} cannot be used: {in_words(error)}.") from error
