"""``cmcseg queue next``: which pairs to look at next."""

import json
from dataclasses import dataclass
from pathlib import Path

from rich.table import Column, Table
from tyro.conf import Positional

from cmcseg.cli.screen import ERRORS, SCREEN, bar, checked
from cmcseg.core.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Next:
    """Say which pairs of a folder to correct next: half of the places by doubt, half by chance.

    Every pair that is not in the queue is segmented once; doubts are kept with the queue.
    """

    folder: Positional[Path]
    """Holds NAME_ROLE.nii.gz files, or a folder NAME per pair with ROLE.nii.gz in it."""
    queue: Path
    """The queue's folder."""
    model: str
    """Model whose doubt is asked for."""
    key: Path | None = None
    """Folder of the key from patients to random numbers; beside the queue when left out."""
    count: int = 10
    """How many to name."""
    seed: int = 0
    """Decides the places that go by chance."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    json: bool = False
    """Print the places as JSON."""

    def run(self) -> None:
        """Look, ask the model, order."""
        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.store import default_store
        from cmcseg.core.settings import SegmentSettings
        from cmcseg.queue.key import key_beside
        from cmcseg.queue.ledger import Ledger
        from cmcseg.queue.rank import Candidate, rank
        from cmcseg.queue.waiting import pairs_waiting

        settings = checked(SegmentSettings, device=self.device)
        bundle = load_bundle(default_store().find(self.model))
        ledger = Ledger(self.queue)
        key = self.key or key_beside(self.queue)
        waiting = pairs_waiting(self.folder.expanduser(), bundle.card.roles, ledger, key)
        candidates, failed = [], {}
        with bar(quiet=self.json) as report:
            for number, (pair, scans) in enumerate(waiting.items()):
                report(_at(pair, number, len(waiting)))
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
            for place, candidate in enumerate(rank(candidates, self.seed)[: self.count])
        ]
        if self.json:
            print(json.dumps({"next": rows, "failed": failed}, indent=1))
            return
        for pair, why in failed.items():
            ERRORS.print(f"{pair}: {why}", soft_wrap=True, markup=False)
        show = Table(Column("pair", overflow="fold"), "doubt", "chosen by", "scans")
        for row in rows:
            show.add_row(row["pair"], f"{row['doubt']:.3f}", row["by"], ", ".join(row["scans"]))
        SCREEN.print(show)
        if not waiting:
            SCREEN.print(f"Every pair of {self.folder} is in the queue.", soft_wrap=True)


def _doubt(ledger, bundle, scans: dict[str, Path], settings) -> float:  # noqa: ANN001
    """How doubtful the model is about a pair, from an earlier time or by segmenting it now."""
    from cmcseg.imaging.files import read_volume
    from cmcseg.predict.segment import segment
    from cmcseg.queue.rank import doubt_score
    from cmcseg.queue.waiting import keep_doubt, known_doubt

    known = known_doubt(ledger, bundle.card.sha256, scans)
    if known is not None:
        return known
    volumes = {role: read_volume(path) for role, path in scans.items()}
    found = segment(volumes, bundle, settings)
    doubt = doubt_score(
        {role: volume.array for role, volume in found.doubt.items()},
        {role: labels.array for role, labels in found.labels.items()},
    )
    keep_doubt(ledger, bundle.card.sha256, scans, doubt)
    return doubt


def _at(pair: str, done: int, total: int):  # noqa: ANN202
    from cmcseg.core.progress import Progress

    return Progress(stage=f"asking about {pair}", done=done, total=total)
