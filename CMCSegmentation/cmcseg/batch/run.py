"""A batch from its list to its table, read from top to bottom."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from cmcseg.batch.table import BatchTable
from cmcseg.batch.task import Outcome, Task, known_outcome
from cmcseg.core.card import ModelCard
from cmcseg.core.counted import counted
from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.whole_folder import check_folder
from cmcseg.data.cohort import read_cohort
from cmcseg.imaging.pair_files import pairs_in_folder

Engine = Callable[[list[Task]], Iterator[Outcome]]
LOCK = ".batch.lock"
ROOM = 64 << 20  # bytes that a disk must have left for the next result


def list_pairs(source: Path, card: ModelCard) -> dict[str, dict[str, Path]]:
    """The scans by role of every pair of a folder or of a datalist, by name.

    Raises:
        BadInput: when there is none, or it cannot be read.
    """
    if source.suffix.lower() != ".json":
        return pairs_in_folder(source, card.roles)
    cohort = read_cohort(source, card)
    pairs = [*cohort.train, *cohort.validation]
    return {pair.id: {role: s.image for role, s in pair.scans.items()} for pair in pairs}


def run_batch(
    source: Path,
    out: Path,
    model: Path,
    card: ModelCard,
    settings: SegmentSettings,
    engine: Engine,
    *,
    threads: int = 0,
    report: Report = ignore,
) -> BatchTable:
    """Segment every pair that has no result of this model yet.

    Args:
        source: a folder as ``queue next`` reads it, or a datalist.
        out: gets a folder a pair, ``batch.csv`` and ``batch.html``, which grow meanwhile.
        model: folder of the model.
        card: of the model.
        settings: how to segment.
        engine: carries tasks out, in any order.
        threads: of the processor for each pair; 0 leaves that to torch.
        report: told after every pair, with the pace of this run.

    Raises:
        BadInput: when there is no pair, ``out`` cannot be written, has no room left, or another
            batch writes into it.
    """
    pairs = list_pairs(source, card)
    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise BadInput(
            f"Another batch is writing into {out}; wait for it, or give another folder."
        ) from error
    try:
        _sweep(out, pairs)
        tasks = [
            Task(
                pair=pair,
                scans={role: path.absolute() for role, path in scans.items()},
                out=out.absolute(),
                model=model.absolute(),
                sha256=card.sha256,
                settings=settings,
                threads=threads,
            )
            for pair, scans in pairs.items()
        ]
        known = {task.pair: known_outcome(task) for task in tasks}
        table = BatchTable(out, card, [outcome for outcome in known.values() if outcome])
        waiting = [task for task in tasks if known[task.pair] is None]
        _work(waiting, engine, table, len(tasks), source, report)
        return table
    finally:
        _sweep(out, pairs)
        lock.release()


def _work(
    waiting: list[Task],
    engine: Engine,
    table: BatchTable,
    total: int,
    source: Path,
    report: Report,
) -> None:
    began = time.monotonic()
    outcomes = engine(waiting)
    try:
        for number, outcome in enumerate(outcomes, 1):
            if outcome.trouble:
                _check_places(table.out, source)
            table.add(outcome)
            pace = number / max(time.monotonic() - began, 1e-6)
            stage = f"{len(table.outcomes)} of {counted(total, 'pair')}, {60 * pace:.1f} a minute"
            left = (len(waiting) - number) / pace
            done = len(table.outcomes)
            report(Progress(stage=stage, done=done, total=total, seconds_left=left))
    finally:
        outcomes.close()  # type: ignore[attr-defined]
        table.write_page()


def _check_places(out: Path, source: Path) -> None:
    """End the batch when a pair failed because a folder is gone or the disk is full."""
    if not source.exists():
        raise BadInput(f"{source} is not there any more; results so far are in {out}.")
    try:
        free = shutil.disk_usage(out).free
    except OSError as error:
        raise BadInput(f"The folder {out} is not there any more; start again.") from error
    if free < ROOM:
        raise BadInput(
            f"The disk of {out} is full; make room and start the same command again, and what is "
            "done will not be done again."
        )


def _sweep(out: Path, pairs: dict[str, dict[str, Path]]) -> None:
    """Remove the drafts of workers that were killed; whoever holds the lock has no other ones."""
    if not out.is_dir():
        return
    for path in out.glob(".*-*"):
        if path.is_dir() and path.name[1:].rpartition("-")[0] in pairs:
            shutil.rmtree(path, ignore_errors=True)
