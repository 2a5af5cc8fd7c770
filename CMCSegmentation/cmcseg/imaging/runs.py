"""Runs of an array: stretches of one value along the last axis, and the pieces they join to.

An organ of millions of voxels has thousands of runs, so that what is asked of its pieces costs
little memory, and time follows its surface and not its volume.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """Runs of an ``(A, B, C)`` array in the order in which they lie in memory.

    A run's place is ``(a * B + b) * (C + 1) + c``: rows are one longer than they are, so that no
    run touches the next row's.

    Attributes:
        shape: of the array.
        first: of every run, the place of its first voxel.
        last: one past its last.
        value: of its voxels.
    """

    shape: tuple[int, ...]
    first: np.ndarray
    last: np.ndarray
    value: np.ndarray

    @staticmethod
    def of(array: np.ndarray) -> "Runs":
        """All runs of an array, the background's included."""
        _, rows, length = array.shape
        starts = np.ones((rows, length + 1), dtype=bool)  # of runs, and one past each row's end
        firsts, lasts, values = [], [], []
        for number, plane in enumerate(array):
            np.not_equal(plane[:, 1:], plane[:, :-1], out=starts[:, 1:-1])
            place = np.flatnonzero(starts)
            row, column = np.divmod(place, length + 1)
            inside = np.flatnonzero(column < length)
            firsts.append(place[inside] + number * starts.size)
            lasts.append(place[inside + 1] + number * starts.size)
            values.append(plane[row[inside], column[inside]])
        first, last, value = (np.concatenate(parts) for parts in (firsts, lasts, values))
        return Runs(shape=array.shape, first=first, last=last, value=value)

    @property
    def lengths(self) -> np.ndarray:
        """Voxels of every run."""
        return self.last - self.first

    def chosen(self, which: np.ndarray) -> "Runs":
        """Some of them, by a bool for each or by numbers in order."""
        return Runs(
            shape=self.shape,
            first=self.first[which],
            last=self.last[which],
            value=self.value[which],
        )

    def write(self, array: np.ndarray, value: np.ndarray) -> None:
        """Give the runs new values in the array; only what changes is written."""
        changed = value != self.value
        runs = self.chosen(changed)
        lengths = runs.lengths
        before = np.cumsum(lengths) - lengths
        places = np.repeat(runs.first - before, lengths) + np.arange(lengths.sum())
        padded = (self.shape[0], self.shape[1], self.shape[2] + 1)
        array[np.unravel_index(places, padded)] = np.repeat(value[changed], lengths)

    def pieces(self) -> np.ndarray:
        """For every run the number of the first run of its piece; pieces are joined over faces."""
        _, rows, length = self.shape
        row, every = length + 1, np.arange(len(self.first))
        inner = every[self.first // row % rows < rows - 1]
        beside = np.flatnonzero(self.last[:-1] == self.first[1:])
        down, behind = self._meeting(inner, row), self._meeting(every, rows * row)
        one = np.concatenate([beside, down[0], behind[0]])
        other = np.concatenate([beside + 1, down[1], behind[1]])
        piece = every
        while True:
            ends = piece[one], piece[other]
            low, high = np.minimum(*ends), np.maximum(*ends)
            apart = low != high
            if not apart.any():
                return piece
            one, other = one[apart], other[apart]  # what has met stays together
            piece = piece.copy()
            np.minimum.at(piece, high[apart], low[apart])
            while ((up := piece[piece]) != piece).any():
                piece = up

    def touches_border(self) -> np.ndarray:
        """Whether each run has a voxel on the border of the array; bool."""
        planes, rows, length = self.shape
        line, start = np.divmod(self.first, length + 1)
        plane, row = np.divmod(line, rows)
        ends = (start == 0) | (start + self.lengths == length)
        return ends | (row == 0) | (row == rows - 1) | (plane == 0) | (plane == planes - 1)

    def _meeting(self, of: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of runs of which the second, ``step`` places on, shares a face with the first."""
        low = np.searchsorted(self.last, self.first[of] + step, side="right")
        high = np.searchsorted(self.first, self.last[of] + step, side="left")
        count = np.maximum(high - low, 0)
        before = np.cumsum(count) - count
        return np.repeat(of, count), np.repeat(low - before, count) + np.arange(count.sum())
