"""Scans of a case into the scene and out of it; files are read by a process of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from trame_slicer.core import SlicerApp

from cmcseg.core.volume import Volume
from cmcseg.mrml.new_scan import put_scan
from cmcseg.mrml.scene import MrmlScene
from cmcseg.session.reading import ReadScan, ScanReader, numbered
from cmcseg.web.folder import Case, Folder

CASE = "CMCSeg.case"  # attribute of the scans of the open case
MOST_STACKS = 4  # of one DICOM folder that are opened by themselves

Loaded = Callable[[list["LoadedScan"], list[str]], None]
Failed = Callable[[str, str], None]


@dataclass(frozen=True, kw_only=True)
class LoadedScan:
    """A scan of a case that is in the scene.

    Attributes:
        role: that its file's name tells, or empty.
        key: in the scene.
        source: file, folder, or ``FOLDER#2`` for the second stack of a folder.
    """

    role: str
    key: str
    source: Path


@dataclass(kw_only=True)
class _Loading:
    """A case on its way: what is still to be read, and what has come."""

    case: Case
    titles: dict[str, str]
    done: Loaded
    failed: Failed
    waiting: list[tuple[str, Path, int]]
    read: list[tuple[str, Path, ReadScan]] = field(default_factory=list)


class CaseLoader:
    """Reads the files of a case; the newest wish counts.

    Args:
        folder: nothing outside it is read.
        app: Slicer's scene.
        scene: knows what lies beside a scan.
        reader: reads files.
    """

    def __init__(
        self, folder: Folder, app: SlicerApp, scene: MrmlScene, reader: ScanReader
    ) -> None:
        self._folder, self._app, self._scene, self._reader = folder, app, scene, reader
        self._loading: _Loading | None = None
        self._job = 0

    @property
    def loading(self) -> str:
        """Id of the case that is being read, or empty."""
        return self._loading.case.id if self._loading else ""

    def load(self, case: Case, titles: dict[str, str], *, done: Loaded, failed: Failed) -> None:
        """Read the scans of a case; its nodes come into the scene when all are read.

        Args:
            case: which.
            titles: what a clinician calls its roles.
            done: told the scans, and what the user should know of the reading.
            failed: told one sentence, and a log; none of the scans is in the scene then.

        Raises:
            BadInput: when a file lies outside the folder.
        """
        self.stop()
        waiting = [(role, self.place(files), 1) for role, files in case.files.items()]
        self._loading = _Loading(
            case=case, titles=titles, done=done, failed=failed, waiting=waiting
        )
        self._next(self._loading)

    def put(
        self, case_id: str, called: str, volumes: dict[str, Volume], title: Callable[[str], str]
    ) -> list[LoadedScan]:
        """Put scans that were read elsewhere into the scene, as those of a case.

        Args:
            case_id: whose.
            called: what a reader calls it.
            volumes: by role.
            title: what a clinician calls a role.
        """
        self.stop()
        keys = {r: self._put(case_id, called, title(r), volume) for r, volume in volumes.items()}
        return [LoadedScan(role=role, key=key, source=Path()) for role, key in keys.items()]

    def stop(self) -> None:
        """Read no further; nothing is told."""
        if self._loading:
            self._loading = None
            self._reader.cancel(self._job)

    def unload(self, case_id: str, keep: list[str] | None = None) -> None:
        """Take the scans of a case, and all that was found in them, out of the scene.

        Args:
            case_id: whose.
            keep: keys that stay, with what belongs to them.
        """
        for key in self._keys(case_id, keep or []):
            if node := self._app.scene.GetNodeByID(key):
                self._app.scene.RemoveNode(node)

    def place(self, files: tuple[Path, ...]) -> Path:
        """The file, or the folder that holds all of them."""
        place = files[0] if len(files) == 1 else Path(os.path.commonpath(files))
        return self._folder.inside(*place.relative_to(self._folder.root).parts)

    # Private

    def _next(self, loading: _Loading) -> None:
        if not loading.waiting:
            self._finish(loading)
            return
        role, path, stack = loading.waiting.pop(0)

        def done(scan: ReadScan) -> None:
            loading.read.append((role, numbered(path, stack), scan))
            if stack == 1:
                others = range(2, min(len(scan.stacks), MOST_STACKS) + 1)
                loading.waiting[:0] = [(role, path, number) for number in others]
            self._next(loading)

        def failed(sentence: str, log: str) -> None:
            self._loading = None
            loading.failed(sentence, log)

        self._job = self._reader.read(
            path, within=self._folder.root, done=done, failed=failed, stack=stack
        )

    def _finish(self, loading: _Loading) -> None:
        self._loading = None
        loaded, notes = [], []
        for role, source, scan in loading.read:
            title = loading.titles[role] or scan.volume.facts.get("series", "") or "Scan"
            if len(scan.stacks) > 1:
                title = f"{title} #{scan.stack}"
            case = loading.case
            key = self._put(case.id, case.title or case.id, title, scan.volume)
            loaded.append(LoadedScan(role=role, key=key, source=source))
            notes += [*_choice(scan), *(f"{title}: {note}" for note in scan.notes)]
        loading.done(loaded, notes)

    def _put(self, case_id: str, called: str, title: str, volume: Volume) -> str:
        key = put_scan(self._app.scene, volume, f"{title} of {called}")
        self._app.scene.GetNodeByID(key).SetAttribute(CASE, case_id)
        return key

    def _keys(self, case_id: str, keep: list[str]) -> list[str]:
        keys = []
        for info in self._scene.scans():
            node = self._app.scene.GetNodeByID(info.key)
            if node.GetAttribute(CASE) == case_id and info.key not in keep:
                keys += [
                    self._scene.doubt(info.key),
                    self._scene.disagreement(info.key),
                    self._scene.segmentation(info.key),
                    info.key,
                ]
        return [key for key in keys if key]


def _choice(scan: ReadScan) -> list[str]:
    """Which stacks of a folder are opened, told once, with the first."""
    count = len(scan.stacks)
    if count < 2 or scan.stack > 1:
        return []
    opened = min(count, MOST_STACKS)
    titles = [f"#{number} {title}" for number, title in enumerate(scan.stacks[:opened], 1)]
    left = f" {count - opened} more {'was' if count - opened == 1 else 'were'} left out."
    return [
        f"The folder holds {count} stacks of slices; opened as a scan each: {', '.join(titles)}."
        + left * (count > opened)
    ]
