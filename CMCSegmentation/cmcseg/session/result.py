"""What the result table and the review show, worked out once when a segmentation is done."""

from dataclasses import dataclass, replace
from pathlib import Path

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.messages import Message, prediction_to_message
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

    @property
    def keys(self) -> set[str]:
        """What of the scene it is made of: its scans and segmentations."""
        return {*self.scans.values(), *self.segmentations.values()}

    def title(self, role: str) -> str:
        """What a clinician calls a scan."""
        return self.card.input(role).title

    def rows_of(self, drawn: dict[str, LabelMap]) -> tuple[OrganRow, ...]:
        """The result table of the organs as they are drawn, by role."""
        return organ_rows(replace(self.prediction, labels=drawn), self.card)

    def value(self, organ: str) -> int:
        """An organ's value in the label maps.

        Raises:
            BadInput: when the model knows no such organ.
        """
        try:
            return self.card.table.named(organ).value
        except KeyError:
            names = ", ".join(label.name for label in self.card.table)
            sentence = _("The model knows no {organ!r}; it knows {names}.")
            raise BadInput(sentence.format(organ=organ, names=names)) from None


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


def report_request(result: Result, names: dict[str, str], path: Path) -> Message:
    """What the worker is asked for a page about a result.

    Args:
        result: what the page is about.
        names: of the scene's scans, by key.
        path: where the page goes.
    """
    scans = {role: names.get(key, role) for role, key in result.scans.items()}
    # The worker lives in another folder.
    values = {"scans": scans, "path": str(path.absolute())}
    message = prediction_to_message(result.prediction, values)
    volumes = {f"scan {role}": volume for role, volume in result.volumes.items()}
    return replace(message, verb="report", volumes={**message.volumes, **volumes})
