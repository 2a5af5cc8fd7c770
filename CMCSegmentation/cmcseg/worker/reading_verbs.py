"""Reading files that nobody vouches for, in a process that does nothing else.

``cmcseg work --reading`` serves these verbs alone, within ``worker.reading_limits``.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.core.progress import Progress, Report
from cmcseg.worker.case_verbs import thumbnail
from cmcseg.worker.model_cache import ModelCache


def read_scan(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Read ``path``, a file or a DICOM folder, of which nothing may lie outside ``within``.

    Answers with the volume "scan", laid out with i running fastest as a window wants it, and with
    ``notes``: what the user should know of how it was read. ``stacks`` are the titles of what a
    DICOM folder holds, ``stack`` is the number of the one that was read, from 1; whoever asks
    tells of that choice.
    """
    from cmcseg.imaging.files import read_scan as read

    path = inside(Path(request.values["path"]), Path(request.values["within"]))
    report(Progress(stage=f"reading {path.name}", done=0, total=1))
    scan = read(path, within=Path(request.values["within"]), choice=False)
    note = scan.volume.facts.get("note", "")
    volume = replace(scan.volume, array=np.asfortranarray(scan.volume.array))
    values = {"notes": [note] if note else [], "stacks": list(scan.stacks), "stack": scan.stack}
    return Message(verb="read-scan", values=values, volumes={"scan": volume})


def series_stacks(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """What the DICOM series of ``file`` holds.

    Answers with ``titles`` of its stacks, as a list shows them, and the UIDs of the ``images`` of
    each.
    """
    from cmcseg.imaging.dicom import open_series

    stacks = open_series(Path(request.values["file"])).stacks
    values = {
        "titles": [stack.title for stack in stacks],
        "images": [[one.uid for one in stack.slices] for stack in stacks],
    }
    return Message(verb="series-stacks", values=values)


READING_VERBS = {"read-scan": read_scan, "thumbnail": thumbnail}


def inside(path: Path, within: Path) -> Path:
    """The path, which may not lead out of a folder, by a link neither.

    Raises:
        BadInput: when it does.
    """
    # Not Path.resolve, which raises where a link points at itself.
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(within)):
        raise BadInput(f"{path.name} lies outside the folder {within.name}; it was not read.")
    return path
