"""JSON from a file that somebody else may have written."""

import json
import math
import stat
from pathlib import Path
from typing import Any

MOST_BYTES = 16 << 20
DEEPEST = 64  # levels; nothing of ours has ten
LARGEST = 1 << 63  # whole numbers beyond this travel nowhere


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: when it cannot be opened.
        ValueError: when it is no file, larger than ``MOST_BYTES``, or as ``parse_json`` says.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for, for ever
        raise ValueError(f"{path.name} is not a file")
    if found.st_size > MOST_BYTES:
        raise ValueError(f"{path.name} is larger than {MOST_BYTES >> 20} MiB")
    return parse_json(path.read_bytes(), path.name)


def parse_json(content: bytes | str, name: str = "it") -> Any:
    """What a JSON text says.

    Args:
        content: the text.
        name: what the errors call it.

    Raises:
        ValueError: when it is no JSON, is nested too deeply, or holds a text or a number that
            cannot be passed on: Python takes NaN for JSON, and no browser does.
    """
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise ValueError(f"{name} is nested too deeply") from error
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for item in level for inner in _inside(item, name)]
        if not level:
            return value
    raise ValueError(f"{name} is nested too deeply")


def _inside(item: object, name: str) -> list:
    if isinstance(item, dict):
        return [*item, *item.values()]
    if isinstance(item, list):
        return item
    if isinstance(item, str):
        item.encode("utf-8")  # half a character is an error, and a ValueError
    elif isinstance(item, int) and abs(item) >= LARGEST:
        raise ValueError(f"{name} holds a whole number of more than 63 bits")
    elif isinstance(item, float) and not math.isfinite(item):
        raise ValueError(f"{name} holds {item}, which is no number")
    return []
