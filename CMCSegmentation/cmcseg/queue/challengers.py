"""What fine-tunings from a model in use have found on this queue so far, for the next one.

    QUEUE/challengers/SHA.json    by the SHA-256 of the model in use; replaced in one step

Each look at the pairs spends a part of the error that the comparison may make, and the next run
goes on from the candidate of the last; so what was found must outlive the run that found it.
"""

import json
from pathlib import Path

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.errors import BadInput
from cmcseg.queue.disk import in_words

FOLDER = "challengers"


def recall(queue: Path, sha256: str) -> dict | None:
    """What ``remember`` was given last for a model in use; None when there is nothing whole."""
    try:
        value = json.loads(_path(queue, sha256).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def remember(queue: Path, sha256: str, found: dict) -> None:
    """Keep what a finished fine-tuning hands on.

    Args:
        queue: its folder.
        sha256: of the model in use.
        found: JSON-ready.

    Raises:
        BadInput: when it cannot be written.
    """
    path = _path(queue, sha256)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(found) + "\n")
    except OSError as error:
        raise BadInput(f"The queue {queue} cannot be written: {in_words(error)}.") from error


def _path(queue: Path, sha256: str) -> Path:
    return Path(queue) / FOLDER / f"{sha256[:16]}.json"
