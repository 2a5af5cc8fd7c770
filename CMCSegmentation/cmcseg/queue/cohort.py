"""The queue as something to learn from."""

from cmcseg.core.card import ModelCard
from cmcseg.core.case import Cohort, Pair, Scan
from cmcseg.queue.entry import QueueEntry
from cmcseg.queue.ledger import Ledger


def as_cohort(ledger: Ledger, card: ModelCard) -> Cohort:
    """The newest revision of every pair whose roles and organs are the model's.

    ``train`` holds what may be learned from, ``validation`` what is kept to compare models.

    Args:
        ledger: the queue.
        card: of the model that is to learn.
    """
    parts: dict[str, list[Pair]] = {"learn": [], "check": []}
    for entry in ledger.latest():
        if fits(entry, card):
            parts[entry.part].append(_pair(ledger, entry))
    return Cohort(
        name=ledger.folder.name,
        roles=card.roles,
        table=card.table,
        train=tuple(parts["learn"]),
        validation=tuple(parts["check"]),
    )


def fits(entry: QueueEntry, card: ModelCard) -> bool:
    """Whether an entry's roles and label values mean the same to a model."""
    names = {label.value: label.name for label in card.table}
    return set(entry.scans) <= set(card.roles) and all(
        names.get(label.value) == label.name for label in entry.table
    )


def _pair(ledger: Ledger, entry: QueueEntry) -> Pair:
    scans = {}
    for role, scan in entry.scans.items():
        labels, scribbles = (
            ledger.path(entry, name) if name else None for name in (scan.labels, scan.scribbles)
        )
        scans[role] = Scan(
            role=role,
            image=ledger.path(entry, scan.image),
            labels=labels,
            scribbles=scribbles,
            organs=scan.organs,
        )
    return Pair(id=entry.pair, scans=scans)
