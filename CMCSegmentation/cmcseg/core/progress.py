"""How far a long piece of work has come."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Measured work done over measured work to do.

    Attributes:
        stage: what is being done, in the user's words ("segmenting the MR").
        done: units finished, from 0 to ``total``.
        total: units in all, at least 1.
        seconds_left: what the pace so far promises; None before there is a pace.
        measures: numbers to plot meanwhile (a loss, say), by name.
    """

    stage: str
    done: float
    total: float
    seconds_left: float | None = None
    measures: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.total <= 0 or not 0 <= self.done <= self.total:
            raise ValueError(f"Progress {self.done}/{self.total} is outside 0 to total.")

    @property
    def fraction(self) -> float:
        """Share done, 0 to 1."""
        return self.done / self.total

    @property
    def percent(self) -> int:
        """The share in whole per cent, rounded down: 100 only when all is done."""
        return int(100 * self.fraction + 1e-9)


Report = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """Report to nobody: the default of every function that reports."""
