"""Which pairs of a folder to look at next: the model is asked about each of them once.

What its doubt is worth is told by the pairs of the queue that are kept back: the model has not
learned from them, and their truth is known.
"""

from pathlib import Path

import numpy as np

from cmcseg.bundle.load import Bundle
from cmcseg.core.case import Pair
from cmcseg.core.errors import BadInput
from cmcseg.core.prediction import Prediction
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.core.settings import SegmentSettings
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.learn.scores import dice
from cmcseg.predict import segment as predictor
from cmcseg.queue.calibration import Calibration, calibrate
from cmcseg.queue.cohort import as_cohort
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.rank import Candidate, doubt_score, rank
from cmcseg.queue.uncorrected_pairs import keep_doubt, known_doubt, known_error, pairs_waiting


def next_pairs(
    folder: Path,
    ledger: Ledger,
    key: Path,
    bundle: Bundle,
    settings: SegmentSettings,
    *,
    count: int = 10,
    seed: int = 0,
    without: frozenset[Path] = frozenset(),
    report: Report = ignore,
) -> tuple[list[dict], dict[str, str], Calibration | None]:
    """The first places of the order in which waiting pairs should be corrected.

    Args:
        folder: where scans lie; see ``pairs_waiting``.
        ledger: the queue, which remembers the doubts.
        key: the folder that says which subject has which id.
        bundle: whose doubt is asked for.
        settings: how to segment.
        count: how many places.
        seed: decides those that go by chance.
        without: scans whose pairs are left out.
        report: told which pair is asked about.

    Returns:
        Rows ``{"pair", "doubt", "error", "by", "scans"}``, why others could not be asked about, and
        what the expected errors rest on; without that they are None.

    Raises:
        BadInput: when the folder cannot be used, or a doubt cannot be kept.
    """
    found = pairs_waiting(folder, bundle.card.roles, ledger, key)
    waiting = {name: scans for name, scans in found.items() if without.isdisjoint(scans.values())}
    candidates, failed = [], {}
    for number, (pair, scans) in enumerate(waiting.items()):
        report(Progress(stage=f"asking about {pair}", done=number, total=len(waiting)))
        try:
            doubt = _doubt(ledger, bundle, scans, settings)
        except BadInput as error:
            failed[pair] = str(error)
            continue
        candidates.append(Candidate(pair=pair, doubt=doubt))
    line = calibrate(_points(ledger, bundle, settings, report))
    rows = [
        {
            "pair": candidate.pair,
            "doubt": round(candidate.doubt, 4),
            "error": round(line.error(candidate.doubt), 4) if line else None,
            "by": ("doubt", "chance")[place % 2],
            "scans": {role: str(path) for role, path in waiting[candidate.pair].items()},
        }
        for place, candidate in enumerate(rank(candidates, seed)[:count])
    ]
    return rows, failed, line


def _points(
    ledger: Ledger, bundle: Bundle, settings: SegmentSettings, report: Report
) -> list[tuple[float, float]]:
    """Doubt and error of every pair that the model has not learned from and has dense labels."""
    points = []
    cohort = as_cohort(ledger, bundle.card)
    learned = {n for record in bundle.card.history for n in record.get("learned_from", ())}
    pairs = [p for p in (*cohort.validation, *cohort.train) if p.id not in learned]
    for number, pair in enumerate(pairs):
        report(Progress(stage=f"looking back at {pair.id}", done=number, total=len(pairs)))
        scans = {role: scan.image for role, scan in pair.scans.items()}
        sha256 = bundle.card.sha256
        if known_error(ledger, sha256, scans) is None:
            try:
                volumes = {role: read_volume(path) for role, path in scans.items()}
                found = predictor.segment(volumes, bundle, settings)
                error = _error(found, pair)
            except BadInput:
                continue  # ``cmcseg queue verify`` says what is wrong with it
            if error is None:
                continue
            keep_doubt(ledger, sha256, scans, _score(found), error)
        points.append((known_doubt(ledger, sha256, scans), known_error(ledger, sha256, scans)))
    return points


def _error(found: Prediction, pair: Pair) -> float | None:
    """1 - mean Dice over the organs that were drawn; None where there are none."""
    values = []
    for role, scan in pair.scans.items():
        if scan.labels is None:
            continue
        labels = found.labels[role]
        truth = read_label_map(scan.labels, labels.table).array
        values += [
            dice(labels.array, truth, label.value)
            for label in labels.table
            if not scan.organs or label.name in scan.organs
        ]
    values = [value for value in values if not np.isnan(value)]
    return 1 - float(np.mean(values)) if values else None


def _score(found: Prediction) -> float:
    return doubt_score(
        {role: volume.array for role, volume in found.doubt.items()},
        {role: labels.array for role, labels in found.labels.items()},
    )


def _doubt(
    ledger: Ledger, bundle: Bundle, scans: dict[str, Path], settings: SegmentSettings
) -> float:
    """How doubtful the model is about a pair, from an earlier time or by segmenting it now."""
    known = known_doubt(ledger, bundle.card.sha256, scans)
    if known is not None:
        return known
    volumes = {role: read_volume(path) for role, path in scans.items()}
    found = predictor.segment(volumes, bundle, settings)
    doubt = _score(found)
    keep_doubt(ledger, bundle.card.sha256, scans, doubt)
    return doubt
