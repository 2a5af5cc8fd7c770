"""What a study is made of: a TOML file into cells.

cache = "cache"                       # made by 'cmcseg prepare', relative to this file
steps = 300
seeds = [0, 1, 2]
recipes = ["supervised", "paper", "best"]
labelled = [0.1, 0.2]
base_channels = 8                     # or a table [network] of the card's network settings
without = ["nothing", "csc", "cac", "mia"]   # parts left out
fusion = [true, false]                # trained with windows of one subject in both scans
modalities = ["both", "one"]          # one: a network of its own for each scan
displacements_mm = [0, 20, 40]        # both scans segmented together, one of them displaced
turns_degrees = [10, 20]              # the same, one of them turned
bends_mm = [4, 8]                     # the same, one of them bent

[train]                               # settings of training that differ from the usual ones
optimizer = "muon"
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from cmcseg.core.card import NetworkSpec
from cmcseg.core.errors import BadInput
from cmcseg.core.settings import RECIPES, TrainSettings
from cmcseg.core.user_path import user_path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NOTHING, BOTH = "nothing", "both"
CSC, CAC, MIA = "csc", "cac", "mia"
# What the grid decides, and what would make cells unlike or is no part of a training.
_GRID = {"steps", "batch", "seed", "labelled", "recipe", "paired", "csc", "cac"}
_GRID |= {"minutes", "device", "workers", "validate_every", "validate_minutes"}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row of a study: a training, and one way of testing it.

    Attributes:
        recipe: of the training.
        labelled: share of the training scans whose labels are used.
        seed: of the training.
        without: what is left out: the loss ``csc`` or ``cac``, the network's ``mia``, or
            ``nothing``.
        fusion: whether training shows one subject in both scans, so that fusion is learned.
        modality: the only role that the network knows, or ``both``.
        apart_mm, turn_degrees, bend_mm: scans are segmented together, the other one displaced by
            so much (``learn.validate.Displacement``); None is each scan alone.
    """

    recipe: str
    labelled: float
    seed: int
    without: str = NOTHING
    fusion: bool = True
    modality: str = BOTH
    apart_mm: float | None = None
    turn_degrees: float | None = None
    bend_mm: float | None = None

    @property
    def training(self) -> str:
        """Name of the training; cells that differ in the test alone share it."""
        parts = [self.recipe, f"{self.labelled:g}", f"seed{self.seed}"]
        parts += [] if self.without == NOTHING else [f"without-{self.without}"]
        parts += [] if self.modality == BOTH else [f"only-{self.modality}"]
        parts += [] if self.fusion or self.modality != BOTH else ["without-fusion"]
        return "_".join(parts)


@dataclass(frozen=True, kw_only=True)
class Study:
    """A grid of cells over one cache.

    Attributes:
        cache: folder of the prepared cohort.
        steps: weight updates of every training.
        seeds, recipes, labelled, without, fusion, modalities: the grid's axes.
        displacements_mm, turns_degrees, bends_mm: more tests of the trainings that fuse.
        batch: windows of each scan in a step.
        base_channels: width of the finest level; the card's network is made narrower or wider.
        network: settings that replace the card's network's.
        init: name or folder of the model that every training starts from; None is by chance.
        train: settings of every training (``core.settings.TrainSettings``) that differ from the
            usual ones.
    """

    cache: Path
    steps: int
    seeds: tuple[int, ...]
    recipes: tuple[str, ...]
    labelled: tuple[float, ...]
    without: tuple[str, ...] = (NOTHING,)
    fusion: tuple[bool, ...] = (True,)
    modalities: tuple[str, ...] = (BOTH,)
    displacements_mm: tuple[float, ...] = ()
    turns_degrees: tuple[float, ...] = ()
    bends_mm: tuple[float, ...] = ()
    batch: int = 1
    base_channels: int | None = None
    network: dict | None = None
    init: str | None = None
    train: dict | None = None

    def settings(self, cell: Cell) -> TrainSettings:
        """How the training of a cell goes.

        Raises:
            BadInput: when ``train`` does not describe one, or sets what the grid decides.
        """
        given = self.train or {}
        if decided := sorted(_GRID.intersection(given)):
            raise BadInput(
                f"The study's [train] sets {', '.join(decided)}; that is the study's to decide."
            )
        values = {
            "recipe": cell.recipe,
            "steps": self.steps,
            "batch": self.batch,
            "seed": cell.seed,
            "labelled": cell.labelled,
        }
        if cell.without in (CSC, CAC):
            values[cell.without] = 0.0
        if not cell.fusion:
            values["paired"] = 0.0
        try:
            return TrainSettings(**values, **given)
        except (TypeError, ValueError) as error:
            raise BadInput(f"The study's [train] cannot be used: {error}") from error

    def spec(self, card: NetworkSpec) -> NetworkSpec:
        """The network of this study, from the one on the cache's card.

        Raises:
            BadInput: when ``network`` does not describe one.
        """
        if self.base_channels:
            widths = (max(1, w * self.base_channels // card.widths[0]) for w in card.widths)
            return replace(card, widths=tuple(widths))
        try:
            return replace(card, **{k: _tuples(v) for k, v in (self.network or {}).items()})
        except (TypeError, ValueError) as error:
            raise BadInput(f"The study's [network] cannot be built: {error}.") from error

    def cells(self, roles: tuple[str, ...]) -> list[Cell]:
        """Every cell that makes sense, seeds outermost so that a part of it is a study too.

        Only one thing is left out at a time, and no loss that the recipe does not have. A network
        of one scan has nobody to fuse with, and ``paper`` with one scan would be ``supervised``.
        A displaced scan is shifted, turned or bent, one at a time.

        Args:
            roles: of the cache's card.
        """
        known = [m for way in self.modalities for m in ((BOTH,) if way == BOTH else roles)]
        axes = (self.seeds, self.labelled, self.recipes, known, self.without, self.fusion)
        cells = []
        for seed, labelled, recipe, modality, without, fusion in product(*axes):
            alone = modality != BOTH
            if without != NOTHING and (alone or not fusion):
                continue
            if without in (CSC, CAC) and recipe == "supervised":
                continue
            if alone and (recipe == "paper" or fusion != self.fusion[0]):
                continue
            cell = Cell(
                recipe=recipe,
                labelled=labelled,
                seed=seed,
                without=without,
                fusion=fusion and not alone,
                modality=modality,
            )
            cells.append(cell)
            if cell.fusion and without == NOTHING:
                cells += [replace(cell, **apart) for apart in self._apart()]
        return cells

    def _apart(self) -> list[dict[str, float]]:
        """Every displacement, each once."""
        none = {"apart_mm": 0.0, "turn_degrees": 0.0, "bend_mm": 0.0}
        ways = zip(none, (self.displacements_mm, self.turns_degrees, self.bends_mm), strict=True)
        every = [{**none, key: amount} for key, amounts in ways for amount in amounts]
        return [apart for place, apart in enumerate(every) if apart not in every[:place]]


def read_study(path: Path) -> Study:
    """Read the file that describes a study.

    Raises:
        BadInput: when it cannot be read, or a key is missing, unknown or has a wrong value.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"The study {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise BadInput(f"The study {path} is not TOML: {error}.") from error
    if strange := sorted(set(content) - set(_RULES)):
        raise BadInput(
            f"The study {path.name} has the unknown key {', '.join(strange)}; a study takes "
            f"{', '.join(_RULES)}."
        )
    if missing := [key for key, rule in _RULES.items() if rule.needed and key not in content]:
        raise BadInput(f"The study {path.name} lacks {', '.join(missing)}.")
    if {"network", "base_channels"} <= set(content):
        raise BadInput(f"The study {path.name} takes base_channels or [network], not both.")
    values = {key: _RULES[key].checked(key, value) for key, value in content.items()}
    beside = path.parent / values.get("init", "")
    if "init" in values and beside.is_dir():
        values["init"] = str(beside)
    return Study(**{**values, "cache": path.parent / user_path(values["cache"])})


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """What a key of the file may hold."""

    wanted: str
    fits: Callable[[object], bool]
    several: bool = False
    needed: bool = False

    def checked(self, key: str, value: object) -> object:
        """The value, lists as tuples; refuses what the study cannot use."""
        items = value if self.several else [value]
        if not isinstance(items, list) or not items or not all(map(self.fits, items)):
            kind = f"a list of {self.wanted}" if self.several else self.wanted
            raise BadInput(f"The study's {key} is {value!r}; it must be {kind}.")
        if any(item in items[:place] for place, item in enumerate(items)):
            raise BadInput(f"The study's {key} is {value!r}; it names something twice.")
        return tuple(items) if self.several else value


def _whole(value: object, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _one_of(names: tuple[str, ...], **more: bool) -> _Rule:
    text = ", ".join(f'"{name}"' for name in names)
    return _Rule(wanted=text, fits=lambda value: value in names, several=True, **more)


def _tuples(value: object) -> object:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


_RULES = {
    "cache": _Rule(wanted="a folder", fits=lambda value: isinstance(value, str), needed=True),
    "steps": _Rule(wanted="a whole number above 0", fits=lambda v: _whole(v, 1), needed=True),
    "seeds": _Rule(wanted="whole numbers", fits=_whole, several=True, needed=True),
    "recipes": _one_of(RECIPES, needed=True),
    "labelled": _Rule(
        wanted="shares above 0 and up to 1",
        fits=lambda value: _number(value) and 0 < value <= 1,
        several=True,
        needed=True,
    ),
    "without": _one_of((NOTHING, CSC, CAC, MIA)),
    "fusion": _Rule(wanted="true, false", fits=lambda value: isinstance(value, bool), several=True),
    "modalities": _one_of((BOTH, "one")),
    "displacements_mm": _Rule(wanted="numbers, 0 or more", fits=_number, several=True),
    "turns_degrees": _Rule(wanted="numbers, 0 or more", fits=_number, several=True),
    "bends_mm": _Rule(wanted="numbers, 0 or more", fits=_number, several=True),
    "batch": _Rule(wanted="a whole number above 0", fits=lambda v: _whole(v, 1)),
    "base_channels": _Rule(wanted="a whole number above 0", fits=lambda v: _whole(v, 1)),
    "network": _Rule(
        wanted="a table of network settings", fits=lambda value: isinstance(value, dict)
    ),
    "init": _Rule(wanted="a model's name or folder", fits=lambda v: isinstance(v, str)),
    "train": _Rule(
        wanted="a table of settings of training", fits=lambda value: isinstance(value, dict)
    ),
}
