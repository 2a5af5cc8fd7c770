"""The queue's folder: entries appear whole, are never changed, and leave without being deleted.

    QUEUE/entries/PAIR.rN/   one corrected pair, immutable: entry.json, its files, SHA256SUMS
          removed/           what the user took out
          damaged/           what ``verify`` set aside, each with a .txt that says why
          tmp/               drafts; a draft becomes an entry by one rename, as in Maildir
          given/             an empty file for every id that was ever given
          scans/             which pair a scan belongs to, see ``scan_index``

An id is taken by making its file under ``given``, which fails for all but one, so several programs
may add at once, on a local disk or a shared folder, without locks, and no id is given twice.
"""

import contextlib
import secrets
import shutil
import time
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.privacy import close, private_folder
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import read_volume
from cmcseg.imaging.scan_checksum import scan_checksum
from cmcseg.queue.damage import fault_of, read_entry
from cmcseg.queue.disk import in_words, is_full
from cmcseg.queue.entry import EntryScan, QueueEntry, check_id, check_pair, pair_of
from cmcseg.queue.holdout import LEARN, new_pair
from cmcseg.queue.publish import publish, write_entry, write_scans
from cmcseg.queue.returnable import returnable
from cmcseg.queue.scan_index import SCANS, ScanIndex, twins
from cmcseg.queue.submission import Submission

STALE_SECONDS = 3600.0  # a draft that has not grown for so long was abandoned


class Ledger:
    """A queue of corrected pairs.

    Args:
        folder: where it lies; made when the first pair comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.scans = ScanIndex(self.folder / SCANS)

    def add(self, draft: Submission) -> QueueEntry:
        """Keep a correction; a pair that is known gets a new revision.

        A pair is known by its scans, whatever id the draft has; by its id, where none of its scans
        has come before.

        Raises:
            BadInput: when it cannot be written; then nothing of it is left.
        """
        try:
            return self._add(draft)
        except ValueError as error:
            raise BadInput(str(error)) from error
        except (OSError, BadInput) as error:
            if isinstance(error, BadInput) and not is_full(error):
                raise
            raise BadInput(
                f"The queue {self.folder} cannot be written: {in_words(error)}. Nothing was lost; "
                "make room, or see to it, and accept again."
            ) from error

    def fresh_pair(self) -> str:
        """An id for a pair that comes for the first time; it will be learned from."""
        self._listed("entries")  # a file in the queue's place is told before a key lies beside it
        return new_pair(LEARN)

    def entries(self) -> list[QueueEntry]:
        """All entries that can be read, oldest first."""
        found = []
        for name in self._names():
            try:
                found.append(read_entry(self._place("entries") / name, name))
            except ValueError:
                continue  # ``verify`` says what is wrong with it
        return sorted(found, key=lambda entry: (entry.at, entry.pair, entry.revision))

    def latest(self) -> list[QueueEntry]:
        """The newest revision of every pair, oldest first."""
        newest: dict[str, QueueEntry] = {}
        for entry in sorted(self.entries(), key=lambda e: e.revision):
            newest[entry.pair] = entry
        return sorted(newest.values(), key=lambda entry: (entry.at, entry.pair))

    def twins(self) -> list[tuple[str, ...]]:
        """Pairs that hold the same scan, in groups: accepted twice before scans were compared."""
        return twins(self._learn_scans())

    def entry(self, entry_id: str) -> QueueEntry:
        """One entry.

        Raises:
            BadInput: when there is none of that name, or it is damaged.
        """
        name = _checked(entry_id)
        if not (self._place("entries") / name).is_dir():
            raise BadInput(f"The queue {self.folder} has no entry {name}; see 'cmcseg queue list'.")
        try:
            return read_entry(self._place("entries") / name, name)
        except ValueError as error:
            raise BadInput(f"The entry {name} is damaged ({error}); run verify.") from error

    def path(self, entry: QueueEntry, file: str) -> Path:
        """Where a file of an entry lies; scans that are only referred to have their own path."""
        return self._place("entries") / entry.id / file  # an absolute path wins

    def copy(self, entry: QueueEntry, file: str, target: Path) -> None:
        """Copy a file of an entry to somewhere outside.

        Raises:
            BadInput: when the queue only refers to it.
        """
        if file not in entry.files:
            raise BadInput(
                f"The entry {entry.id} only refers to {file}; export needs scans that the queue "
                "has copied."
            )
        shutil.copyfile(self.path(entry, file), target)

    def remove(self, entry_id: str) -> Path:
        """Take an entry out of the queue; it stays under ``removed``.

        Returns:
            Where it lies now.

        Raises:
            BadInput: when there is none of that name.
        """
        self.entry(entry_id)
        try:
            return self._move(entry_id, "removed")
        except FileNotFoundError as error:
            raise BadInput(f"The entry {entry_id} has just been taken out by somebody.") from error

    def restore(self, entry_id: str) -> QueueEntry:
        """Bring back the entry of that name that was removed last, or set aside and mended since.

        Raises:
            BadInput: when there is none, it is still damaged, or the name is taken again.
        """
        name = _checked(entry_id)
        places = [
            path
            for place in ("damaged", "removed")
            for path in self._listed(place)
            if path.name.startswith(f"{name}.") and path.is_dir()
        ]
        if not places:
            raise BadInput(f"No entry {name} was removed from the queue {self.folder}.")
        if fault := fault_of(places[-1], name):
            raise BadInput(f"The entry {name} in {places[-1]} is still damaged. {fault}")
        try:
            places[-1].rename(self._place("entries") / name)
        except OSError as error:
            raise BadInput(f"The entry {name} is in the queue again already.") from error
        return self.entry(name)

    def taken_out(self) -> list[str]:
        """Entries that ``restore`` could bring a pair back by; see ``returnable``."""
        return returnable([path.name for path in self._listed("removed")], self._names())

    def close_to_others(self) -> int:
        """Take away what other accounts of the computer may read here.

        Returns:
            How many files and folders were open to them.
        """
        return close(self.folder) if self.folder.exists() else 0

    def verify(self) -> dict[str, str]:
        """Check every byte; set aside what is damaged, edited by hand or abandoned.

        What others could read is closed to them besides.

        Returns:
            What was set aside, with a sentence each; empty when all is well.
        """
        self.close_to_others()
        faults = [
            (name, fault_of(self._place("entries") / name, name), "entries")
            for name in self._names(every=True)
        ]
        faults += [(path.name, _abandoned(path), "tmp") for path in self._listed("tmp")]
        aside = {}
        for name, fault, source in faults:
            # What another program has moved meanwhile is no longer there to be at fault.
            with contextlib.suppress(FileNotFoundError):
                if fault:
                    self._move(name, "damaged", fault, source=source)
                    aside[name] = fault
        return aside

    def _add(self, draft: Submission) -> QueueEntry:
        named = check_pair(draft.pair) if draft.pair else ""
        private_folder(self.folder)
        for place in ("entries", "tmp", "given"):
            private_folder(self._place(place), like=self.folder)
        sums = {role: scan_checksum(scan) for role, scan in draft.scans.items()}
        pair, claims = self._pair_of(sums, named)
        tmp = self._place("tmp") / f"{pair}-{secrets.token_hex(8)}"
        try:
            tmp.mkdir(mode=0o700)
            scans = write_scans(draft, tmp)
            claims.append(self._claim(pair))
            entry = _numbered(claims[-1].name, draft, scans, sums)
            write_entry(entry, tmp)
            close(tmp, like=self.folder)
            publish(tmp, self._place("entries") / entry.id)
        except BaseException:
            shutil.rmtree(tmp, ignore_errors=True)
            for claim in claims:
                claim.unlink(missing_ok=True)
            raise
        return entry

    def _pair_of(self, sums: dict[str, str], named: str) -> tuple[str, list[Path]]:
        """The pair of some scans (the named or a fresh one where they are new), and its claims."""
        self._learn_scans()
        named = self.scans.meant_by(named) if named else ""
        pair, claims = self.scans.claim([*sums.values()], lambda: named or self.fresh_pair())
        if named and named != pair:
            self.scans.call(named, pair)
        return pair, claims

    def _learn_scans(self) -> dict[str, set[str]]:
        """Checksums of all scans by pair, those of entries from before they were kept, too."""
        found: dict[str, set[str]] = {}
        for entry in self.entries():
            with contextlib.suppress(BadInput, OSError, ValueError):  # ``verify`` tells of it
                sums = self.scans.sums_of(entry, partial(self._scan, entry))
                found.setdefault(entry.pair, set()).update(sums.values())
                self.scans.claim([*sums.values()], partial(str, entry.pair))
        return found

    def _scan(self, entry: QueueEntry, role: str) -> Volume:
        return read_volume(self.path(entry, entry.scans[role].image))

    def _claim(self, pair: str) -> Path:
        """Take the next id of a pair; its file under ``given``."""
        while True:
            revisions = [number for name, number in self._given() if name == pair]
            path = self._place("given") / f"{pair}.r{max(revisions, default=0) + 1}"
            with contextlib.suppress(FileExistsError):  # somebody else has just taken it
                path.touch(mode=0o600, exist_ok=False)
                close(path, like=self.folder)
                return path

    def _given(self) -> list[tuple[str, int]]:
        """Pairs and revisions that were ever given, wherever the entries lie now."""
        lists = [self._listed(place) for place in ("entries", "removed", "damaged", "given")]
        ids = [".".join(path.name.split(".")[:2]) for paths in lists for path in paths]
        return [pair_of(name) for name in ids if _is_id(name)]

    def _names(self, *, every: bool = False) -> list[str]:
        names = [path.name for path in self._listed("entries")]
        return names if every else [name for name in names if _is_id(name)]

    def _listed(self, place: str) -> list[Path]:
        try:
            return sorted(self._place(place).iterdir())
        except FileNotFoundError:
            return []
        except NotADirectoryError as error:
            raise BadInput(f"The queue {self.folder} is a file; give a folder.") from error
        except OSError as error:
            raise BadInput(f"The queue {self.folder} cannot be read: {in_words(error)}.") from error

    def _move(self, name: str, place: str, why: str = "", source: str = "entries") -> Path:
        """Move an entry or a draft aside; FileNotFoundError when somebody else was quicker."""
        target = self._place(place) / f"{name[:80]}.{time.time_ns()}"
        note = target.with_name(target.name + ".txt")
        try:
            private_folder(target.parent, like=self.folder)
            if why:
                note.write_text(why + "\n", encoding="utf-8")
                close(note, like=self.folder)
            (self._place(source) / name).rename(target)
        except OSError as error:
            note.unlink(missing_ok=True)
            if isinstance(error, FileNotFoundError):
                raise
            raise BadInput(f"The entry {name} cannot be moved: {in_words(error)}.") from error
        return target

    def _place(self, name: str) -> Path:
        return self.folder / name


def open_ledger(folder: Path) -> Ledger:
    """A queue that must be there already, so that a slip in its name is not an empty queue.

    Raises:
        BadInput: when there is no such folder.
    """
    if not Path(folder).exists():
        raise BadInput(f"There is no queue {folder}; 'cmcseg queue add' makes one.")
    return Ledger(folder)


def _numbered(
    entry_id: str, draft: Submission, scans: dict[str, EntryScan], sums: dict[str, str]
) -> QueueEntry:
    pair, revision = pair_of(entry_id)
    return QueueEntry(
        pair=pair,
        revision=revision,
        at=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        scans=scans,
        table=draft.table,
        model=draft.model,
        version=draft.version,
        sha256=draft.sha256,
        alignment=draft.alignment,
        changes=draft.changes,
        strokes=draft.strokes,
        seconds=draft.seconds,
        who=draft.who,
        notes=draft.notes,
        facts={SCANS: sums},
    )


def _checked(entry_id: str) -> str:
    try:
        return check_id(entry_id)
    except ValueError as error:
        raise BadInput(str(error)) from error


def _is_id(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(check_id(name))
    return False


def _abandoned(draft: Path) -> str:
    """One sentence when a draft has not grown for long, else empty."""
    with contextlib.suppress(FileNotFoundError):  # it has just become an entry
        if time.time() - draft.stat().st_mtime > STALE_SECONDS:
            return "It was never finished; the program ended while writing it."
    return ""
