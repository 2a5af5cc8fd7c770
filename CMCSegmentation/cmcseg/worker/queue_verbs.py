"""The queue, as a worker serves it: accepted pairs come in, the table goes out."""

from pathlib import Path

from cmcseg.core.messages import Message
from cmcseg.core.progress import Progress, Report
from cmcseg.core.settings import SegmentSettings
from cmcseg.queue.entry import QueueEntry
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.pseudonyms import key_beside, pair_for
from cmcseg.queue.submission import Submission
from cmcseg.worker.model_cache import ModelCache


def queue_add(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Keep a corrected pair; answers with its ``id``."""
    report(Progress(stage="keeping the pair", done=0, total=1))
    values = request.values
    corrected = _named(request, "corrected")
    facts = ("pair", "model", "version", "sha256", "alignment", "seconds", "who", "notes")
    entry = Ledger(Path(values["queue"])).add(
        Submission(
            scans=request.volumes,
            corrected=corrected,
            table=next(iter(corrected.values())).table,
            found=_named(request, "found"),
            changes=tuple(values["changes"]),
            strokes=tuple(values.get("strokes", ())),
            drawn=_named(request, "strokes"),
            **{name: values[name] for name in facts},
        )
    )
    return Message(verb="queue-add", values={"id": entry.id})


def queue_list(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """The newest revision of every pair, oldest first, and how many a model has not learned."""
    entries = Ledger(Path(request.values["queue"])).latest()
    learned: set[str] = set()
    if name := request.values.get("model"):
        for record in cache.store.card(name).history:
            learned.update(record.get("learned_from", ()))
    return Message(
        verb="queue-list",
        values={
            "entries": [_row(entry) for entry in entries],
            "new": sum(learned.isdisjoint((entry.id, entry.pair)) for entry in entries),
        },
    )


def queue_next(request: Message, cache: ModelCache, report: Report) -> Message:
    """The pairs of a ``folder`` to correct next, why others ``failed``, and the ``calibration``."""
    from cmcseg.worker.next_pairs import next_pairs

    values = request.values
    queue = Path(values["queue"])
    report(Progress(stage="loading the model", done=0, total=1))
    rows, failed, line = next_pairs(
        Path(values["folder"]),
        Ledger(queue),
        key_beside(queue),
        cache.bundle(values["model"]),
        SegmentSettings(device=values["device"]),
        count=values["count"],
        seed=values["seed"],
        report=report,
    )
    values = {"next": rows, "failed": failed, "calibration": line and line.to_dict()}
    return Message(verb="queue-next", values=values)


def queue_pair(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """The study-local id of a ``subject``, as ``pair``; a new one when it comes first."""
    queue = Path(request.values["queue"])
    pair = pair_for(request.values["subject"], key_beside(queue), Ledger(queue).fresh_pair)
    return Message(verb="queue-pair", values={"pair": pair})


def _named(request: Message, kind: str) -> dict:
    return {
        name.removeprefix(f"{kind} "): labels
        for name, labels in request.label_maps.items()
        if name.startswith(f"{kind} ")
    }


def _row(entry: QueueEntry) -> dict:
    organs = dict.fromkeys(change["organ"] for change in entry.changes)
    return {
        "id": entry.id,
        "pair": entry.pair,
        "at": entry.at,
        "who": entry.who,
        "status": {"learn": "to learn from", "check": "to compare models"}[entry.part],
        "summary": ", ".join(organs) or "accepted as found",
        "facts": {
            "model": f"{entry.model} {entry.version}".strip(),
            "seconds": entry.seconds,
            "notes": entry.notes,
            "roles": list(entry.scans),
            "changes": [dict(change) for change in entry.changes],
        },
    }
