"""The folder that the app works in: which cases lie there, and no path that leads out of it."""

import os
import re
import shutil
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import IMAGES, is_device_name, is_dicom, is_image_name, is_junk
from cmcseg.core.privacy import private_folder
from cmcseg.core.user_path import user_path

OWN = ".cmcseg"  # drafts, reports and pictures of ours
QUEUE = "queue"
# What lies in the folder and is no case; on some systems A and a are one name.
RESERVED = (QUEUE, f"{QUEUE}-key", "sample")
STALE_SECONDS = 3600.0  # after which what has not grown was abandoned
NOT_SCANS = {"labels", "label", "truth", "seg", "segmentation", "organs", "mask", "scribbles"}
LOOKED_AT = 20  # files of a folder, to see whether it holds DICOM
LONGEST = 100  # characters of a name


@dataclass(frozen=True, kw_only=True)
class Case:
    """One or more scans of a patient.

    Attributes:
        id: unique in the folder.
        title: what the list shows; unique as well.
        files: scans by role; under the empty role those whose names tell none. A scan has several
            files when it is DICOM.
    """

    id: str
    title: str = ""
    files: dict[str, tuple[Path, ...]]


class Folder:
    """A folder of scans; everything that is written goes below it.

    Args:
        root: made when it does not exist.

    Raises:
        BadInput: when it is a file or cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self.root = user_path(root).resolve()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            private_folder(self.root / OWN)
        except OSError as error:
            raise BadInput(f"The folder {root} cannot be used: {error.strerror}.") from error

    @property
    def queue(self) -> Path:
        """Where accepted pairs go."""
        return self.root / QUEUE

    def own(self, *names: str) -> Path:
        """A place of ours; every name is made plain first."""
        return self.inside(OWN, *(plain(name) for name in names))

    @property
    def gone(self) -> str:
        """What is said when the folder is no longer there."""
        return f"The folder {self.root} is gone; put it back, or start the app anew."

    def make(self, *names: str) -> Path:
        """A folder of ours, for its owner alone; the app's own folder is not made again.

        A disk that is not connected leaves an empty place behind, which must not fill up instead.

        Raises:
            BadInput: when the app's folder is gone.
            OSError: when it cannot be made.
        """
        if not self.root.is_dir():
            raise BadInput(self.gone)
        path = private_folder(self.own())
        for number in range(len(names)):
            path = private_folder(self.own(*names[: number + 1]))
        return path

    def sweep(self) -> None:
        """Delete what a program that was killed has left: half uploads, models, half drafts."""
        old = time.time() - STALE_SECONDS
        halves = [
            *self.own("incoming").glob("*"),
            *self.own("drafts").glob("*/.*"),
            *self.own("reports").glob(".*"),
            self.root / ".sample.part",
        ]
        for path in halves:
            with suppress(OSError):
                if max(inner.stat().st_mtime for inner in (path, *path.rglob("*"))) < old:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def free_name(self, wanted: str) -> str:
        """The name, or one with a number where a case, or something of ours, is called so."""
        taken = {path.name.casefold() for path in self.root.iterdir()} | set(RESERVED)
        names = (wanted, *(f"{wanted} {number}" for number in range(2, len(taken) + 3)))
        return next(name for name in names if name.casefold() not in taken)

    def inside(self, *names: str) -> Path:
        """A path below the folder.

        Raises:
            BadInput: when the names, or a link on the way, lead out of it.
        """
        # Not Path.resolve, which raises where a link points at itself.
        path = Path(os.path.realpath(self.root.joinpath(*names)))
        if not path.is_relative_to(self.root):
            raise BadInput(f"{'/'.join(names)!r} lies outside the folder of the app.")
        return path

    def cases(self, roles: set[str]) -> tuple[Case, ...]:
        """What lies in the folder, by name.

        Files that differ only by a role's name belong together (``ann_ct.nii.gz`` and
        ``ann_mr.nii.gz``, or ``ann/ct.nii.gz`` and ``ann/mr.nii.gz``); label maps are passed over.

        Args:
            roles: of all models at hand.

        Raises:
            BadInput: when the folder is gone or cannot be read.
        """
        if not self.root.is_dir():
            raise BadInput(self.gone)
        found: dict[str, dict[str, tuple[Path, ...]]] = defaultdict(dict)
        for folder, files in self._folders():
            images = [file for file in files if is_image_name(file.name)]
            above = folder.relative_to(self.root).parts
            for file in images:
                role, name = _told(file, roles)
                if name is not None:
                    key = "/".join(part for part in (*above, name) if part) or self.root.name
                    while role in found[key]:
                        role += "'"  # a second file of the same role is offered beside the first
                    found[key][role] = (file,)
            rest = [file for file in files if file not in images and not is_junk(file)]
            # Discs bring texts and programs along; all of a folder would take too long to look at.
            if any(is_dicom(file) for file in rest[:LOOKED_AT]):
                key, role = above[0] if above else self.root.name, ""
                while role in found[key]:
                    role += "'"
                found[key][role] = tuple(rest)
        titles = {key: _title(key, roles) for key in found}
        called = [*titles.values()]
        return tuple(
            Case(
                id=key,
                title=titles[key] if called.count(titles[key]) == 1 else key,
                files=dict(found[key]),
            )
            for key in sorted(found)
        )

    def _folders(self) -> list[tuple[Path, list[Path]]]:
        """Folders with their files; nothing that starts with a dot, no queue, no link outwards."""
        rows = []
        waiting = [self.root]
        while waiting:
            folder = waiting.pop()
            try:
                listed = sorted(folder.iterdir())
            except OSError:  # it was deleted just now, or belongs to somebody else
                continue
            entries = [
                entry
                for entry in listed
                if not entry.name.startswith(".")
                and entry != self.queue
                and Path(os.path.realpath(entry)).is_relative_to(self.root)
            ]
            waiting += [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
            rows.append((folder, [entry for entry in entries if entry.is_file()]))
        return rows


def filed(case: str) -> str:
    """The plain name under which drafts and reports of a case are kept, of no other case."""
    name = plain(case)
    short = name == case and len(name) <= 80
    return name if short else f"{name[:80]} {sha256(case.encode()).hexdigest()[:12]}"


def plain(name: str) -> str:
    """A name that is a single, visible, harmless part of a path.

    Raises:
        BadInput: when nothing is left of it.
    """
    kept = re.sub(r"[^\w.\- ]", "_", name).strip(" .")
    if is_device_name(kept):
        kept = f"_{kept}"
    if not kept:
        raise BadInput(f"{name!r} cannot be a file name.")
    if len(kept) <= LONGEST:
        return kept
    end = next((end for end in sorted(IMAGES, key=len)[::-1] if kept.endswith(end)), "")
    return kept[: LONGEST - len(end)] + end


def _title(key: str, roles: set[str]) -> str:
    """An id without a folder that says what the file says: patient7 of patient7_ct/patient7."""
    *above, name = key.split("/")
    if above and _told(Path(above[-1]), roles)[1] in (name, ""):
        above = above[:-1]
    return "/".join((*above, name))


def _told(file: Path, roles: set[str]) -> tuple[str, str | None]:
    """Role and the name without it; the name is None for a label map."""
    stem = file.name.lower()
    for end in sorted(IMAGES, key=len, reverse=True):
        stem = stem.removesuffix(end)
    words = [word for word in re.split(r"[^a-z0-9]+", stem) if word]
    if NOT_SCANS & set(words):
        return "", None
    told = [word for word in words if word in roles]
    if not told:
        return "", stem
    role = told[-1]
    return role, re.sub(rf"(^|[^a-z0-9]+){role}(?=$|[^a-z0-9])", "", stem, count=1).strip("_- .")
