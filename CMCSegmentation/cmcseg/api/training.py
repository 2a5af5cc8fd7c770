"""``cmcseg.train``: a cohort into a model."""

from pathlib import Path
from typing import Any

from cmcseg.bundle.tasks import cohort_card
from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Report, ignore
from cmcseg.core.settings import TrainSettings
from cmcseg.core.user_path import user_path
from cmcseg.data.cache import INDEX, Cache, open_cache
from cmcseg.data.cohort import read_cohort, read_datalist
from cmcseg.data.prepare import check_still, prepare
from cmcseg.learn.train_model import parent_of, train_model


def train(
    cohort: str | Path,
    out: str | Path,
    recipe: str = "supervised",
    *,
    init: str | Path | None = None,
    name: str = "",
    report: Report = ignore,
    **settings: Any,
) -> Path:
    """Train a model, or go on training; the same call goes on after an interruption.

    Args:
        cohort: a JSON datalist, prepared into ``out/cache`` once, or a prepared cache's folder.
        out: folder of the run.
        recipe: ``supervised``, ``paper`` or ``best``.
        init: name or folder of a model to start from; whatever of it fits is taken. Or a file of
            encoder weights that ``cmcseg models convert`` wrote.
        name: of the model; the task's when empty.
        report: told after every step.
        settings: as of ``cmcseg.core.settings.TrainSettings`` (steps, seed, minutes, device, ...).

    Returns:
        The model's folder, which ``segment`` takes.

    Raises:
        BadInput: when anything cannot be used.
    """
    try:
        chosen = TrainSettings(recipe=recipe, **settings)
    except (TypeError, ValueError) as error:
        raise BadInput(str(error)) from error
    place = user_path(out)
    parent = parent_of(init)
    cache = _cache(user_path(cohort), place, report)
    return train_model(cache, chosen, place, name=name, parent=parent, report=report)


def _cache(cohort: Path, out: Path, report: Report) -> Cache:
    if (cohort / INDEX).is_file():
        return open_cache(cohort)
    place = out / "cache"
    if place.exists() and not cohort.is_file():  # a run goes on without it
        return open_cache(place)
    card = cohort_card(read_datalist(cohort), cohort)
    found = read_cohort(cohort, card)
    if not place.exists():
        return prepare(found, card, place, report)
    cache = open_cache(place)
    check_still(cache, found, card)
    return cache
