"""``cmcseg queue import``: labelled pairs of others into the queue."""

import json
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from cmcseg.cli.console import checked
from cmcseg.core.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Import:
    """Add every labelled pair of a datalist or of nnU-Net datasets; what is kept back stays so."""

    source: Positional[Path]
    """A JSON list of cases (a key per role, or image and label), an nnU-Net or Decathlon data
    set, or a folder of nnU-Net data sets, one per role."""
    queue: Path
    """The queue's folder."""
    model: str
    """Model whose organs and values the label maps use."""
    who: str = ""
    """Who drew the label maps."""
    json: bool = False
    """Print the new ids as JSON."""

    def run(self) -> None:
        """Read and add them one by one."""
        from cmcseg.bundle.store import default_store
        from cmcseg.data.cohort import read_cohort
        from cmcseg.data.dataset_cohort import dataset_cohort
        from cmcseg.imaging.files import read_label_map, read_volume
        from cmcseg.queue.exchange import pair_for_import
        from cmcseg.queue.holdout import CHECK, LEARN
        from cmcseg.queue.ledger import Ledger
        from cmcseg.queue.submission import Submission, check_scans

        card = default_store().card(self.model)
        ledger = Ledger(self.queue)
        cohort = (dataset_cohort if self.source.is_dir() else read_cohort)(self.source, card)
        # A file that keeps nothing back leaves the choice to the queue.
        learn, check = (LEARN, CHECK) if cohort.validation else (None, None)
        values = (card.table, cohort.unannotated, cohort.names)
        ids = []
        for pair in (*cohort.train, *cohort.validation):
            drawn = {role: scan for role, scan in pair.scans.items() if scan.annotation}
            if not drawn:
                continue
            scans = {role: read_volume(scan.image) for role, scan in pair.scans.items()}
            check_scans(scans, card.table)
            part = check if pair in cohort.validation else learn
            draft = checked(
                Submission,
                scans=scans,
                corrected={
                    role: read_label_map(scan.annotation, *values, scans[role].grid)
                    for role, scan in drawn.items()
                    if scan.annotation
                },
                table=card.table,
                pair=pair_for_import(ledger, pair.id, part),
                organs={role: scan.organs for role, scan in drawn.items()},
                model=card.name,
                version=card.version,
                sha256=card.sha256,
                who=self.who,
            )
            ids.append(ledger.add(draft).id)
        if not ids:
            raise BadInput(f"{self.source} holds no labelled pair.")
        print(json.dumps({"entries": ids}) if self.json else "\n".join(ids))
