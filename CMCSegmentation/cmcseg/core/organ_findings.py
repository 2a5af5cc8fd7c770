"""What a segmentation says of each organ: the words and numbers of every table and page."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from cmcseg.core.boxes import nonzero_box
from cmcseg.core.prediction import Prediction
from cmcseg.core.uncertainty import DOUBTFUL, DoubtLevel, doubt_level

DIFFERENCE, DIFFERENCE_ML = 0.2, 5.0  # volumes that differ by more than both are flagged


@dataclass(frozen=True, kw_only=True)
class OrganFinding:
    """One organ in one scan.

    Attributes:
        ml: millilitres.
        doubtful: share of its voxels whose doubt is above ``DOUBTFUL``; 0 when it was not found.
        is_cut: whether it reaches the border of the scan, so that its volume is only a part.
    """

    ml: float
    doubtful: float
    is_cut: bool

    @property
    def level(self) -> DoubtLevel:
        """How much of it is in doubt."""
        return doubt_level(self.doubtful, found=self.ml > 0)

    @property
    def doubt(self) -> str:
        """The word for ``level``."""
        return self.level.word


def organ_findings(prediction: Prediction, role: str) -> dict[str, OrganFinding]:
    """What one scan shows, by the name of the organ, in the table's order."""
    labels = prediction.labels[role]
    found, doubtful = np.zeros(256, dtype=np.int64), np.zeros(256, dtype=np.int64)
    box = nonzero_box(labels.array) or (slice(0, 0),) * 3
    array, doubt = labels.array[box], prediction.doubt[role].array[box]
    if labels.array.flags.f_contiguous:
        array, doubt = array.T, doubt.T
    # Plane by plane, so that no call keeps Python's lock for long while a window waits.
    for plane, unsure in zip(array, doubt, strict=True):
        found += np.bincount(plane.ravel(), minlength=256)
        doubtful += np.bincount(plane[unsure > DOUBTFUL], minlength=256)
    cut = labels.cut_off()
    return {
        label.name: OrganFinding(
            ml=float(found[label.value]) * labels.grid.voxel_ml,
            doubtful=float(doubtful[label.value] / max(found[label.value], 1)),
            is_cut=label.name in cut,
        )
        for label in labels.table
    }


def contradiction(findings: Collection[OrganFinding]) -> str:
    """How one organ's volumes in all scans contradict each other; empty when they do not."""
    volumes = [finding.ml for finding in findings]
    least, most = min(volumes), max(volumes)
    if least == 0 < most:
        return "found in one scan only"
    if any(finding.is_cut for finding in findings):  # each scan shows another part of the organ
        return ""
    if most - least > max(DIFFERENCE * most, DIFFERENCE_ML):
        return f"volumes differ by {(most - least) / most:.0%}"
    return ""
