"""The queue, as a worker serves it: accepted pairs come in, the table goes out."""

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cmcseg.core.atomic_write import atomic_path
from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.core.progress import Progress, Report
from cmcseg.core.settings import SegmentSettings
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.learn.comparisons import Past
from cmcseg.learn.label_checks import implausible
from cmcseg.learn.noninferiority import by_case, gain
from cmcseg.queue.challengers import recall
from cmcseg.queue.entry import QueueEntry
from cmcseg.queue.exchange import export
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.pseudonyms import key_beside, pair_for
from cmcseg.queue.submission import Submission
from cmcseg.worker.model_cache import ModelCache


def queue_add(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Keep a corrected pair; answers with its ``id``, and what look like ``mistakes`` by role."""
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
    return Message(verb="queue-add", values={"id": entry.id, "mistakes": _mistakes(request)})


def queue_list(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """The newest revision of every pair, oldest first, and how many a model has not learned."""
    ledger = Ledger(Path(request.values["queue"]))
    entries = ledger.latest()
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
            "taken_out": ledger.taken_out(),
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
        without=frozenset(map(Path, values.get("without", ()))),
        report=report,
    )
    values = {"next": rows, "failed": failed, "calibration": line and line.to_dict()}
    return Message(verb="queue-next", values=values)


def queue_pair(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """The study-local id of a ``subject``, as ``pair``; a new one when it comes first."""
    queue = Path(request.values["queue"])
    pair = pair_for(request.values["subject"], key_beside(queue), Ledger(queue).fresh_pair)
    return Message(verb="queue-pair", values={"pair": pair})


def _mistakes(request: Message) -> dict[str, str]:
    """What looks like one, while the user can still mend it."""
    found, told = _named(request, "found"), {}
    for role, labels in _named(request, "corrected").items():
        said = found[role].array if role in found else np.zeros_like(labels.array)
        image, known = request.volumes[role].array, (True,) * labels.table.classes
        if why := implausible(image, labels.array, said, labels.grid, labels.table, known):
            told[role] = why
    return told


def _judged(queue: Path, sha256: str, pairs: set[str]) -> dict:
    """Gains of the pairs that were judged for a model, and how many were not yet."""
    found = recall(queue, sha256)
    past = Past.from_dict(found) if found else Past()
    gains = by_case(past.scores, gain)
    return {"gains": list(gains.values()), "coming": len(pairs - set(gains))}


def queue_remove(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Take the entry ``id`` out of the queue; it can be restored."""
    Ledger(Path(request.values["queue"])).remove(request.values["id"])
    return Message(verb="queue-remove", values={"id": request.values["id"]})


def queue_restore(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Bring the entry ``id`` back that was removed."""
    Ledger(Path(request.values["queue"])).restore(request.values["id"])
    return Message(verb="queue-restore", values={"id": request.values["id"]})


def queue_open(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """What the entry ``id`` holds: scans by role, label maps "corrected ROLE" and "found ROLE".

    Where no model had been asked, what was drawn stands in for what it found.
    """
    ledger = Ledger(Path(request.values["queue"]))
    entry = ledger.entry(request.values["id"])
    volumes, label_maps = {}, {}
    for role, scan in entry.scans.items():
        if not scan.labels:
            raise BadInput("The pair was marked with scribbles; open it where they were drawn.")
        volumes[role] = read_volume(ledger.path(entry, scan.image))
        for kind, name in (("corrected", scan.labels), ("found", scan.found or scan.labels)):
            path = ledger.path(entry, name)
            label_maps[f"{kind} {role}"] = read_label_map(path, entry.table)
    facts = {name: getattr(entry, name) for name in ("id", "pair", "model", "version", "sha256")}
    return Message(
        verb="queue-open",
        values={**facts, "alignment": entry.alignment},
        volumes=volumes,
        label_maps=label_maps,
    )


def queue_export(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Write the newest revision of every pair, as a datalist, into the archive ``path``."""
    report(Progress(stage="packing the queue", done=0, total=1))
    target = Path(request.values["path"])
    with TemporaryDirectory(dir=target.parent) as place:
        folder = export(Ledger(Path(request.values["queue"])), Path(place) / "queue")
        with atomic_path(target) as draft, zipfile.ZipFile(draft, "w") as archive:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(file, file.relative_to(folder))  # packed already
    return Message(verb="queue-export", values={"path": str(target)})


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
