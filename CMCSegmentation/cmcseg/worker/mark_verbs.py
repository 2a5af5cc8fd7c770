"""Smart correction, as a worker serves it: look at a scan once, then answer every stroke."""

import time

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.mark import Mark
from cmcseg.core.messages import Message
from cmcseg.core.progress import Progress, Report
from cmcseg.worker.model_cache import ModelCache


def look(request: Message, cache: ModelCache, report: Report) -> Message:
    """Run ``model`` over the one scan that came along and remember what it sees, as ``scan``."""
    from cmcseg.predict.scan_memory import look

    values = request.values
    ((role, volume),) = request.volumes.items()
    report(Progress(stage="loading the model", done=0, total=1))
    bundle = cache.bundle(values["model"])
    cache.remember(values["scan"], look(volume, role, bundle, values["device"], report))
    return Message(verb="look", values={"scan": values["scan"]})


def propose(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """What a ``mark`` suggests within its box, whose ``labels`` came along.

    Answers with ``known`` false where the worker was started anew since it looked at ``scan``.
    """
    from cmcseg.predict.propose import propose

    values = request.values
    memory = cache.scans.get(values["scan"])
    if memory is None:
        return Message(verb="propose", values={"known": False})
    started = time.monotonic()
    mark, *earlier = (Mark.from_dict(value) for value in (values["mark"], *values["earlier"]))
    present = request.label_maps["labels"]
    box = _box_of(present.grid, memory.grid)
    labels = propose(memory, present.array, box, mark, tuple(earlier))
    return Message(
        verb="propose",
        values={"known": True, "seconds": time.monotonic() - started},
        label_maps={"labels": LabelMap(array=labels, grid=present.grid, table=present.table)},
    )


def _box_of(part: Grid, whole: Grid) -> tuple[slice, slice, slice]:
    """Which voxels of a scan a part of it covers."""
    first = whole.index(part.origin).round().astype(int)
    last = first + part.shape
    if (first < 0).any() or (last > whole.shape).any():
        raise BadInput("The mark lies outside the scan; draw it on the scan.")
    i, j, k = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return i, j, k
