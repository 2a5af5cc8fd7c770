"""From a review to the other scan, and to the queue; pure sums."""

from typing import Any

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelMap
from cmcseg.session.changes import carried
from cmcseg.session.i18n import _
from cmcseg.session.ports import Change, Correction
from cmcseg.session.result import Result


def carrying_matrix(result: Result, source: str, target: str) -> np.ndarray:
    """4 x 4 RAS in mm, from one scan's world to the other's, as the alignment says.

    Raises:
        BadInput: when there is no second scan or no alignment.
    """
    alignment = result.prediction.alignment
    if alignment is None or {source, target} != {alignment.fixed, alignment.moving}:
        raise BadInput(_("There is no other scan to copy the organ to."))
    return np.linalg.inv(alignment.matrix) if source == alignment.fixed else alignment.matrix


def copied(
    result: Result, organ: str, source: str, target: str, drawn: dict[str, LabelMap]
) -> np.ndarray:
    """Where an organ of one scan lies in the other; what is another organ's there stays that one's.

    Raises:
        BadInput: when nothing of it lies there.
    """
    value, grid = result.value(organ), result.prediction.labels[target].grid
    labels, there = drawn[source], drawn[target].array
    matrix = carrying_matrix(result, source, target)
    mask = carried(labels.array == value, labels.grid, grid, matrix)
    if not mask.any():
        sentence = _(
            "The {organ} of the {source} lies outside the {target}, or is empty; nothing was "
            "copied."
        )
        titles = {"source": result.title(source), "target": result.title(target)}
        raise BadInput(sentence.format(organ=organ, **titles))
    return mask & ((there == 0) | (there == value))


def correction_of(
    result: Result, drawn: dict[str, LabelMap], changes: tuple[Change, ...], **told: Any
) -> Correction:
    """What goes to the queue.

    Args:
        result: of the model.
        drawn: the organs by role as the user left them.
        changes: what differs.
        told: ``seconds``, ``who``, ``notes`` and ``pair``.
    """
    prediction = result.prediction
    return Correction(
        volumes=result.volumes,
        corrected=drawn,
        found=prediction.labels,
        model=prediction.model,
        version=prediction.version,
        sha256=prediction.sha256,
        alignment=prediction.alignment,
        changes=changes,
        **told,
    )


def mistakes_line(result: Result, mistakes: dict[str, str]) -> str:
    """What looks like a mistake in a pair that was handed over; empty when nothing does."""
    told = [f"{result.title(role)}: {why}" for role, why in mistakes.items()]
    sentence = _(
        "This looks like a mistake ({what}), and is not learned from. Look again, and accept the "
        "pair again once it is mended."
    )
    return sentence.format(what="; ".join(told)) if told else ""
