"""Whether a fine-tuned model may replace the one in use.

Both are scored on the same cases, each by a candidate that has not learned from it, and, where a
new organ was taught, on phantoms that never change. Differences are taken case by case. *Better* is
asked of real cases only, as a model may always learn to please phantoms: mean Dice must rise, and
of the error, 1 - Dice, the lower end of a confidence sequence of the share that is gone
(``core.sequential_test``) must lie above 0. A case that is found badly changes more than one that
is found well; shares of their errors are more alike, so that fewer cases show it. *Not worse* is a
non-inferiority question: for every organ of every scan the lower end of the change of Dice must lie
above minus the margin. What was found at earlier looks counts, as each look spends a part of the
error that the test may make. An organ with too few cases for the sequence, as when one scan of the
pairs is never corrected, is asked with Student's t. An organ that the old model does not know has
no difference; of it the new model must be more right than wrong, and being found is then what is
better.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from cmcseg.core.counted import counted
from cmcseg.core.sequential_test import FIRST, lower_end, more_cases

ADOPT, KEEP, INSUFFICIENT = "adopt", "keep", "insufficient"
MARGIN = 0.03  # Dice that an organ may lose at most
LITTLE = 0.02  # of 1 - Dice: added to each error, as half of hardly any is no great thing
FEWEST = 3  # real cases without which nothing can be said of a new organ
FOUND = 0.5  # Dice from which an organ is more found than missed
# One-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom; beyond, the last is safe.
T95 = (
    6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812,
    1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725,
    1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699, 1.697,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Score:
    """Dice of one organ in one scan by the old and by the new model.

    Attributes:
        case, role, organ: of what.
        old, new: Dice, 0 to 1.
        real: whether it is a scan of a patient, not a phantom.
        fresh: whether the old model does not know the organ.
        lessons: pairs that the new model had learned from.
    """

    case: str
    role: str
    organ: str
    old: float
    new: float
    real: bool
    fresh: bool = False
    lessons: int = 0


Looks = Sequence[Sequence[Score]]


@dataclass(frozen=True, kw_only=True)
class OrganVerdict:
    """One organ of one scan.

    Attributes:
        old, new: mean Dice.
        change: mean difference.
        at_worst: lower end of its one-sided 95 % interval.
        cases: how many.
        worse: whether it may be worse by more than the margin.
    """

    old: float
    new: float
    change: float
    at_worst: float
    cases: int
    worse: bool


@dataclass(frozen=True, kw_only=True)
class FreshVerdict:
    """One organ of one scan that the old model does not know, on real cases that show it.

    Attributes:
        new: mean Dice; 0 without any case.
        at_worst: lower end of its one-sided 95 % interval.
        cases: how many.
        found: whether it is more found than missed, as far as can be told.
    """

    new: float
    at_worst: float
    cases: int
    found: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the comparison says.

    Attributes:
        verdict: ``adopt``, ``keep`` or ``insufficient``.
        reason: one sentence.
        organs: by "ROLE ORGAN".
        real_cases: how many patients were compared on.
        mean_change: mean difference of Dice on real cases; NaN without any.
        error_gone: share of the error that is gone on them, a geometric mean; negative where it
            grew.
        error_gone_at_worst: lower end of its one-sided 95 % interval.
        margin: Dice that an organ may lose at most.
        fresh: organs without a predecessor, by "ROLE ORGAN".
        cases: mean difference of every patient, those that changed most first.
        more_cases: how many more pairs would probably settle an ``insufficient``; None when that
            cannot be told.
    """

    verdict: str
    reason: str
    organs: dict[str, OrganVerdict]
    real_cases: int
    mean_change: float
    error_gone: float = 0.0
    error_gone_at_worst: float = -1.0
    margin: float = MARGIN
    fresh: dict[str, FreshVerdict] = field(default_factory=dict)
    cases: dict[str, float] = field(default_factory=dict)
    more_cases: int | None = None

    def to_dict(self) -> dict:
        """JSON-ready form."""
        value = asdict(self)
        value["mean_change"] = None if math.isnan(self.mean_change) else self.mean_change
        return value


def judge(
    scores: list[Score],
    margin: float = MARGIN,
    fresh: frozenset[str] = frozenset(),
    earlier: Looks = (),
) -> Verdict:
    """Compare two models on the same cases.

    Args:
        scores: one per organ and scan, those of real cases in the order in which these came;
            organs that neither shows are left out before.
        margin: Dice that an organ may lose at most.
        fresh: organs that the old model does not know and the new one was taught, as "ROLE ORGAN".
        earlier: the scores of real cases at earlier looks.
    """
    looks = [[s for s in look if not s.fresh] for look in (*earlier, scores)]
    known = looks[-1]
    organs = {
        key: _organ([[s for s in look if _key(s) == key] for look in looks], margin)
        for key in dict.fromkeys(map(_key, known))
    }
    new = {key: _fresh([s for s in scores if _key(s) == key and s.real]) for key in sorted(fresh)}
    real = [s for s in known if s.real]
    cases = by_case(real, change)
    gains_LN = _at_looks([[s for s in look if s.real] for look in looks], gain)
    mean = float(np.mean(list(cases.values()))) if cases else float("nan")
    gone = share_gone(np.nanmean(gains_LN[-1]) if cases else 0.0)
    at_worst = share_gone(_shown(gains_LN))
    verdict, reason = _words(organs, new, len(cases), mean, gone, at_worst, margin)
    more = None
    if verdict == INSUFFICIENT:
        open_questions = [(gains_LN, 0.0)] + [
            (_at_looks([[s for s in look if _key(s) == name] for look in looks], change), -margin)
            for name, organ in organs.items()
            if organ.worse
        ]
        more = _more(open_questions)
        reason += _promise(more)
    return Verdict(
        more_cases=more,
        verdict=verdict,
        reason=reason,
        organs=organs,
        real_cases=len(cases),
        mean_change=mean,
        error_gone=gone,
        error_gone_at_worst=at_worst,
        margin=margin,
        fresh=new,
        cases=dict(sorted(cases.items(), key=lambda item: -abs(item[1]))),
    )


def lower_bound(differences: np.ndarray) -> float:
    """Lower end of the one-sided 95 % interval of a mean (Student, Biometrika 1908).

    Returns:
        Minus infinity for fewer than two values.
    """
    n = len(differences)
    if n < 2:
        return -math.inf
    t = T95[min(n - 2, len(T95) - 1)]
    return float(np.mean(differences) - t * np.std(differences, ddof=1) / math.sqrt(n))


def _key(score: Score) -> str:
    return f"{score.role} {score.organ}"


def _bounded(at_worst: float) -> float:
    """JSON knows no infinity; no Dice falls by more than 1."""
    return at_worst if math.isfinite(at_worst) else -1.0


def _organ(looks: list[list[Score]], margin: float) -> OrganVerdict:
    scores = looks[-1]
    differences = np.array([change(score) for score in scores])
    few = len(differences) < FIRST or not any(s.real for s in scores)
    at_worst = lower_bound(differences) if few else _shown(_at_looks(looks, change))
    return OrganVerdict(
        old=float(np.mean([s.old for s in scores])),
        new=float(np.mean([s.new for s in scores])),
        change=float(differences.mean()),
        at_worst=_bounded(at_worst),
        cases=len(scores),
        worse=at_worst < -margin,
    )


def by_case(scores: Iterable[Score], what: Callable[[Score], float]) -> dict[str, float]:
    """The mean of ``change`` or ``gain`` over every case's organs and scans, by case."""
    found: dict[str, list[float]] = {}
    for score in scores:
        found.setdefault(score.case, []).append(what(score))
    return {case: float(np.mean(values)) for case, values in found.items()}


def change(score: Score) -> float:
    """The change of Dice."""
    return score.new - score.old


def gain(score: Score) -> float:
    """The logarithm of the old error by the new one; 0.1 is a tenth of it, about."""
    return math.log((1 - score.old + LITTLE) / (1 - score.new + LITTLE))


def _at_looks(looks: list[list[Score]], what: Callable[[Score], float]) -> np.ndarray:
    """``(L, N)``, the mean of every case at every look, phantoms first; NaN before it was known."""
    found = [by_case(sorted(look, key=lambda s: s.real), what) for look in looks]
    cases = dict.fromkeys(case for at in found for case in at)
    return np.array([[at.get(case, np.nan) for case in cases] for at in found])


def share_gone(log_ratio: float) -> float:
    """Which share of an error is gone, of a mean ``gain``; at least -1."""
    return max(-1.0, -math.expm1(-log_ratio))


def _percent(share: float) -> str:
    return f"{round(share, 3) + 0.0:.1%}"  # and no "-0.0%"


def _shown(changes_LN: np.ndarray) -> float:
    """The lower end that was reached; what comes later may take it back, never raise it again."""
    last = changes_LN[-1][np.isfinite(changes_LN[-1])]
    return min(lower_end(changes_LN), float(np.mean(last))) if len(last) else -1.0


def _more(open_questions: list[tuple[np.ndarray, float]]) -> int | None:
    """How many more pairs would probably settle all that is not shown yet."""
    needed = [more_cases(changes_LN, level) for changes_LN, level in open_questions]
    known = [number for number in needed if number is not None]
    return max(known) if len(known) == len(needed) else None


def _promise(more: int | None) -> str:
    if not more:
        return ""
    return (
        f" If they are like these, {counted(more, 'more corrected pair')} would probably settle it."
    )


def _fresh(scores: list[Score]) -> FreshVerdict:
    values = np.array([s.new for s in scores])
    at_worst = _bounded(lower_bound(values))
    return FreshVerdict(
        new=float(values.mean()) if scores else 0.0,
        at_worst=at_worst,
        cases=len(scores),
        found=len(scores) >= FEWEST and at_worst > FOUND,
    )


def _words(
    organs: dict[str, OrganVerdict],
    fresh: dict[str, FreshVerdict],
    cases: int,
    mean: float,
    gone: float,
    at_worst: float,
    margin: float,
) -> tuple[str, str]:
    lost = [name for name, organ in organs.items() if organ.change < -margin]
    if lost:
        return KEEP, f"The new model is worse in {', '.join(lost)}."
    if cases < (FEWEST if fresh else FIRST):
        return INSUFFICIENT, (
            f"Not enough evidence: the models were compared on {counted(cases, 'corrected pair')}, "
            f"{FEWEST if fresh else FIRST} are needed."
        )
    if mean <= 0 and not fresh:
        return KEEP, f"The new model is not better on the {counted(cases, 'pair')} compared on."
    unsure = [name for name, organ in organs.items() if organ.worse]
    if unsure:
        return INSUFFICIENT, (
            f"Not enough evidence that the new model is not worse in {', '.join(unsure)}."
        )
    if any(not organ.found for organ in fresh.values()):
        told = ", ".join(f"{name} ({_told(organ)})" for name, organ in fresh.items())
        return INSUFFICIENT, f"Not enough evidence that the new model finds {told}."
    if fresh:
        told = ", ".join(f"{name} ({_told(organ)})" for name, organ in fresh.items())
        return ADOPT, f"It finds {told}, and no other organ is worse by more than {margin}."
    if at_worst <= 0:
        return INSUFFICIENT, (
            f"Not enough evidence that the new model is better: by {mean:.3f} Dice on the "
            f"{counted(cases, 'pair')} compared on; {_percent(gone)} of the error is gone, at "
            f"worst {_percent(at_worst)}."
        )
    return ADOPT, (
        f"Better by {mean:.3f} Dice on the {counted(cases, 'pair')} compared on: {_percent(gone)} "
        f"of the error is gone, at worst {_percent(at_worst)}, and no organ is worse by more than "
        f"{margin}."
    )


def _told(organ: FreshVerdict) -> str:
    on = counted(organ.cases, "pair")
    return f"Dice {organ.new:.2f} on {on}, at worst {max(organ.at_worst, 0):.2f}"
