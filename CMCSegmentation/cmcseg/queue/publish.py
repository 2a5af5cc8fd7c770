"""Writing an entry: its files, its sums, and the one step by which it appears."""

import contextlib
import errno
import json
import os
import secrets
from pathlib import Path

from cmcseg.core.atomic_write import flush_folder, write_whole
from cmcseg.core.labelmap import UNANNOTATED
from cmcseg.core.privacy import close
from cmcseg.imaging.files import write_label_map, write_volume
from cmcseg.queue.checksums import SUMS, sha256_of, sums_of
from cmcseg.queue.damage import ENTRY
from cmcseg.queue.entry import EntryScan, QueueEntry
from cmcseg.queue.reference import check_reference
from cmcseg.queue.submission import Submission

_WITHOUT_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def write_scans(draft: Submission, folder: Path) -> dict[str, EntryScan]:
    """Write a draft's voxels; headers of the files hold no word about the patient.

    Returns:
        What was written, by role.

    Raises:
        BadInput: when the disk refuses, or a scan may not be referred to.
    """
    scans = {}
    for role, volume in draft.scans.items():
        image, digest = f"{role}.nii.gz", ""
        if role in draft.references:
            image = str(check_reference(role, draft.references[role]))
            digest = sha256_of(Path(image))
        else:
            write_volume(volume, folder / image)
        files = {}
        if role in draft.corrected:
            # Where somebody looked at parts only, the map must not be taken for a dense one.
            partly = bool((draft.corrected[role].array == UNANNOTATED).any())
            files["scribbles" if partly else "labels"] = draft.corrected[role]
        if role in draft.found:
            files["found"] = draft.found[role]
        if role in draft.drawn:
            files["strokes"] = draft.drawn[role]
        names = {kind: f"{role}_{kind}.nii.gz" for kind in files}
        for kind, label_map in files.items():
            write_label_map(label_map, folder / names[kind])
        scans[role] = EntryScan(
            image=image, sha256=digest, organs=tuple(draft.organs.get(role, ())), **names
        )
    return scans


def write_entry(entry: QueueEntry, folder: Path) -> None:
    """Write ``entry.json``, and the sums of it and of all that lies beside it."""
    write_whole(folder / ENTRY, json.dumps(entry.to_dict(), indent=1) + "\n")
    write_whole(folder / SUMS, sums_of(folder))


def publish(draft: Path, target: Path) -> None:
    """Give a draft its name in one step, so that it lasts through a power cut."""
    flush_folder(draft)
    draft.rename(target)
    flush_folder(target.parent)


def publish_once(path: Path, value: dict) -> None:
    """Write a small JSON file that appears whole, unless somebody else was quicker.

    It appears by a hard link or, where the disk has none, by exclusive creation.

    Raises:
        OSError: when the disk refuses.
    """
    draft = path.with_name(f".{secrets.token_hex(8)}")
    try:
        _write_new(draft, value)
        with contextlib.suppress(FileExistsError):
            try:
                os.link(draft, path)
            except OSError as error:
                if error.errno not in _WITHOUT_LINKS:
                    raise
                _write_new(path, value)
    finally:
        draft.unlink(missing_ok=True)


def _write_new(path: Path, value: dict) -> None:
    """A new file on the disk; nothing is left of it when that fails."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        close(path, like=path.parent)
    except FileExistsError:
        raise
    except OSError:
        path.unlink(missing_ok=True)
        raise
