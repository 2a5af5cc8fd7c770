"""``cmcseg.Queue``: corrected scans as new labelled data."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cmcseg.api.arrays import Scan, labels_of, volumes_of
from cmcseg.bundle.store import default_store
from cmcseg.core.errors import BadInput
from cmcseg.core.user_path import user_path
from cmcseg.queue.entry import QueueEntry
from cmcseg.queue.exchange import export
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.pseudonyms import key_beside, pair_for
from cmcseg.queue.submission import Submission, check_scans


class Queue:
    """The queue in a folder; made when the first correction comes.

    Args:
        folder: where it lies, or will lie.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = user_path(folder)
        self._ledger = Ledger(self.folder)

    def add(
        self,
        scans: Mapping[str, Scan],
        labels: Mapping[str, Any],
        *,
        model: str | Path,
        id: str,  # noqa: A002
        spacing: Any = None,
        axes: Any = "",
        affine: Any = None,
        who: str = "",
        notes: str = "",
    ) -> QueueEntry:
        """Add a corrected scan or pair.

        Args:
            scans: by role, as of ``segment``.
            labels: by role, files or arrays in their scan's axes; 255 where nobody looked.
            model: whose organs and values the labels use.
            id: what your clinic calls the patient; the queue keeps a random number for it.
            spacing, axes, affine: of arrays, as of ``segment``.
            who: corrected it.
            notes: anything worth keeping; no patient's name.

        Raises:
            BadInput: when scans or labels cannot be used.
        """
        card = default_store().card(model)
        for role in scans:
            card.input(role)
        volumes = volumes_of(scans, spacing=spacing, axes=axes, affine=affine)
        check_scans(volumes, card.table)
        corrected = labels_of(labels, volumes, card.table)
        pair = pair_for(id, key_beside(self.folder), self._ledger.fresh_pair)
        try:
            draft = Submission(
                scans=volumes,
                corrected=corrected,
                table=card.table,
                pair=pair,
                model=card.name,
                version=card.version,
                sha256=card.sha256,
                who=who,
                notes=notes,
            )
        except ValueError as error:
            raise BadInput(str(error)) from error
        return self._ledger.add(draft)

    def __iter__(self) -> Iterator[QueueEntry]:
        """The entries, oldest first."""
        return iter(self._ledger.entries())

    def __len__(self) -> int:
        return len(self._ledger.entries())

    def remove(self, entry: str) -> Path:
        """Take an entry out; returns where it lies now, from where it can come back."""
        return self._ledger.remove(entry)

    def export(self, folder: str | Path, form: str = "datalist") -> Path:
        """Copy the newest revision of every pair; ``form`` is ``datalist`` or ``nnunet``."""
        return export(self._ledger, user_path(folder), form)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{entry.id}</td><td>{', '.join(entry.scans)}</td><td>{entry.at[:10]}</td></tr>"
            for entry in self
        )
        return f"<table><tr><th>entry</th><th>scans</th><th>when</th></tr>{rows}</table>"
