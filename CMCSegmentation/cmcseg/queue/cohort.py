"""The queue as something to learn from."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from cmcseg.core.card import ModelCard
from cmcseg.core.case import Cohort, Pair, Scan
from cmcseg.queue.entry import QueueEntry
from cmcseg.queue.holdout import CHECK, LEARN
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.scan_index import one_of_twins

MOST_WAITING = 8  # pairs that nobody has labelled; the model is asked about each, which takes time


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """What a queue has to teach a model, and what it has not.

    Attributes:
        cohort: pairs to learn from and pairs that are kept back.
        set_aside: entries that were found damaged just now, with a sentence each.
        unfit: ids of whole entries that are not for this model, with a sentence each.
    """

    cohort: Cohort
    set_aside: dict[str, str]
    unfit: dict[str, str]


def gather(ledger: Ledger, card: ModelCard) -> Lessons:
    """Check every byte of the queue, then take what a model can learn from.

    Args:
        ledger: the queue; damaged entries are set aside.
        card: of the model that is to learn.
    """
    set_aside = ledger.verify()
    reasons = {entry.id: why_unfit(entry, card) for entry in ledger.latest()}
    return Lessons(
        cohort=as_cohort(ledger, card),
        set_aside=set_aside,
        unfit={name: why for name, why in reasons.items() if why},
    )


def as_cohort(ledger: Ledger, card: ModelCard) -> Cohort:
    """The newest revision of every pair whose roles and organs are the model's.

    ``train`` holds what may be learned from, ``validation`` what is kept to compare models. Of
    pairs that hold the same scan one is taken.

    Args:
        ledger: the queue.
        card: of the model that is to learn.
    """
    parts: dict[str, list[Pair]] = {LEARN: [], CHECK: []}
    for entry in one_of_twins(ledger.latest(), ledger.twins()):
        if not why_unfit(entry, card):
            parts[entry.part].append(_pair(ledger, entry, card))
    return Cohort(
        name=ledger.folder.name,
        roles=card.roles,
        table=card.table,
        train=tuple(parts[LEARN]),
        validation=tuple(parts[CHECK]),
    )


def with_waiting(cohort: Cohort, waiting: dict[str, dict[str, Path]]) -> Cohort:
    """The cohort with some pairs to learn from that nobody has labelled.

    Their names may tell patients, and ids end up with the model: they are known by a hash. It also
    draws which of many are taken, always the same ones.

    Args:
        cohort: of a queue.
        waiting: scans by role, by name, as ``pairs_waiting`` finds them.
    """
    found = {}
    for name, scans in waiting.items():
        paths = " ".join(str(path.resolve()) for _, path in sorted(scans.items()))
        digest = hashlib.sha256(f"{name} {paths}".encode()).hexdigest()[:12]
        found[f"waiting-{digest}"] = scans
    pairs = tuple(
        Pair(id=name, scans={role: Scan(role=role, image=path) for role, path in scans.items()})
        for name, scans in sorted(found.items())[:MOST_WAITING]
    )
    return replace(cohort, train=(*cohort.train, *pairs))


def why_unfit(entry: QueueEntry, card: ModelCard) -> str:
    """One sentence saying why an entry means nothing to a model, or empty."""
    if strange := sorted(set(entry.scans) - set(card.roles)):
        return (
            f"It has a scan {strange[0]}, and the model {card.name} takes {', '.join(card.roles)}."
        )
    names = {label.value: label.name for label in card.table}
    for label in entry.table:
        if names.get(label.value) != label.name:
            return (
                f"Its value {label.value} means {label.name}; to the model {card.name} it means "
                f"{names.get(label.value, 'nothing, see cmcseg models extend')}."
            )
    return ""


def _pair(ledger: Ledger, entry: QueueEntry, card: ModelCard) -> Pair:
    # Before the model had room for an organ nobody looked at it: its background may be that organ.
    every = tuple(label.name for label in entry.table) if len(entry.table) < len(card.table) else ()
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
            organs=scan.organs or every,
        )
    return Pair(id=entry.pair, scans=scans)
