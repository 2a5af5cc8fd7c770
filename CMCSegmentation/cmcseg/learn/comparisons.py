"""What was found when old and new model were compared pair by pair, as runs hand it on."""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cmcseg.bundle.adoption import CANDIDATE
from cmcseg.core.atomic_write import write_whole
from cmcseg.core.labelmap import UNANNOTATED, LabelTable
from cmcseg.data.cache import CachedScan
from cmcseg.learn.noninferiority import Score
from cmcseg.learn.predictions import Answer
from cmcseg.learn.schedule import Pairs
from cmcseg.learn.scores import dice

DUST_ML = 1.0  # less than this of an organ that is not there is no finding
FILE = "past.json"


@dataclass(frozen=True, kw_only=True)
class Past:
    """What earlier runs from the same model in use have left on the same queue.

    Attributes:
        scores: of real pairs, as they were judged last.
        earlier: what was known of them at the looks before that; each spent a part of the error.
        learned: pairs that the candidate has learned from.
        checked: label files whose plausibility was checked and that were not left out.
        candidate: folder of the last run's new model; None when there is none to go on from.
    """

    scores: tuple[Score, ...] = ()
    earlier: tuple[tuple[Score, ...], ...] = ()
    learned: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    candidate: Path | None = None

    @property
    def judged(self) -> tuple[str, ...]:
        """Pairs that were compared on, in their order."""
        return tuple(dict.fromkeys(score.case for score in self.scores))

    def pairs(self, names: list[str], settled: Collection[str]) -> Pairs:
        """What is known of the pairs of a run.

        Args:
            names: of them, oldest first.
            settled: those that the model in use has learned from.
        """
        lessons = {score.case: score.lessons for score in self.scores}
        known = {*self.judged, *self.learned} - set(settled)
        return Pairs(
            settled=tuple(name for name in names if name in settled),
            known={name: lessons.get(name, 0) for name in names if name in known},
            new=tuple(name for name in names if name not in known and name not in settled),
            started=self.candidate is not None,
        )

    def looks(self, scores: list[Score]) -> tuple[tuple[Score, ...], ...]:
        """The looks before one at these scores; the last one counts when these are others."""
        last = (self.scores,) if self.scores and set(self.scores) != set(scores) else ()
        return (*self.earlier, *last)

    def to_dict(self) -> dict:
        """JSON-ready form."""
        return {
            "scores": [asdict(score) for score in self.scores],
            "earlier": [[asdict(score) for score in look] for look in self.earlier],
            "learned": list(self.learned),
            "checked": list(self.checked),
            "candidate": str(self.candidate or ""),
        }

    @staticmethod
    def from_dict(value: dict) -> "Past":
        """Inverse of ``to_dict``; a candidate that is no longer there is none."""
        candidate = Path(value["candidate"]) if value["candidate"] else None
        return Past(
            scores=_scores(value["scores"]),
            # The first programs judged every pair once, and kept no looks.
            earlier=tuple(_scores(look) for look in value.get("earlier", ())),
            learned=tuple(value["learned"]),
            checked=tuple(value["checked"]),
            candidate=candidate if candidate and candidate.exists() else None,
        )


def _scores(rows: list[dict]) -> tuple[Score, ...]:
    return tuple(Score(**row) for row in rows)


def kept_past(past: Past, folder: Path) -> Past:
    """The past that a run began with, so that an interrupted one goes on from the same."""
    path = folder / FILE
    if path.exists():
        return Past.from_dict(json.loads(path.read_text(encoding="utf-8")))
    write_whole(path, json.dumps(past.to_dict(), indent=1) + "\n")
    return past


def left_behind(verdict: dict, folder: Path) -> dict:
    """What a finished run hands on to the next, JSON-ready: see ``Past``.

    A new model that was found worse is not gone on from; what was seen of it still counts.
    """
    made = folder / CANDIDATE
    usable = made.exists() and verdict["verdict"] != "keep"
    return {
        "scores": verdict["scores"],
        "earlier": verdict["earlier"],
        "learned": verdict["learned_from"],
        "checked": verdict["checked"],
        "candidate": str(made.resolve()) if usable else "",
    }


def scores_of(
    scans: list[CachedScan],
    table: LabelTable,
    before: dict[tuple[str, str], Answer],
    after: dict[tuple[str, str], Answer],
    fresh: frozenset[int],
    lessons: int = 0,
) -> list[Score]:
    """Both models against the truth of what the new one, taught by so many pairs, has not seen."""
    scores = []
    for scan in scans:
        truth = np.load(scan.labels)
        for label in table:
            if not scan.known[label.value]:
                continue
            old, new = (
                _quality(said[scan.pair, scan.role].labels, truth, label.value, scan.grid.voxel_ml)
                for said in (before, after)
            )
            if np.isnan(new):
                continue
            # Who sees an organ that is not there is wrong; who no longer does gets no credit, as
            # an organ may also be absent from the truth by mistake.
            old = 1.0 if np.isnan(old) else old
            scores.append(
                Score(
                    case=scan.pair,
                    role=scan.role,
                    organ=label.name,
                    old=old,
                    new=new,
                    real=not scan.phantom,
                    fresh=label.value in fresh,
                    lessons=lessons,
                )
            )
    return scores


def _quality(found: np.ndarray, truth: np.ndarray, value: int, voxel_ml: float) -> float:
    """Dice; NaN where an absent organ was not found, but for dust."""
    seen = found[truth != UNANNOTATED] == value
    dust = not (truth == value).any() and seen.sum() * voxel_ml < DUST_ML
    return float("nan") if dust else dice(found, truth, value)
