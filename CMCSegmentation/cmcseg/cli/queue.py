"""``cmcseg queue``: corrected pairs as new labelled data."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.table import Column, Table
from tyro.conf import Positional, subcommand

from cmcseg.cli.console import ERRORS, SCREEN, checked
from cmcseg.cli.queue_forget import Forget
from cmcseg.cli.queue_import import Import
from cmcseg.cli.queue_next import Next
from cmcseg.core.card import ModelCard
from cmcseg.core.counted import counted
from cmcseg.core.errors import BadInput

if TYPE_CHECKING:
    from cmcseg.queue.ledger import Ledger


@dataclass(frozen=True, kw_only=True)
class Add:
    """Add a corrected scan or pair; prints the entry's id."""

    files: Positional[tuple[str, ...]]
    """ROLE=IMAGE and ROLE_labels=LABELMAP, where 255 means that nobody looked."""
    queue: Path
    """The queue's folder."""
    id: str
    """What your clinic calls the patient; the queue itself only keeps a random number for it."""
    model: str
    """Model whose organs and values the label maps use."""
    who: str = ""
    """Who corrected it."""
    notes: str = ""
    """Anything worth keeping; no patient's name."""
    key: Path | None = None
    """Folder of the key from patients to random numbers; beside the queue when left out."""
    reference: bool = False
    """Keep path and checksum of the scans instead of copying them; for image files whose path
    holds no patient's name."""
    json: bool = False
    """Print the entry as JSON."""

    def run(self) -> None:
        """Read, check, keep."""
        from cmcseg.bundle.store import default_store
        from cmcseg.imaging.files import read_label_map, read_volume
        from cmcseg.queue.ledger import Ledger
        from cmcseg.queue.pseudonyms import key_beside, pair_for
        from cmcseg.queue.reference import check_reference
        from cmcseg.queue.submission import Submission, check_scans

        card = default_store().card(self.model)
        images, labels = _files(self.files, card.roles)
        references = images if self.reference else {}
        for role, path in references.items():
            check_reference(role, path, self.id)
        volumes = {role: read_volume(path) for role, path in images.items()}
        check_scans(volumes, card.table)
        maps = {r: read_label_map(p, card.table, on=volumes[r].grid) for r, p in labels.items()}
        ledger = Ledger(self.queue)
        key = self.key or key_beside(self.queue)
        draft = checked(
            Submission,
            scans=volumes,
            corrected=maps,
            table=card.table,
            references=references,
            model=card.name,
            version=card.version,
            sha256=card.sha256,
            who=self.who,
            notes=self.notes,
        )
        # Last, so that what is refused leaves no key behind.
        pair = pair_for(self.id, key, ledger.fresh_pair)
        entry = ledger.add(replace(draft, pair=pair))
        if entry.pair != pair:
            ERRORS.print(
                f"The queue has these scans already, as {entry.pair}; this is its revision "
                f"{entry.revision}.",
                soft_wrap=True,
                markup=False,
            )
        print(json.dumps(entry.to_dict(), indent=1) if self.json else entry.id)


@dataclass(frozen=True, kw_only=True)
class List:
    """List the queue, oldest first."""

    queue: Path
    """The queue's folder."""
    json: bool = False
    """Print the entries as JSON."""

    def run(self) -> None:
        """Print a line per entry."""
        entries = _perhaps_new(self.queue).entries()
        if self.json:
            print(json.dumps([entry.to_dict() for entry in entries], indent=1))
            return
        # An id is there to be copied: it is folded rather than cut.
        entry = Column("entry", overflow="fold", min_width=19)
        show = Table(entry, "part", "when", "who", "scans", "model")
        for e in entries:
            model = f"{e.model} {e.version}".strip()
            show.add_row(e.id, e.part, e.at[:10], e.who, ", ".join(e.scans), model)
        SCREEN.print(show)


@dataclass(frozen=True, kw_only=True)
class Show:
    """Show one entry."""

    entry: Positional[str]
    """Its id."""
    queue: Path
    """The queue's folder."""
    json: bool = False
    """The same, as there is no other form."""

    def run(self) -> None:
        """Print its JSON."""
        from cmcseg.queue.ledger import open_ledger

        print(json.dumps(open_ledger(self.queue).entry(self.entry).to_dict(), indent=1))


@dataclass(frozen=True, kw_only=True)
class Remove:
    """Take an entry out; it stays in the folder 'removed' and can be restored."""

    entry: Positional[str]
    """Its id."""
    queue: Path
    """The queue's folder."""
    json: bool = False
    """Print where it lies now as JSON."""

    def run(self) -> None:
        """Move it aside."""
        from cmcseg.queue.ledger import open_ledger

        place = open_ledger(self.queue).remove(self.entry)
        if self.json:
            print(json.dumps({"removed": self.entry, "path": str(place)}))
        else:
            SCREEN.print(f"Removed {self.entry}; 'cmcseg queue restore' brings it back.")


@dataclass(frozen=True, kw_only=True)
class Restore:
    """Bring back an entry that was removed, or set aside and mended since."""

    entry: Positional[str]
    """Its id."""
    queue: Path
    """The queue's folder."""
    json: bool = False
    """Print the entry as JSON."""

    def run(self) -> None:
        """Move it back."""
        from cmcseg.queue.ledger import open_ledger

        entry = open_ledger(self.queue).restore(self.entry)
        print(json.dumps(entry.to_dict(), indent=1) if self.json else entry.id)


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Check every byte; set aside what is damaged, and close to others what they could read."""

    queue: Path
    """The queue's folder."""
    key: Path | None = None
    """Folder of the key from patients to random numbers; beside the queue when left out."""
    json: bool = False
    """Print the findings as JSON."""

    def run(self) -> None:
        """Check, and say what was set aside."""
        from cmcseg.core.privacy import close
        from cmcseg.queue.pseudonyms import key_beside

        ledger = _perhaps_new(self.queue)
        key = self.key or key_beside(self.queue)
        opened = ledger.close_to_others() + (close(key) if key.exists() else 0)
        aside = ledger.verify()
        twins = ledger.twins()
        if self.json:
            told = {"entries": len(ledger.entries()), "set_aside": aside, "twins": twins}
            print(json.dumps({**told, "closed": opened}, indent=1))
            return
        if opened:
            SCREEN.print(
                f"Other accounts of this computer could read "
                f"{counted(opened, 'file or folder', 'files and folders')} of the queue or its "
                "key; they no longer can.",
                soft_wrap=True,
            )
        for name, why in aside.items():
            SCREEN.print(f"{name}: {why}", soft_wrap=True, markup=False)
        for group in twins:
            told = (
                f"{' and '.join(group)} hold the same scan. Only one of them is used; where one is "
                "to learn from and one to compare models, that is the one to learn from."
            )
            SCREEN.print(told, soft_wrap=True, markup=False)
        count = len(ledger.entries())
        whole = counted(count, "entry is", "entries are")
        SCREEN.print(f"{whole} whole, {len(aside)} set aside.")


@dataclass(frozen=True, kw_only=True)
class Export:
    """Copy the queue into a folder that other programs can train from."""

    out: Positional[Path]
    """A new folder."""
    queue: Path
    """The queue's folder."""
    format: str = "datalist"
    """datalist (Decathlon, MONAI, 'cmcseg prepare') or nnunet (nnU-Net v2, a dataset per role)."""
    json: bool = False
    """Print the folder as JSON."""

    def run(self) -> None:
        """Copy and index."""
        from cmcseg.queue.exchange import export
        from cmcseg.queue.ledger import open_ledger

        ledger = open_ledger(self.queue)
        place = export(ledger, self.out, self.format, _card_of(ledger))
        print(json.dumps({"folder": str(place)}) if self.json else place)


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Keep corrected pairs as new labelled data."""

    verb: (
        Annotated[Add, subcommand("add")]
        | Annotated[List, subcommand("list")]
        | Annotated[Show, subcommand("show")]
        | Annotated[Next, subcommand("next")]
        | Annotated[Remove, subcommand("remove")]
        | Annotated[Restore, subcommand("restore")]
        | Annotated[Verify, subcommand("verify")]
        | Annotated[Forget, subcommand("forget")]
        | Annotated[Export, subcommand("export")]
        | Annotated[Import, subcommand("import")]
    )

    def run(self) -> None:
        """Run the chosen verb."""
        self.verb.run()


def _card_of(ledger: "Ledger") -> ModelCard | None:
    """The card of the model that the newest entry was made with, where it is at hand."""
    from cmcseg.bundle.store import default_store

    store, entries = default_store(), ledger.latest()
    name = entries[-1].model if entries else ""
    return store.card(name) if name in store.names() else None


def _files(words: tuple[str, ...], roles: tuple[str, ...]) -> tuple[dict, dict]:
    """Images and label maps by role."""
    images: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    for word in words:
        name, equals, path = word.partition("=")
        role, is_labels = name.removesuffix("_labels"), name.endswith("_labels")
        if not equals or not path or role not in roles:
            raise BadInput(
                f"{word!r} is neither ROLE=IMAGE nor ROLE_labels=LABELMAP; "
                f"the roles are {', '.join(roles)}."
            )
        place = labels if is_labels else images
        if role in place:
            raise BadInput(f"{name} was given twice.")
        place[role] = Path(path)
    if missing := sorted(set(labels) - set(images)):
        raise BadInput(f"{missing[0]}_labels was given without {missing[0]}=IMAGE.")
    return images, labels


def _perhaps_new(folder: Path) -> "Ledger":
    """The queue, which nobody may have begun yet; a slip in its name is told beside that."""
    from cmcseg.queue.ledger import Ledger

    if not folder.exists():
        ERRORS.print(f"There is no queue {folder} yet.", soft_wrap=True, markup=False)
    return Ledger(folder)
