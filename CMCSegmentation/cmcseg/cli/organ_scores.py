"""How ``evaluate`` and ``compare`` score a model: each labelled validation scan on its own grid."""

import csv
import io
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.case import Cohort, Pair
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import UNANNOTATED, LabelMap
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.volume import Volume

if TYPE_CHECKING:
    from cmcseg.bundle.load import Bundle

TOLERANCE_MM = 2.0


@dataclass(frozen=True, kw_only=True)
class Score:
    """One organ of one scan.

    Attributes:
        case, role, organ: of what.
        scans: ``alone``, or ``together`` with the other scan of the case.
        dice: NaN when neither shows it.
        hd95_mm: 95 % Hausdorff distance.
        surface_dice: share of both surfaces within the tolerance of each other.
        volume_ml, truth_ml: found and true volume.
    """

    case: str
    scans: str
    role: str
    organ: str
    dice: float
    hd95_mm: float
    surface_dice: float
    volume_ml: float
    truth_ml: float

    @property
    def volume_error(self) -> float:
        """Found over true volume, less one; NaN where there is no truth."""
        return self.volume_ml / self.truth_ml - 1 if self.truth_ml else float("nan")


COLUMNS = tuple(field.name for field in fields(Score))


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredScan:
    """A scan that was segmented, with its truth."""

    case: str
    role: str
    volume: Volume
    found: LabelMap
    truth: LabelMap
    scores: tuple[Score, ...]

    @property
    def mean_dice(self) -> float:
        """Of the organs that are there; 1 without any."""
        values = [score.dice for score in self.scores if score.dice == score.dice]
        return sum(values) / len(values) if values else 1.0


def labelled_validation(cohort: Cohort, path: Path) -> list[Pair]:
    """The cases that can be scored on.

    Raises:
        BadInput: when there is none.
    """
    pairs = [p for p in cohort.validation if any(s.labels for s in p.scans.values())]
    if not pairs:
        raise BadInput(f"The cohort {path} has no labelled validation case.")
    return pairs


def scored(
    pairs: list[Pair],
    bundle: "Bundle",
    cohort: Cohort,
    settings: SegmentSettings,
    *,
    tolerance_mm: float = TOLERANCE_MM,
    together: bool = True,
    report: Report = ignore,
) -> Iterator[ScoredScan]:
    """Segment and score case by case; scans alone first, then together where there are two.

    Args:
        pairs: cases with labels.
        bundle: the model.
        cohort: says what the values of the label maps mean.
        settings: how to segment.
        tolerance_mm: of the surface Dice.
        together: whether two scans of a case are looked at together, too.
        report: told before every case.
    """
    from cmcseg.imaging.files import read_label_map, read_volume
    from cmcseg.predict.segment import segment

    for number, pair in enumerate(pairs):
        report(Progress(stage=f"case {pair.id}", done=number, total=len(pairs)))
        volumes = {role: read_volume(scan.image) for role, scan in pair.scans.items()}
        truths = {
            role: read_label_map(
                scan.labels, cohort.table, cohort.unannotated, cohort.names, volumes[role].grid
            )
            for role, scan in pair.scans.items()
            if scan.labels
        }
        ways = [("alone", {role: volumes[role]}) for role in truths]
        if together and len(volumes) == 2:
            ways.append(("together", volumes))
        for way, given in ways:
            found = segment(given, bundle, settings).labels
            for role in given:
                if role in truths:
                    organs = pair.scans[role].organs
                    rows = _rows(
                        pair.id, way, role, found[role], truths[role], organs, tolerance_mm
                    )
                    yield ScoredScan(
                        case=pair.id,
                        role=role,
                        volume=volumes[role],
                        found=found[role],
                        truth=truths[role],
                        scores=tuple(rows),
                    )
    report(Progress(stage="scored", done=len(pairs), total=len(pairs)))


def _rows(
    case: str,
    way: str,
    role: str,
    found: LabelMap,
    truth: LabelMap,
    organs: tuple[str, ...],
    tolerance_mm: float,
) -> Iterator[Score]:
    from cmcseg.imaging.surface_distance import surface_scores
    from cmcseg.learn.scores import dice

    seen = truth.array != UNANNOTATED
    for label in truth.table:
        if organs and label.name not in organs:
            continue
        a, b = (found.array == label.value) & seen, truth.array == label.value
        distance, surface = surface_scores(a, b, truth.grid, tolerance_mm)
        yield Score(
            case=case,
            scans=way,
            role=role,
            organ=label.name,
            dice=dice(found.array, truth.array, label.value),
            hd95_mm=distance,
            surface_dice=surface,
            volume_ml=float(a.sum()) * truth.grid.voxel_ml,
            truth_ml=float(b.sum()) * truth.grid.voxel_ml,
        )


def write_scores(scores: list[Score], path: Path) -> None:
    """A row per organ, scan and way."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for score in scores:
        *names, dice, distance, surface, volume, truth = astuple(score)
        numbers = (
            f"{dice:.4f}",
            f"{distance:.2f}",
            f"{surface:.4f}",
            f"{volume:.2f}",
            f"{truth:.2f}",
        )
        writer.writerow((*names, *numbers))
    write_whole(path, text.getvalue())
