"""What the result table and the review show, worked out once when a segmentation is done."""

from dataclasses import dataclass

import numpy as np

from cmcseg.core.card import ModelCard
from cmcseg.core.prediction import Prediction
from cmcseg.core.volume import Volume
from cmcseg.session.places import DOUBTFUL, Place

# Share of an organ's voxels that are doubtful. Every organ has a doubtful rim: on eight scans of
# the abdominal model 0.1.0, organs of a Dice above 0.9 had shares of 0.13 to 0.22, and where more
# than 0.3 was doubtful Dice was 0.78 to 0.85.
SOME, HIGH = 0.22, 0.3


@dataclass(frozen=True, kw_only=True)
class OrganRow:
    """One line of the result table.

    Attributes:
        organ, color: name, and ``#rrggbb``.
        ml: millilitres by role.
        doubt: ``low``, ``some``, ``high`` or ``not found``, by role.
    """

    organ: str
    color: str
    ml: dict[str, float]
    doubt: dict[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """A segmentation that is done and lies in the scene.

    Attributes:
        card: of the model.
        scans: key of the scan by role.
        segmentations: key of the segmentation by role.
        volumes: the scans as they were segmented, by role.
        prediction: what the model found; corrections do not change it.
        rows: the result table.
        places: where to look, the most doubtful first.
        corrected: whether the scene holds corrections of it already, as one that was loaded may.
    """

    card: ModelCard
    scans: dict[str, str]
    segmentations: dict[str, str]
    volumes: dict[str, Volume]
    prediction: Prediction
    rows: tuple[OrganRow, ...]
    places: tuple[Place, ...]
    corrected: bool = False


def organ_rows(prediction: Prediction, card: ModelCard) -> tuple[OrganRow, ...]:
    """The result table of a prediction."""
    ml = {role: labels.volumes_ml() for role, labels in prediction.labels.items()}
    doubt = {role: _levels(prediction, role) for role in prediction.labels}
    return tuple(
        OrganRow(
            organ=label.name,
            color=label.color,
            ml={role: ml[role][label.name] for role in ml},
            doubt={role: doubt[role][label.value] for role in doubt},
        )
        for label in card.table
    )


def _levels(prediction: Prediction, role: str) -> dict[int, str]:
    """Level by label value, counted plane by plane so that no call keeps Python's lock for long."""
    labels, doubt = prediction.labels[role], prediction.doubt[role]
    all_, doubtful = np.zeros(256), np.zeros(256)
    for plane, unsure in zip(labels.array, doubt.array, strict=True):
        all_ += np.bincount(plane.ravel(), minlength=256)
        doubtful += np.bincount(plane[unsure > DOUBTFUL], minlength=256)
    return {label.value: _level(all_[label.value], doubtful[label.value]) for label in labels.table}


def _level(voxels: float, doubtful: float) -> str:
    if not voxels:
        return "not found"
    share = doubtful / voxels
    return "high" if share > HIGH else "some" if share > SOME else "low"
