"""The queue, as a worker serves it: accepted pairs come in, the table goes out."""

from pathlib import Path

import numpy as np

from cmcseg.core.messages import Message
from cmcseg.core.progress import Progress, Report
from cmcseg.core.settings import SegmentSettings
from cmcseg.learn.label_checks import implausible
from cmcseg.queue.challengers import recall
from cmcseg.queue.entry import QueueEntry
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.pseudonyms import key_beside, pair_for
from cmcseg.queue.submission import Submission
from cmcseg.worker.model_cache import ModelCache


def queue_add(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Keep a corrected pair; answers with its ``id``, and a ``warning`` of odd labels."""
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
    return Message(verb="queue-add", values={"id": entry.id, "warning": _warning(request)})


def queue_list(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """The newest revision of every pair, oldest first, and how many a model has not learned."""
    entries = Ledger(Path(request.values["queue"])).latest()
    learned: set[str] = set()
    judged: dict = {}
    if name := request.values.get("model"):
        card = cache.store.card(name)
        for record in card.history:
            learned.update(record.get("learned_from", ()))
        pairs = {entry.pair for entry in entries} - learned
        judged = _judged(Path(request.values["queue"]), card.sha256, pairs)
    return Message(
        verb="queue-list",
        values={
            "entries": [_row(entry) for entry in entries],
            "judged": judged,
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


def _warning(request: Message) -> str:
    """One sentence when labels look like a mistake, while the user can still mend them."""
    found = _named(request, "found")
    for role, labels in _named(request, "corrected").items():
        said = found[role].array if role in found else np.zeros_like(labels.array)
        image, known = request.volumes[role].array, (True,) * labels.table.classes
        if why := implausible(image, labels.array, said, labels.grid, labels.table, known):
            return (
                f"In the {role} {why}; such a pair is not learned from. Look again, and accept it "
                "again once it is mended."
            )
    return ""


def _judged(queue: Path, sha256: str, pairs: set[str]) -> dict:
    """Changes of the pairs that were judged for a model, and how many will be next time."""
    found = recall(queue, sha256) or {"scores": [], "learned": [], "candidate": ""}
    changes: dict[str, list[float]] = {}
    for score in found["scores"]:
        changes.setdefault(score["case"], []).append(score["new"] - score["old"])
    new = pairs - set(changes) - set(found["learned"])
    coming = len(new) if found["candidate"] else max(0, len(new) - 1)
    return {"changes": [float(np.mean(values)) for values in changes.values()], "coming": coming}


def queue_remove(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Take the entry ``id`` out of the queue; it can be restored."""
    Ledger(Path(request.values["queue"])).remove(request.values["id"])
    return Message(verb="queue-remove", values={"id": request.values["id"]})


def queue_restore(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Bring the entry ``id`` back that was removed."""
    Ledger(Path(request.values["queue"])).restore(request.values["id"])
    return Message(verb="queue-restore", values={"id": request.values["id"]})


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
