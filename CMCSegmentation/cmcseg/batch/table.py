"""The table of a batch: a line a pair, written as pairs end, and a page with the worst first."""

import csv
import io
import time
from pathlib import Path

from cmcseg.batch.task import Outcome
from cmcseg.core.atomic_write import write_whole
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.report.batch_page import BatchRow, write_batch_page

TABLE, PAGE = "batch.csv", "batch.html"
SELDOM = 10.0  # seconds between two pages; a page of thousands takes a while


class BatchTable:
    """``batch.csv`` and ``batch.html`` of a folder.

    Args:
        out: the folder.
        card: of the model; its roles and organs are the columns of volumes.
        known: outcomes of earlier runs; what else stood in the table is forgotten.

    Attributes:
        outcomes: by pair.
    """

    def __init__(self, out: Path, card: ModelCard, known: list[Outcome]) -> None:
        self.out = out
        self.outcomes = {outcome.pair: outcome for outcome in known}
        self._card = card
        self._columns = [(role, label.name) for role in card.roles for label in card.table]
        self._written = 0.0
        head = ["pair", "state", "doubt", "seconds", "warnings", "trouble"]
        head += [f"{role} {organ} ml" for role, organ in self._columns]
        lines = [head, *(self._line(outcome) for outcome in known)]
        write_whole(out / TABLE, "".join(_row(line) for line in lines))
        self.write_page()

    def add(self, outcome: Outcome) -> None:
        """Write one line; a pair has one, however often its outcome is told.

        Raises:
            BadInput: when the disk refuses.
        """
        if outcome.pair in self.outcomes:
            return
        self.outcomes[outcome.pair] = outcome
        try:
            with (self.out / TABLE).open("a", encoding="utf-8", newline="") as file:
                file.write(_row(self._line(outcome)))
        except OSError as error:
            raise BadInput(f"{self.out / TABLE} cannot be written: {error.strerror}.") from error
        if time.monotonic() - self._written > SELDOM:
            self.write_page()

    def write_page(self) -> None:
        """Write the page anew: failures first, then the most doubtful."""
        outcomes = sorted(
            self.outcomes.values(),
            key=lambda o: (not o.trouble, -(o.doubt or 0.0), o.pair),
        )
        rows = [
            BatchRow(
                pair=o.pair,
                doubt="" if o.doubt is None else f"{o.doubt:.3f}",
                seconds=f"{o.seconds:.0f}",
                remarks=(o.trouble, *o.warnings) if o.trouble else o.warnings,
                failed=bool(o.trouble),
            )
            for o in outcomes
        ]
        write_batch_page(self.out / PAGE, self._card, rows)
        self._written = time.monotonic()

    @property
    def failed(self) -> list[Outcome]:
        """The pairs without a result."""
        return [outcome for outcome in self.outcomes.values() if outcome.trouble]

    def _line(self, outcome: Outcome) -> list[str]:
        volumes = outcome.volumes_ml or {}
        found = (volumes.get(role, {}).get(organ) for role, organ in self._columns)
        return [
            outcome.pair,
            "failed" if outcome.trouble else "done",
            "" if outcome.doubt is None else f"{outcome.doubt:.4f}",
            f"{outcome.seconds:.1f}",
            " ".join(outcome.warnings),
            outcome.trouble,
            *("" if ml is None else f"{ml:.2f}" for ml in found),
        ]


def _row(values: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()
