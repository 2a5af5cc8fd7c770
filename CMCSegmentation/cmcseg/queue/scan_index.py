"""Which pair a scan belongs to, by its checksum: the same scans are one pair, whoever adds them.

QUEUE/scans/CHECKSUM.json   the pair of the scan; appears once and is never changed
            PAIR.rN.json    checksums by role of an entry from before they were kept in it
            PAIR.json       the pair that an id stands for whose scans were known already
"""

import re
from collections.abc import Callable
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.json_file import read_json
from cmcseg.core.privacy import private_folder
from cmcseg.core.volume import Volume
from cmcseg.imaging.scan_checksum import scan_checksum
from cmcseg.queue.disk import in_words
from cmcseg.queue.entry import QueueEntry, check_pair
from cmcseg.queue.holdout import LEARN
from cmcseg.queue.publish import publish_once

_CHECKSUM = re.compile("[0-9a-f]{32}")
SCANS = "scans"  # the folder of the index, and of an entry's facts: checksums by role


class ScanIndex:
    """The scans that a queue knows.

    Args:
        folder: ``QUEUE/scans``; made when the first scan comes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def claim(self, sums: list[str], pair: Callable[[], str]) -> tuple[str, list[Path]]:
        """The pair that scans belong to, from now on that of them all; and the files that say so.

        Args:
            sums: of the scans. One that is known decides: a pair that is seen again with one scan
                more or less is no other patient.
            pair: gives the id where none of them is known.

        Returns:
            The pair, and the files that were made, which go again when no entry follows.

        Raises:
            BadInput: when the disk refuses.
        """
        try:
            known = [name for name in map(self._pair_of, sorted(sums)) if name]
            found = known[0] if known else pair()
            private_folder(self._folder, like=self._folder.parent)
            new = [each for each in sorted(sums) if not self._path(each).exists()]
            for each in new:
                publish_once(self._path(each), {"pair": found})
                found = found if known else self._pair_of(each) or found  # who was quicker decides
        except OSError as error:
            raise BadInput(f"{self._folder} cannot be written: {in_words(error)}.") from error
        return found, [self._path(each) for each in new]

    def call(self, other: str, pair: str) -> None:
        """Say that an id that was given out stands for a pair that is known by its scans."""
        publish_once(self._path(other), {"pair": pair})

    def meant_by(self, pair: str) -> str:
        """The pair that an id stands for; mostly itself."""
        return self._pair_of(pair) or pair

    def known_as(self, pairs: set[str]) -> tuple[set[str], tuple[Path, ...]]:
        """All ids that stand for the same scans as these do, and the files that say so."""
        ids = {*pairs, *map(self.meant_by, pairs)}
        told = {path: self._pair_of(path.stem) for path in sorted(self._folder.glob("*.json"))}
        others = [path.stem for path, pair in told.items() if pair in ids]
        ids |= {other for other in others if not _CHECKSUM.fullmatch(other)}
        mine = [p for p, pair in told.items() if pair in ids or p.name.split(".")[0] in ids]
        return ids, tuple(mine)

    def sums_of(self, entry: QueueEntry, read: Callable[[str], Volume]) -> dict[str, str]:
        """Checksums by role of an entry's scans.

        Args:
            entry: one of any version.
            read: gives the scan of a role; only asked for the entries of before.

        Raises:
            BadInput: when a scan cannot be read.
        """
        if sums := entry.facts.get(SCANS):
            return _checked(sums)
        path = self._path(entry.id)
        if not path.exists():
            sums = {role: scan_checksum(read(role)) for role in entry.scans}
            private_folder(self._folder, like=self._folder.parent)
            publish_once(path, sums)
        return _checked(read_json(path))

    def _pair_of(self, name: str) -> str:
        try:
            return check_pair(read_json(self._path(name))["pair"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _checked(sums: object) -> dict[str, str]:
    """Checksums by role, as they stand in a file.

    Raises:
        ValueError: when they are none.
    """
    if not isinstance(sums, dict) or not all(
        isinstance(each, str) and _CHECKSUM.fullmatch(each) for each in sums.values()
    ):
        raise ValueError("these are no checksums of scans")
    return sums


def twins(sums: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Pairs that share a scan, in groups.

    Args:
        sums: checksums by pair.
    """
    groups: list[tuple[set[str], set[str]]] = []
    for pair, own in sums.items():
        joined = [group for group in groups if group[1] & own]
        merged = ({pair}.union(*(g[0] for g in joined)), own.union(*(g[1] for g in joined)))
        groups = [*(group for group in groups if group not in joined), merged]
    return sorted(tuple(sorted(pairs)) for pairs, _ in groups if len(pairs) > 1)


def one_of_twins(entries: list[QueueEntry], groups: list[tuple[str, ...]]) -> list[QueueEntry]:
    """The entries with one pair of every group: what is learned from is not compared on.

    Of twins that lie in both parts only those to learn from count, as a model may have seen them;
    of those, the newest.
    """
    kept = {entry.pair for entry in entries}
    for group in groups:
        members = [entry for entry in entries if entry.pair in group]
        chosen = [entry for entry in members if entry.part == LEARN] or members
        newest = max(chosen, key=lambda entry: (entry.at, entry.pair), default=None)
        kept -= {entry.pair for entry in members if entry is not newest}
    return [entry for entry in entries if entry.pair in kept]
