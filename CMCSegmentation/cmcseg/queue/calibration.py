"""What a doubt is worth: the error that went with it on pairs that nothing was learned from."""

from dataclasses import asdict, dataclass

import numpy as np

FEWEST = 5  # pairs without which a line says nothing


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A line from doubt to expected error; an error is 1 - mean Dice.

    Attributes:
        offset, slope: of the line; the slope is not negative.
        cases: pairs that it was fitted to.
        miss: mean absolute error of the line on a pair that it was not fitted to (leave one out).
        miss_without: the same of a guess that knows no doubt, the mean of the other errors. Where
            this is not larger, the doubt tells nothing.
    """

    offset: float
    slope: float
    cases: int
    miss: float
    miss_without: float

    def error(self, doubt: float) -> float:
        """The error to expect, 0 to 1."""
        return float(np.clip(self.offset + self.slope * doubt, 0.0, 1.0))

    def to_dict(self) -> dict:
        """JSON-ready form."""
        return asdict(self)


def calibrate(points: list[tuple[float, float]]) -> Calibration | None:
    """Fit doubts and the errors that went with them; None for too few of them.

    Args:
        points: ``(doubt, error)``, one per pair.
    """
    if len(points) < FEWEST:
        return None
    doubt, error = np.array(points, dtype=float).T
    offset, slope = _line(doubt, error)
    miss, without = [], []
    for left in range(len(points)):
        others = np.arange(len(points)) != left
        a, b = _line(doubt[others], error[others])
        miss.append(abs(np.clip(a + b * doubt[left], 0, 1) - error[left]))
        without.append(abs(error[others].mean() - error[left]))
    return Calibration(
        offset=offset,
        slope=slope,
        cases=len(points),
        miss=float(np.mean(miss)),
        miss_without=float(np.mean(without)),
    )


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Offset and slope by least squares; flat where y falls with x or all x are the same."""
    apart = x - x.mean()
    spread = (apart**2).sum()
    slope = max(0.0, float((apart * y).sum() / spread)) if spread > 0 else 0.0
    return float(y.mean() - slope * x.mean()), slope
