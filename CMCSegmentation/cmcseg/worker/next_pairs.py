"""Which pairs of a folder to look at next: the model is asked about each of them once."""

from pathlib import Path

from cmcseg.bundle.load import Bundle
from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.core.settings import SegmentSettings
from cmcseg.imaging.files import read_volume
from cmcseg.predict import segment as predictor
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.rank import Candidate, doubt_score, rank
from cmcseg.queue.waiting import keep_doubt, known_doubt, pairs_waiting


def next_pairs(
    folder: Path,
    ledger: Ledger,
    key: Path,
    bundle: Bundle,
    settings: SegmentSettings,
    *,
    count: int = 10,
    seed: int = 0,
    report: Report = ignore,
) -> tuple[list[dict], dict[str, str]]:
    """The first places of the order in which waiting pairs should be corrected.

    Args:
        folder: where scans lie; see ``pairs_waiting``.
        ledger: the queue, which remembers the doubts.
        key: the folder that says which subject has which id.
        bundle: whose doubt is asked for.
        settings: how to segment.
        count: how many places.
        seed: decides those that go by chance.
        report: told which pair is asked about.

    Returns:
        Rows ``{"pair", "doubt", "by", "scans"}``, and why others could not be asked about.

    Raises:
        BadInput: when the folder cannot be used, or a doubt cannot be kept.
    """
    waiting = pairs_waiting(folder, bundle.card.roles, ledger, key)
    candidates, failed = [], {}
    for number, (pair, scans) in enumerate(waiting.items()):
        report(Progress(stage=f"asking about {pair}", done=number, total=len(waiting)))
        try:
            doubt = _doubt(ledger, bundle, scans, settings)
        except BadInput as error:
            failed[pair] = str(error)
            continue
        candidates.append(Candidate(pair=pair, doubt=doubt))
    rows = [
        {
            "pair": candidate.pair,
            "doubt": round(candidate.doubt, 4),
            "by": ("doubt", "chance")[place % 2],
            "scans": {role: str(path) for role, path in waiting[candidate.pair].items()},
        }
        for place, candidate in enumerate(rank(candidates, seed)[:count])
    ]
    return rows, failed


def _doubt(
    ledger: Ledger, bundle: Bundle, scans: dict[str, Path], settings: SegmentSettings
) -> float:
    """How doubtful the model is about a pair, from an earlier time or by segmenting it now."""
    known = known_doubt(ledger, bundle.card.sha256, scans)
    if known is not None:
        return known
    volumes = {role: read_volume(path) for role, path in scans.items()}
    found = predictor.segment(volumes, bundle, settings)
    doubt = doubt_score(
        {role: volume.array for role, volume in found.doubt.items()},
        {role: labels.array for role, labels in found.labels.items()},
    )
    keep_doubt(ledger, bundle.card.sha256, scans, doubt)
    return doubt
