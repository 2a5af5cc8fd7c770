"""Which study-local id stands for which subject; lies apart from the queue.

One small file per subject, named by a hash of the subject's id. A file appears by a hard link (or,
where the disk has none, by exclusive creation), so two programs never give two ids.
"""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.queue.entry import check_pair
from cmcseg.queue.part import new_pair


def pair_for(subject: str, key: Path, fresh: Callable[[], str] = new_pair) -> str:
    """The study-local id of a subject; a new one when it comes for the first time.

    Args:
        subject: whatever the clinic calls the patient or study; never empty.
        key: the key's folder; keep it where only the clinic can read it.
        fresh: gives an id when there is none yet.

    Raises:
        BadInput: when the key cannot be read or written.
    """
    if not subject.strip():
        raise BadInput("The subject's id is empty; give what your clinic calls the patient.")
    digest = hashlib.sha256(subject.strip().encode("utf-8")).hexdigest()
    path = key / f"{digest}.json"
    try:
        key.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _publish(path, {"subject": subject.strip(), "pair": fresh()})
        return check_pair(json.loads(path.read_text(encoding="utf-8"))["pair"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"The key {path} cannot be used: {error}.") from error


def _publish(path: Path, value: dict) -> None:
    """Write a file that appears whole, unless somebody else was quicker."""
    draft = path.with_name(f".{secrets.token_hex(8)}")
    draft.write_text(json.dumps(value), encoding="utf-8")
    try:
        with contextlib.suppress(FileExistsError):
            try:
                os.link(draft, path)
            except (PermissionError, NotImplementedError):  # a disk without hard links
                with path.open("x", encoding="utf-8") as file:
                    json.dump(value, file)
    finally:
        draft.unlink()
