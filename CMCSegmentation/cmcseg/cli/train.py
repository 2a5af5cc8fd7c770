"""``cmcseg train``: a cohort or its cache into a model."""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from cmcseg.cli.console import ERRORS, SCREEN, bar, checked
from cmcseg.cli.prepare import prepared
from cmcseg.core.errors import BadInput
from cmcseg.core.json_file import read_json
from cmcseg.core.user_path import user_path
from cmcseg.core.whole_folder import check_folder

if TYPE_CHECKING:
    from cmcseg.data.cache import Cache

PLAN = "train.json"
MOST_FOLDS = 20


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a model; the same command goes on after an interruption."""

    recipe: Positional[str]
    """supervised, paper or best."""
    out: Path
    """Folder of the run: checkpoint, losses.csv, scores.csv, curves.png, train.json, and at the end
    model/ (the averaged weights) and best/ (those that validated best)."""
    cache: Path | None = None
    """Made by 'cmcseg prepare'."""
    cohort: Path | None = None
    """In place of a cache: a JSON datalist, prepared into OUT/cache once."""
    config: Path | None = None
    """A train.json that a run wrote; options beside it count more."""
    name: str = ""
    """How commands will call the model; the task's own name when left out."""
    init: str | None = None
    """Name or folder of a model to start from: what fits is taken, and told. Or a file of encoder
    weights from 'cmcseg models convert'. Random weights when left out."""
    folds: int = 1
    """So many models, each with another part of the labelled cases kept back; OUT is then a model
    that averages them."""
    events: bool = False
    """Write TensorBoard events beside the CSV files; needs the extra 'events'."""
    steps: int = 2000
    """Weight updates in all; with more of them a finished run goes on."""
    minutes: float | None = None
    """Time to train for; the learning rate then falls with the time."""
    seed: int = 0
    """Decides initial weights, crops and augmentation."""
    labelled: float = 1.0
    """Share of the training scans whose labels are used."""
    check_every: int = 50
    """Steps between two checkpoints."""
    check_minutes: float = 5.0
    """Minutes after which a checkpoint is written all the same."""
    validate_every: int = 500
    """Steps between two looks at the validation cases; 0 looks at the end only."""
    validate_minutes: float | None = None
    """Minutes after which they are looked at all the same."""
    augment: float = 1.0
    """Strength of augmentation, 0 to 1; a last stretch with little of it sharpens the borders."""
    turned: float = 0.0
    """Share of windows turned by up to 25 degrees, as patients may lie, however light the rest."""
    optimizer: str = "adamw"
    """adamw or muon."""
    rate: float = 2e-3
    """Highest learning rate; it falls to nothing by the end."""
    average: float = 0.995
    """Decay of the moving average of the weights, which is what the model gets."""
    paired: float = 0.3
    """Share of steps in which all windows show one subject."""
    phantoms: float = 0.15
    """Share of windows cut from rendered pairs, where the cache has any."""
    foreign: float = 0.15
    """Share of MR windows that are shown in the contrast of no sequence."""
    batch: int = 1
    """Windows of each scan in a step; the processes that torchrun starts share them."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""

    def run(self) -> None:
        """Train and write a bundle."""
        from cmcseg.bundle.ensemble import FOLDS
        from cmcseg.core.atomic_write import write_whole
        from cmcseg.core.settings import TrainSettings
        from cmcseg.learn.distributed import gather
        from cmcseg.learn.train_model import MODEL, fold_of, parent_of, train_model

        names = {option.name for option in fields(TrainSettings)}
        values = {name: value for name, value in vars(self).items() if name in names}
        settings = checked(TrainSettings, **values)
        if not 1 <= self.folds <= MOST_FOLDS:
            raise BadInput(f"{self.folds} folds cannot be trained; give 1 to {MOST_FOLDS}.")
        out = user_path(self.out)
        check_folder(out)
        processes = gather(settings.device)
        cache = self._cache(out, alone=processes.count == 1)
        parent = parent_of(self.init)
        several = self.folds > 1
        places = [out / f"fold{number}" for number in range(self.folds)] if several else [out]
        for number, place in enumerate(places):
            with bar(quiet=not processes.first) as report:
                train_model(
                    fold_of(cache, number, self.folds) if several else cache,
                    settings,
                    place,
                    name=self.name,
                    parent=parent,
                    report=report,
                    tell=_tell if processes.first and not number else _say_nothing,
                    checked=self._checked(place),
                    processes=processes,
                )
        if not processes.first:
            return
        write_whole(out / PLAN, json.dumps(self.to_dict(), indent=1) + "\n")
        model = out / MODEL
        if several:
            model = out
            members = [f"{place.name}/{MODEL}" for place in places]
            write_whole(out / FOLDS, json.dumps(members) + "\n")
        SCREEN.print(f"Model: {model}", soft_wrap=True)

    def to_dict(self) -> dict:
        """What was asked for, paths in full; ``from_dict`` reads it."""
        asked = {key: value for key, value in vars(self).items() if key != "config"}
        return {
            key: str(user_path(value).resolve()) if isinstance(value, Path) else value
            for key, value in asked.items()
        }

    def _cache(self, out: Path, *, alone: bool) -> "Cache":
        from cmcseg.bundle.tasks import cohort_card
        from cmcseg.data.cache import open_cache
        from cmcseg.data.cohort import read_cohort, read_datalist
        from cmcseg.data.prepare import check_still

        if self.cache is not None and self.cohort is None:
            return open_cache(self.cache)
        if self.cohort is None or self.cache is not None:
            raise BadInput("Give either --cache, made by 'cmcseg prepare', or --cohort.")
        place = out / "cache"
        if not alone and not place.exists():
            raise BadInput(
                "Several processes cannot prepare one cohort; run 'cmcseg prepare' first, and give "
                "--cache."
            )
        if not place.exists():
            return prepared(self.cohort, place)
        cache, path = open_cache(place), user_path(self.cohort)
        if path.is_file():  # a run goes on without it
            card = cohort_card(read_datalist(path), path)
            check_still(cache, read_cohort(path, card), card)
        return cache

    def _checked(self, place: Path) -> Callable[[Path], None]:
        """What to do after every checkpoint: draw, and write events."""
        from cmcseg.report.events import Events
        from cmcseg.report.training_plot import draw_curves

        if not self.events:
            return draw_curves
        events = Events(place)

        def both(folder: Path) -> None:
            draw_curves(folder)
            events(folder)

        return both


def train_from(path: Path) -> dict:
    """The options of a run that were written down, with their types.

    Raises:
        BadInput: when the file cannot be read or has an unknown option.
    """
    try:
        values = dict(read_json(path))
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"The configuration {path} cannot be read: {error}.") from error
    known = {option.name: option for option in fields(Train)}
    if strange := sorted(set(values) - set(known)):
        raise BadInput(
            f"The configuration {path} has the unknown option {strange[0]!r}; known are "
            f"{', '.join(known)}."
        )
    paths = ("out", "cache", "cohort")
    return {k: Path(v) if k in paths and v is not None else v for k, v in values.items()}


def _tell(sentence: str) -> None:
    ERRORS.print(sentence, soft_wrap=True, markup=False, highlight=False)


def _say_nothing(sentence: str) -> None:
    """The same was said of the first fold."""
