"""What the user may choose, one frozen value per verb."""

from dataclasses import dataclass

import numpy as np

RECIPES = ("supervised", "paper", "best")
ALIGNMENTS = ("auto", "none", "rigid")
OPTIMIZERS = ("adamw", "muon")
MOVES = ("all", "scans")
OUT_OF_MEMORY = ("smaller", "stop")


@dataclass(frozen=True, kw_only=True)
class SegmentSettings:
    """How to segment a pair.

    Attributes:
        align: ``auto`` registers only when that is clearly better than the files' own
            coordinates, ``none`` trusts the files, ``rigid`` always registers.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        overlap: share by which neighbouring windows overlap, 0 to 0.9.
        out_of_memory: ``smaller`` makes do with smaller windows and then with the CPU and says so,
            ``stop`` ends there and says so.
        matrix: where the user has put the moving scan: 4 x 4 RAS in mm to the fixed scan's world,
            row by row; then it is taken as it is, and ``align`` says nothing. None: nobody has.
    """

    align: str = "auto"
    device: str = "auto"
    overlap: float = 0.1
    out_of_memory: str = "smaller"
    matrix: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.align not in ALIGNMENTS:
            raise ValueError(f"Alignment {self.align!r} is not one of {', '.join(ALIGNMENTS)}.")
        if not 0 <= self.overlap <= 0.9:
            raise ValueError(f"An overlap of {self.overlap} is outside 0 to 0.9.")
        if self.out_of_memory not in OUT_OF_MEMORY:
            choices = ", ".join(OUT_OF_MEMORY)
            raise ValueError(f"{self.out_of_memory!r} on out-of-memory is not one of {choices}.")
        if self.matrix is not None:
            object.__setattr__(self, "matrix", tuple(self.matrix))  # JSON makes a list of it
            whole = len(self.matrix) == 16
            turn = np.reshape(self.matrix, (4, 4))[:3, :3] if whole else np.zeros((3, 3))
            if not np.allclose(turn @ turn.T, np.eye(3), atol=1e-6):
                raise ValueError("A matrix by hand is rigid: 16 numbers, row by row.")


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How to train.

    Attributes:
        steps: weight updates in all.
        batch: crops per modality and step.
        rate: highest learning rate; it rises over ``warmup`` steps and then decays as
            (1 - step/steps)^0.9.
        warmup: steps of linear rise.
        optimizer: ``adamw`` or ``muon`` (``learn.muon``).
        moves: which weights learn: ``all``, or ``scans``, all but those of the fusion, through
            which one modality would move another.
        weight_decay: of the optimiser.
        average: decay of the moving average of the weights that is measured and shipped.
        paired: share of steps in which both modalities show the same subject.
        phantoms: share of windows cut from phantoms where the cache has any beside real scans.
        alone: share of steps that show only the modalities that somebody labelled in a real scan.
        foreign: share of MR windows that are shown in the contrast of no sequence.
        augment: strength of augmentation, 0 to 1: how far windows are turned, zoomed and bent, and
            how often their intensities are changed.
        turned: share of windows that are turned as patients may lie, by up to 25 degrees, whatever
            ``augment`` says.
        seed: decides initial weights, crops and augmentation.
        check_every: steps between checkpoints.
        check_minutes: minutes after which one is written all the same.
        validate_every: steps between two looks at the validation cases; 0 looks at the end only.
        validate_minutes: minutes after which they are looked at all the same; None: never.
        labelled: share of the training pairs whose labels may be used, 0 to 1.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        workers: processes that prepare batches.
        recipe: ``supervised``, ``paper`` or ``best``.
        csc, cac, teacher: weights of the unlabelled terms once their ramps are up.
        minutes: time to train for; the learning rate decays with the larger of the shares of
            steps and of time, and the run ends when either is used up. None: steps alone.
    """

    steps: int = 2000
    batch: int = 1
    rate: float = 2e-3
    warmup: int = 50
    optimizer: str = "adamw"
    moves: str = "all"
    weight_decay: float = 1e-2
    average: float = 0.995
    paired: float = 0.3
    alone: float = 0.0
    phantoms: float = 0.15
    foreign: float = 0.15
    augment: float = 1.0
    turned: float = 0.0
    seed: int = 0
    check_every: int = 50
    check_minutes: float = 5.0
    validate_every: int = 500
    validate_minutes: float | None = None
    labelled: float = 1.0
    device: str = "auto"
    workers: int = 0
    minutes: float | None = None
    recipe: str = "supervised"
    csc: float = 0.1
    cac: float = 0.1
    teacher: float = 0.5

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise ValueError(f"The recipe {self.recipe!r} is not one of {', '.join(RECIPES)}.")
        if self.optimizer not in OPTIMIZERS:
            choices = ", ".join(OPTIMIZERS)
            raise ValueError(f"The optimizer {self.optimizer!r} is not one of {choices}.")
        if self.moves not in MOVES:
            raise ValueError(f"The weights {self.moves!r} are not one of {', '.join(MOVES)}.")
        if min(self.csc, self.cac, self.teacher) < 0:
            raise ValueError("The weight of a loss cannot be negative.")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"A budget of {self.minutes} minutes is not a positive number.")
        if self.validate_every < 0:
            raise ValueError(f"{self.validate_every} steps between validations are fewer than 0.")
        if min(self.check_minutes, self.validate_minutes or 1.0) <= 0:
            raise ValueError("Minutes between checkpoints or validations must be above 0.")
        if self.steps < 1 or self.batch < 1 or self.check_every < 1:
            raise ValueError("Steps, batch and check_every must be at least 1.")
        if not 0 < self.rate < 1:
            raise ValueError(f"A learning rate of {self.rate} is not between 0 and 1.")
        if not 0 <= self.average < 1:
            raise ValueError(f"An average's decay of {self.average} is not from 0 to below 1.")
        if not 0 < self.labelled <= 1:
            raise ValueError(f"The labelled share {self.labelled} is outside 0 to 1.")
        for name in ("paired", "alone", "phantoms", "foreign", "augment", "turned"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"The {name} share {getattr(self, name)} is outside 0 to 1.")
