"""One page about a batch: a line a pair, with its report behind its name."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.card import RESEARCH_USE, ModelCard
from cmcseg.report.template import template


@dataclass(frozen=True, kw_only=True)
class BatchRow:
    """A pair as the page shows it.

    Attributes:
        pair: its name.
        doubt: in words or digits; empty when it failed.
        seconds: that it took.
        remarks: a sentence each.
        failed: whether it has no report.
    """

    pair: str
    doubt: str
    seconds: str
    remarks: tuple[str, ...]
    failed: bool

    @property
    def link(self) -> str:
        """Of the pair's own report, from the page."""
        return f"{quote(self.pair)}/report.html"


def write_batch_page(path: Path, card: ModelCard, rows: list[BatchRow]) -> None:
    """Write the page; it needs no network and runs no script, and appears whole.

    Raises:
        BadInput: when the disk refuses.
    """
    page = template("batch.html.j2")
    failed = sum(row.failed for row in rows)
    text = page.render(card=card, rows=rows, failed=failed, disclaimer=f"{RESEARCH_USE}.")
    write_whole(path, text)
