"""What the result table and the review show, worked out once when a segmentation is done."""

from dataclasses import dataclass

from cmcseg.core.card import ModelCard
from cmcseg.core.organ_findings import OrganFinding, organ_findings
from cmcseg.core.prediction import Prediction
from cmcseg.core.review_places import Place
from cmcseg.core.volume import Volume
from cmcseg.session.i18n import _


@dataclass(frozen=True, kw_only=True)
class OrganRow:
    """One line of the result table.

    Attributes:
        organ, color: name, and ``#rrggbb``.
        found: what each scan shows of it, by role.
    """

    organ: str
    color: str
    found: dict[str, OrganFinding]


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
    found = {role: organ_findings(prediction, role) for role in prediction.labels}
    return tuple(
        OrganRow(
            organ=label.name,
            color=label.color,
            found={role: by_organ[label.name] for role, by_organ in found.items()},
        )
        for label in card.table
    )


def volume_words(ml: float, is_cut: bool) -> str:
    """A volume as the tables show it."""
    return _("{ml} (cut)").format(ml=f"{ml:.0f}") if is_cut else f"{ml:.0f}"


def notes(result: Result, is_any_cut: bool) -> tuple[str, ...]:
    """What belongs beside the table: the warnings, and what "(cut)" means where it stands in it."""
    if not is_any_cut:
        return result.prediction.warnings
    cut = _("(cut): the organ reaches the scan's edge, so this is the volume of a part.")
    return (*result.prediction.warnings, cut)
