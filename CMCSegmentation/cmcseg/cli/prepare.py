"""``cmcseg prepare``: a cohort's files into a cache."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from cmcseg.cli.screen import SCREEN, bar


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Read a cohort once into a cache that training starts from."""

    cohort: Positional[Path]
    """A JSON datalist with a key per role; 'task' names the task."""
    out: Path
    """The cache's folder; it must not exist."""

    def run(self) -> None:
        """Read, normalise, resample, write."""
        from cmcseg.bundle.store import task_card
        from cmcseg.data.cohort import read_cohort, read_datalist
        from cmcseg.data.prepare import prepare

        card = task_card(str(read_datalist(self.cohort).get("task", "")))
        with bar() as report:
            cache = prepare(read_cohort(self.cohort, card), card, self.out, report)
        SCREEN.print(f"{len(cache.scans)} scans in {self.out}", soft_wrap=True)
