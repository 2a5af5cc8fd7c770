"""A result that a saved scene still holds: work goes on where it was left."""

import numpy as np

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.prediction import Alignment, Prediction
from cmcseg.core.review_places import find_places
from cmcseg.core.steps import Steps
from cmcseg.core.volume import Volume
from cmcseg.session.i18n import _
from cmcseg.session.ports import Finding, Scene
from cmcseg.session.result import Result, organ_rows

Restored = dict[str, tuple[Volume, Finding]]


def restoring(scene: Scene, scans: dict[str, str]) -> Steps[Restored]:
    """Scans and findings by role, as they lie in the scene.

    Raises:
        BadInput: when a scan has no result.
    """
    found: Restored = {}
    for role, key in scans.items():
        volume = yield from scene.reading(key)
        found[role] = (volume, (yield from scene.restoring(key)))
    return found


def result_of(found: Restored, card: ModelCard, scans: dict[str, str], keys: dict) -> Result:
    """The result as it was when the model had found it.

    Args:
        found: from ``restoring``.
        card: of the model.
        scans, keys: of the scans and of the segmentations, by role.

    Raises:
        BadInput: when another model made it.
    """
    findings = {role: finding for role, (_volume, finding) in found.items()}
    made = next(iter(findings.values())).made
    if made["model"] != card.name:
        sentence = _(
            "The result in this scene was made by the model {model}; choose that model to go on "
            "with it."
        )
        raise BadInput(sentence.format(model=made["model"]))
    alignment = Alignment.from_dict(made["alignment"]) if made.get("alignment") else None
    together = alignment is not None and {alignment.fixed, alignment.moving} <= set(scans)
    prediction = Prediction(
        labels={role: finding.labels for role, finding in findings.items()},
        doubt={role: finding.doubt for role, finding in findings.items()},
        disagreement={
            role: finding.disagreement
            for role, finding in findings.items()
            if finding.disagreement is not None
        },
        model=made["model"],
        version=made["version"],
        sha256=made["sha256"],
        alignment=alignment if together else None,
    )
    return Result(
        card=card,
        scans=scans,
        segmentations=keys,
        volumes={role: volume for role, (volume, _finding) in found.items()},
        prediction=prediction,
        rows=organ_rows(prediction, card),
        places=find_places(prediction),
        corrected=any(_corrected(finding) for finding in findings.values()),
    )


def _corrected(finding: Finding) -> bool:
    """Compared plane by plane: one long call would keep Python's lock."""
    if finding.drawn is None:
        return False
    pairs = zip(finding.labels.array, finding.drawn.array, strict=True)
    return any(not np.array_equal(found, drawn) for found, drawn in pairs)
