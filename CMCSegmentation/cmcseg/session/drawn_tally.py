"""Volumes and changes of what is drawn, kept up to date by counting what an edit changed."""

from collections.abc import Callable

import numpy as np

from cmcseg.core.labelmap import LabelMap
from cmcseg.core.organ_findings import OrganFinding
from cmcseg.core.uncertainty import DOUBTFUL
from cmcseg.core.volume import Volume
from cmcseg.session.changes import changes_of
from cmcseg.session.ports import Change, Edit, Runner
from cmcseg.session.result import OrganRow, Result


class DrawnTally:
    """Counts of one scan's organs; an edit costs as much as its box is large.

    Args:
        found: what the model found.
        drawn: as it is now, on the same grid.
        doubt: 0 to 1, on the same grid.
    """

    def __init__(self, found: LabelMap, drawn: LabelMap, doubt: Volume) -> None:
        self._found, self._doubt = found, doubt
        self._voxels, self._doubtful, self._border = np.zeros((3, 256), dtype=np.int64)
        self._gained, self._lost = np.zeros((2, 256, found.array.shape[2]), dtype=np.int64)
        self._count(drawn.array, (0, 0, 0), 1)

    def apply(self, edit: Edit) -> None:
        """Take an edit into account."""
        self._count(edit.before, edit.low, -1)
        self._count(edit.after, edit.low, 1)

    def findings(self) -> dict[str, OrganFinding]:
        """What the scan shows now, by the name of the organ."""
        ml = self._found.grid.voxel_ml
        return {
            label.name: OrganFinding(
                ml=float(self._voxels[label.value]) * ml,
                doubtful=float(self._doubtful[label.value] / max(self._voxels[label.value], 1)),
                is_cut=bool(self._border[label.value]),
            )
            for label in self._found.table
        }

    def changes(self, role: str) -> tuple[Change, ...]:
        """Organs that differ from what was found, in the table's order."""
        return changes_of(role, self._found, self._gained, self._lost)

    def _count(self, box: np.ndarray, low: tuple[int, int, int], sign: int) -> None:
        """Plane by plane, so that no call keeps Python's lock for long."""
        shape = self._found.array.shape
        rows, columns = (slice(low[a], low[a] + box.shape[a]) for a in (0, 1))
        edges = np.zeros(box.shape[:2], dtype=bool)
        for axis in (0, 1):
            at = low[axis] + np.arange(box.shape[axis])
            edge = ((at == 0) | (at == shape[axis] - 1)) & (shape[axis] > 1)
            edges |= edge[:, None] if axis == 0 else edge[None, :]
        for number in range(box.shape[2]):
            k, plane = low[2] + number, box[:, :, number]
            found = self._found.array[rows, columns, k]
            unsure = self._doubt.array[rows, columns, k] > DOUBTFUL
            end = k in (0, shape[2] - 1) and shape[2] > 1
            differs = plane != found
            self._voxels += sign * _bins(plane)
            self._doubtful += sign * _bins(plane[unsure])
            self._border += sign * _bins(plane if end else plane[edges])
            if differs.any():
                self._gained[:, k] += sign * _bins(plane[differs])
                self._lost[:, k] += sign * _bins(found[differs])


class ResultTally:
    """The tallies of all scans of a result that nobody has drawn on yet.

    They are made beside the window; edits that come meanwhile wait.

    Args:
        result: under review.
        runner: counts beside the window.
        ready: called when the tallies are there.
    """

    def __init__(self, result: Result, runner: Runner, ready: Callable[[], None]) -> None:
        self._result, self._ready = result, ready
        self._tallies: dict[str, DrawnTally] = {}
        self._waiting: list[Edit] = []
        self._lost = False
        prediction = result.prediction

        def count() -> dict[str, DrawnTally]:
            return {
                role: DrawnTally(labels, labels, prediction.doubt[role])
                for role, labels in prediction.labels.items()
            }

        runner.aside(count, self._made, lambda *_told: self.lose())

    @property
    def is_known(self) -> bool:
        """Whether it says what is drawn now."""
        return bool(self._tallies) and not self._lost

    def lose(self) -> None:
        """It can no longer be kept up to date; measure the whole scans instead."""
        self._lost = True

    def apply(self, edits: tuple[Edit, ...]) -> None:
        """Take edits into account, now or as soon as the tallies are there."""
        self._lost = self._lost or any(edit.warped for edit in edits)
        self._waiting += edits
        if self._tallies:
            self._count()

    def rows(self) -> tuple[OrganRow, ...]:
        """The result table as it is drawn now."""
        found = {role: tally.findings() for role, tally in self._tallies.items()}
        return tuple(
            OrganRow(
                organ=label.name,
                color=label.color,
                found={role: organs[label.name] for role, organs in found.items()},
            )
            for label in self._result.card.table
        )

    def changes(self) -> tuple[Change, ...]:
        """What differs from what the model found."""
        return tuple(c for role, tally in self._tallies.items() for c in tally.changes(role))

    def _made(self, tallies: dict[str, DrawnTally]) -> None:
        self._tallies = tallies
        self._count()
        self._ready()

    def _count(self) -> None:
        roles = {key: role for role, key in self._result.scans.items()}
        for edit in self._waiting:
            if not edit.warped:
                self._tallies[roles[edit.key]].apply(edit)
        self._waiting = []


def _bins(values: np.ndarray) -> np.ndarray:
    return np.bincount(values.ravel(), minlength=256)
