"""Running a study: cell by cell, each finished one a row of ``study.csv``."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict, astuple, fields, replace
from pathlib import Path

from torch import Tensor

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.data.cache import Cache, open_cache
from cmcseg.learn.loop import averaged, fit
from cmcseg.learn.validate import Displacement, validate
from cmcseg.nets.device import processor_name
from cmcseg.nets.submodel import submodel_of
from cmcseg.study.plan import BOTH, MIA, Cell, Study

ROWS, PLAN, RUNS = "study.csv", "plan.json", "runs"
KEY = tuple(field.name for field in fields(Cell))
FACTS = ("steps", "parameters", "seconds", "hardware")


def run_study(
    study: Study,
    folder: Path,
    report: Report = ignore,
    finished: Callable[[Path], None] = lambda folder: None,  # noqa: ARG005
    initial: dict[str, Tensor] | None = None,
) -> list[dict[str, str]]:
    """Train and test every cell that ``folder`` does not hold yet.

    A study that was killed goes on when it is started again: finished cells are rows of
    ``study.csv``, and the training that was interrupted goes on from its checkpoint under
    ``runs/``. Other seeds, shares or recipes may join later.

    Args:
        study: what to do.
        folder: of the results.
        report: told after every step.
        finished: told after every cell, to draw a figure, say.
        initial: the weights of ``study.init``.

    Returns:
        All rows of ``study.csv``.

    Raises:
        BadInput: when the cache does not suit the study, or the folder holds a study with another
            cache, network or number of steps.
    """
    cache = open_cache(study.cache)
    cache = replace(cache, card=_card(study, cache.card))
    cells = study.cells(cache.card.roles)
    if not cells:
        raise BadInput(
            "The study has no cell: a loss can only be left out of a recipe that has it, in a "
            'network of both scans that learns to fuse; add "nothing" to without.'
        )
    for cell in cells:
        study.settings(cell)  # refused before anything is written
    _claim(study, cache, folder)
    rows = read_rows(folder)
    done = {tuple(row[key] for key in KEY) for row in rows}
    for number, cell in enumerate(cells):
        if _key(cell) in done:
            continue
        tell = _within(report, cell, number, len(cells))
        rows.append({**_named(cell), **_measure(study, cell, cache, folder, tell, initial)})
        _write(rows, folder / ROWS)
        finished(folder)
    return rows


def read_rows(folder: Path) -> list[dict[str, str]]:
    """The finished cells of a study; none when there is no study yet."""
    path = folder / ROWS
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _measure(
    study: Study,
    cell: Cell,
    cache: Cache,
    folder: Path,
    report: Report,
    initial: dict[str, Tensor] | None,
) -> dict[str, str]:
    """Train, unless that is done, and test."""
    ours = cache if cell.modality == BOTH else _only(cache, cell.modality)
    if cell.without == MIA:
        ours = replace(ours, card=_without_awareness(ours.card))
    if initial is not None and ours is not cache:
        initial = submodel_of(initial, cache.card, ours.card)
    settings = study.settings(cell)
    state = fit(
        ours,
        settings,
        folder / RUNS / cell.training,
        initial=initial,
        validate_every=0,
        report=report,
    )
    device = next(state.network.parameters()).device
    scores = validate(averaged(state, ours), ours, device, together=_together(cell))
    organs = [f"{role} {label.name}" for role in cache.card.roles for label in cache.card.table]
    return {
        "steps": str(state.step),
        "parameters": str(sum(p.numel() for p in state.network.parameters())),
        "seconds": f"{state.spent:.1f}",
        "hardware": processor_name(device),
        **{name: f"{scores[name]:.4f}" if name in scores else "" for name in organs},
    }


def _card(study: Study, card: ModelCard) -> ModelCard:
    try:
        return replace(card, network=study.spec(card.network))
    except ValueError as error:
        raise BadInput(f"The study's network does not suit the cache: {error}") from error


def _without_awareness(card: ModelCard) -> ModelCard:
    return replace(card, network=replace(card.network, awareness=False))


def _together(cell: Cell) -> Displacement | None:
    if cell.apart_mm is None:
        return None
    return Displacement(
        shift_mm=cell.apart_mm,
        turn_degrees=cell.turn_degrees or 0.0,
        bend_mm=cell.bend_mm or 0.0,
    )


def _only(cache: Cache, role: str) -> Cache:
    """The cache as it would be if there were no other scans."""
    return replace(
        cache,
        card=replace(cache.card, inputs=(cache.card.input(role),)),
        scans=tuple(scan for scan in cache.scans if scan.role == role),
    )


def _claim(study: Study, cache: Cache, folder: Path) -> None:
    """Note what all cells have in common, or make sure that it is still the same."""
    plan = {
        "cache": str(study.cache.resolve()),
        "steps": study.steps,
        "batch": study.batch,
        "init": study.init and Path(study.init).name,
        "train": study.train,
        "network": asdict(cache.card.network),
        "spacing": cache.card.grid.spacing,
    }
    text = json.dumps(plan, indent=1) + "\n"
    path = folder / PLAN
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, text)
        former = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be written: {error.strerror}.") from error
    if other := [key for key in plan if former.get(key) != json.loads(text)[key]]:
        raise BadInput(
            f"{folder} holds a study with another {other[0]} ({former.get(other[0])!r}); give "
            "another folder."
        )


def _within(report: Report, cell: Cell, number: int, total: int) -> Report:
    """Progress of one training as progress of the whole study."""

    def tell(progress: Progress) -> None:
        report(
            Progress(
                stage=f"cell {number + 1} of {total}, {cell.training}, {progress.stage}",
                done=number + progress.fraction,
                total=total,
                measures=progress.measures,
            )
        )

    return tell


def _named(cell: Cell) -> dict[str, str]:
    return dict(zip(KEY, _key(cell), strict=True))


def _key(cell: Cell) -> tuple[str, ...]:
    return tuple(map(_text, astuple(cell)))


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, str | bool) else f"{value:g}"


def _write(rows: list[dict[str, str]], path: Path) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue())
