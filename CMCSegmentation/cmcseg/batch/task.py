"""One pair of a batch: what is to be done, whether it is done, and doing it."""

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from cmcseg.bundle.load import Bundle, load_bundle
from cmcseg.core.atomic_write import write_whole
from cmcseg.core.errors import BadInput
from cmcseg.core.json_file import read_json
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.whole_folder import new_folder
from cmcseg.imaging.files import is_series, read_volume, series_files, split_number
from cmcseg.imaging.role_checks import name_warnings
from cmcseg.predict.segment import segment
from cmcseg.predict.write import REPORT, former_files, write_prediction
from cmcseg.queue.rank import doubt_score
from cmcseg.report.page import write_report

RECORD = "batch.json"  # beside the results of a pair


@dataclass(frozen=True, kw_only=True)
class Task:
    """A pair that waits.

    Attributes:
        pair: its name, which is that of its folder of results.
        scans: what to read, by role.
        out: folder of the batch.
        model: folder of the model.
        sha256: of the model's weights, as they were when the batch began.
        settings: how to segment.
        threads: of the processor; 0 leaves that to torch.
    """

    pair: str
    scans: dict[str, Path]
    out: Path
    model: Path
    sha256: str
    settings: SegmentSettings
    threads: int = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a pair.

    Attributes:
        pair: its name.
        trouble: why there is no result, in a sentence; empty when there is one.
        doubt: as ``queue.rank.doubt_score``, 0 to 1; None without a result.
        seconds: that it took.
        volumes_ml: by role and organ.
        warnings: a sentence each.
    """

    pair: str
    trouble: str = ""
    doubt: float | None = None
    seconds: float = 0.0
    volumes_ml: dict[str, dict[str, float]] | None = None
    warnings: tuple[str, ...] = ()


def known_outcome(task: Task) -> Outcome | None:
    """The outcome of an earlier run with these very scans, this model and these settings.

    Files whose size and time of change are as they were count as the same; where only the time
    differs, their bytes are asked.
    """
    try:
        record = read_json(task.out / task.pair / RECORD)
        if record["sha256"] != task.sha256 or record["settings"] != asdict(task.settings):
            return None
        if set(record["scans"]) != set(task.scans):
            return None
        for role, scan in task.scans.items():
            known = record["scans"][role]
            if known["stamp"] != _stamp(scan) and known["checksum"] != _checksum(scan):
                return None
        told = record["outcome"]
        return Outcome(**{**told, "pair": task.pair, "warnings": tuple(told["warnings"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def carry_out(task: Task) -> Outcome:
    """Segment a pair and write its folder whole; whatever is wrong with it becomes its outcome."""
    began = time.monotonic()
    try:
        return _segmented(task, began)
    except BadInput as error:
        trouble = str(error)
    except MemoryError:
        trouble = "The memory is too small for these scans; run fewer pairs at a time."
    # One pair in ten thousand finds what nobody thought of; the others shall not suffer for it.
    except Exception as error:
        trouble = f"{type(error).__name__}: {error}".splitlines()[0]
    return Outcome(pair=task.pair, trouble=trouble, seconds=time.monotonic() - began)


def _segmented(task: Task, began: float) -> Outcome:
    bundle = _warm(task.model, task.sha256, task.threads)
    place = task.out / task.pair
    former = (*former_files(place, tuple(task.scans)), RECORD)
    # Before they are read: a file that changes meanwhile is read again the next time.
    files = {
        role: {"stamp": _stamp(scan), "checksum": _checksum(scan)}
        for role, scan in task.scans.items()
    }
    volumes = {role: read_volume(scan) for role, scan in task.scans.items()}
    names = {role: scan.name for role, scan in task.scans.items()}
    found = segment(volumes, bundle, task.settings)
    with new_folder(place, former) as draft:
        summary = write_prediction(found, volumes, task.scans, draft)
        page = draft / REPORT
        write_report(page, card=bundle.card, volumes=volumes, prediction=found, scans=names)
        outcome = Outcome(
            pair=task.pair,
            doubt=doubt_score(
                {role: doubt.array for role, doubt in found.doubt.items()},
                {role: labels.array for role, labels in found.labels.items()},
            ),
            seconds=time.monotonic() - began,
            volumes_ml=summary["volumes_ml"],
            warnings=(*name_warnings(names, bundle.card), *summary["warnings"]),
        )
        record = {
            "sha256": task.sha256,
            "settings": asdict(task.settings),
            "scans": files,
            "outcome": asdict(outcome),
        }
        write_whole(draft / RECORD, json.dumps(record, indent=1) + "\n")
    return outcome


@lru_cache(maxsize=1)
def _warm(model: Path, sha256: str, threads: int) -> Bundle:
    """The model of this process, read once."""
    if threads:
        import torch

        torch.set_num_threads(threads)
    bundle = load_bundle(model)
    if bundle.card.sha256 != sha256:
        raise BadInput(f"The model {model} is another one here than where the batch was started.")
    return bundle


def _stamp(scan: Path) -> list:
    """What changes when a file is written: sizes and times, also of what it holds."""
    path, _ = split_number(scan)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = [file.stat() for file in files]
    return [len(files), sum(s.st_size for s in stats), max(s.st_mtime_ns for s in stats)]


def _checksum(scan: Path) -> str:
    """SHA-256 over the bytes of a file, or of all files of a series in order."""
    digest = hashlib.sha256()
    for path in series_files(scan) if is_series(scan) else [scan]:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()
