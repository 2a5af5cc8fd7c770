"""A whole training: from a cache to a model whose card says where it comes from."""

import csv
from collections.abc import Callable
from dataclasses import replace
from math import isnan
from pathlib import Path

import torch
from torch import Tensor

from cmcseg.bundle.convert import start_weights
from cmcseg.bundle.load import Bundle, load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import default_store
from cmcseg.bundle.verify import check_name
from cmcseg.core.progress import Report, ignore
from cmcseg.core.settings import TrainSettings
from cmcseg.core.user_path import user_path
from cmcseg.data.cache import Cache
from cmcseg.learn.checkpoint import TrainState
from cmcseg.learn.distributed import ProcessGroup
from cmcseg.learn.loop import SCORES, fit
from cmcseg.learn.provenance import mean_dice, trained_card
from cmcseg.learn.recipe_notes import recipe_notes
from cmcseg.nets.build import build_network
from cmcseg.nets.transfer import transfer

MODEL, BEST = "model", "best"


def train_model(
    cache: Cache,
    settings: TrainSettings,
    folder: Path,
    *,
    name: str = "",
    parent: Bundle | Path | None = None,
    report: Report = ignore,
    tell: Callable[[str], None] = lambda sentence: None,  # noqa: ARG005
    checked: Callable[[Path], None] = lambda folder: None,  # noqa: ARG005
    processes: ProcessGroup | None = None,
) -> Path:
    """Train, or go on training; ``folder`` gets ``model`` and, of validated runs, ``best``.

    ``model`` holds the averaged weights of the last step, ``best`` those with the highest mean
    Dice of all looks at the validation cases.

    Args:
        cache: a prepared cohort.
        settings: how to train.
        folder: of the run.
        name: of the model; the task's when empty.
        parent: the model to start from, of which whatever fits is taken, or a file of weights for
            the encoders (``parent_of``).
        report: told after every step.
        tell: told what the run cannot do or has taken, a sentence each.
        checked: told after every checkpoint.
        processes: as of ``fit``.

    Returns:
        The folder of the model.

    Raises:
        BadInput: as ``fit``, when the name cannot be one, or nothing of the parent fits.
    """
    name = check_name(name or cache.card.name)
    for sentence in recipe_notes(cache, settings):
        tell(f"Note: {sentence}")
    initial = _start(cache, settings, parent, tell) if parent else None
    highest = [_highest(folder / SCORES)]

    def save(state: TrainState, place: str) -> None:
        card = trained_card(
            cache,
            state,
            settings,
            folder,
            name=name,
            parent=parent.card if isinstance(parent, Bundle) else None,
            best=place == BEST,
        )
        save_bundle(state.average, card, folder / place, replace=True)

    def validated(state: TrainState, scores: dict[str, float]) -> None:
        found = mean_dice(scores)
        if not isnan(found) and found >= highest[0]:
            highest[0] = found
            save(state, BEST)

    state = fit(
        cache,
        settings,
        folder,
        initial=initial,
        report=report,
        checked=checked,
        validated=validated,
        processes=processes,
    )
    if processes is None or processes.first:
        save(state, MODEL)
    return folder / MODEL


def parent_of(init: str | Path | None) -> Bundle | Path | None:
    """What a training starts from: a model by its name or folder, or a file of encoder weights.

    Args:
        init: name, folder, or a file that ``convert`` wrote; None for nothing.

    Raises:
        BadInput: when there is none.
    """
    if init is None:
        return None
    path = user_path(init)
    return path if path.is_file() else load_bundle(default_store().find(init))


def fold_of(cache: Cache, number: int, folds: int) -> Cache:
    """The cache with every ``folds``-th labelled case kept back, beginning with ``number``.

    What the cohort itself keeps back takes part; cases that show one scan stay together, phantoms
    and unlabelled cases are learned from in every fold.
    """
    drawn = sorted({s.pair for s in cache.scans if s.labels is not None and not s.phantom})
    first = {case: group[0] for group in cache.twins() for case in group}
    heads = sorted({first.get(case, case) for case in drawn})
    kept = {head for place, head in enumerate(heads) if place % folds == number}
    return replace(
        cache,
        scans=tuple(
            replace(
                scan,
                split="validation" if first.get(scan.pair, scan.pair) in kept else "train",
            )
            for scan in cache.scans
        ),
    )


def _start(
    cache: Cache, settings: TrainSettings, parent: Bundle | Path, tell: Callable[[str], None]
) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = build_network(cache.card)
    if isinstance(parent, Path):
        tell(f"The encoders begin with the weights in {parent}.")
        return start_weights(network, parent)
    fresh = network.state_dict()
    taken = transfer(parent.network.state_dict(), parent.card, cache.card, fresh)
    tell(taken.sentence(parent.card.name))
    return taken.state


def _highest(path: Path) -> float:
    """The best mean Dice of a run so far; minus infinity when there is none."""
    if not path.exists():
        return float("-inf")
    with path.open(encoding="utf-8", newline="") as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    found = [mean for row in rows if not isnan(mean := mean_dice(row))]
    return max(found, default=float("-inf"))
