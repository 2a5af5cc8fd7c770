"""``cmcseg queue next``: which pairs to look at next."""

import json
from dataclasses import dataclass
from pathlib import Path

from rich.table import Column, Table
from tyro.conf import Positional

from cmcseg.cli.console import ERRORS, SCREEN, bar, checked
from cmcseg.core.counted import counted
from cmcseg.core.errors import BadInput
from cmcseg.core.user_path import user_path


@dataclass(frozen=True, kw_only=True)
class Next:
    """Say which pairs of a folder to correct next: half of the places by doubt, half by chance.

    Every pair that is not in the queue is segmented once; doubts are kept with the queue.
    """

    folder: Positional[Path]
    """Holds NAME_ROLE.nii.gz files, or a folder NAME per pair with ROLE.nii.gz in it."""
    queue: Path
    """The queue's folder."""
    model: str
    """Model whose doubt is asked for."""
    key: Path | None = None
    """Folder of the key from patients to random numbers; beside the queue when left out."""
    count: int = 10
    """How many to name."""
    seed: int = 0
    """Decides the places that go by chance."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    json: bool = False
    """Print the places as JSON."""

    def run(self) -> None:
        """Look, ask the model, order."""
        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.store import default_store
        from cmcseg.core.settings import SegmentSettings
        from cmcseg.queue.ledger import Ledger
        from cmcseg.queue.pseudonyms import key_beside
        from cmcseg.worker.next_pairs import next_pairs

        if self.count < 1:
            raise BadInput(f"{self.count} pairs are none to look at; give 1 or more.")
        settings = checked(SegmentSettings, device=self.device)
        bundle = load_bundle(default_store().find(self.model))
        key = self.key or key_beside(self.queue)
        with bar(quiet=self.json) as report:
            rows, failed, line = next_pairs(
                user_path(self.folder),
                Ledger(self.queue),
                key,
                bundle,
                settings,
                count=self.count,
                seed=self.seed,
                report=report,
            )
        if self.json:
            told = {"next": rows, "failed": failed, "calibration": line and line.to_dict()}
            print(json.dumps(told, indent=1))
            return
        for pair, why in failed.items():
            ERRORS.print(f"{pair}: {why}", soft_wrap=True, markup=False)
        show = Table(
            Column("pair", overflow="fold"), "doubt", "expected 1 - Dice", "chosen by", "scans"
        )
        for row in rows:
            error = "-" if row["error"] is None else f"{row['error']:.2f}"
            scans = ", ".join(row["scans"])
            show.add_row(row["pair"], f"{row['doubt']:.3f}", error, row["by"], scans)
        SCREEN.print(show)
        if line:
            SCREEN.print(
                f"Errors as on {counted(line.cases, 'pair')} kept back; off by {line.miss:.2f} on "
                f"average, by {line.miss_without:.2f} without looking at the doubt.",
                soft_wrap=True,
            )
        if not rows and not failed:
            SCREEN.print(f"Every pair of {self.folder} is in the queue.", soft_wrap=True)
