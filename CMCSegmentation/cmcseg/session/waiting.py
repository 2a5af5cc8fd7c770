"""Pairs that nobody has corrected yet: how the model is asked about them, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.session.i18n import _
from cmcseg.session.ports import Queue
from cmcseg.session.segment import SegmentSession

COUNT = 10  # pairs of a list


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A pair of the list.

    Attributes:
        name: what it is called on the disk.
        scans: file or DICOM folder by role.
        doubt: how doubtful the model is about it, 0 to 1.
        by: why it was chosen: ``doubt`` or ``chance``.
        status: empty, ``accepted``, ``skipped``, or one sentence saying what went wrong.
    """

    name: str
    scans: dict[str, Path]
    doubt: float
    by: str
    status: str = ""


def question(
    segment: SegmentSession,
    queue: Queue | None,
    folder: Path,
    *,
    count: int = COUNT,
    seed: int = 0,
    without: Sequence[Path] = (),
) -> Message:
    """What a worker is sent; ``waiting_in`` reads the answer.

    Args:
        segment: knows which model is chosen, and where it runs.
        queue: what is in it waits no longer.
        folder: where the scans lie.
        count: how many pairs.
        seed: decides those that are chosen by chance.
        without: scans whose pairs are left out as well.

    Raises:
        BadInput: when there is no model, or no queue.
    """
    if segment.card is None:
        raise BadInput(_("Choose a model first; it is asked which pairs it doubts."))
    if queue is None:
        raise BadInput(_("No folder for the queue is chosen; choose one."))
    values = {
        **queue.place,
        "folder": str(folder),
        "model": segment.card.name,
        "device": segment.settings.device,
        "count": count,
        "seed": seed,
        "without": [str(path) for path in without],
    }
    return Message(verb="queue-next", values=values)


def waiting_in(answer: Message) -> list[Waiting]:
    """The pairs in the order in which they should be corrected."""
    return [
        Waiting(
            name=row["pair"],
            scans={role: Path(path) for role, path in row["scans"].items()},
            doubt=row["doubt"],
            by=row["by"],
        )
        for row in answer.values["next"]
    ]


def waiting_line(number: int, count: int, name: str, by: str) -> str:
    """Where in the list one is: "2 of 10: case7, chosen by doubt"."""
    ways = {"doubt": _("chosen by doubt"), "chance": _("chosen by chance")}
    return _("{number} of {count}: {name}, {why}").format(
        number=number, count=count, name=name, why=ways[by]
    )


def about(name: str, sentence: str) -> str:
    """What is said of one pair."""
    return _("{name}: {sentence}").format(name=name, sentence=sentence)
