"""The gate: adopt only what is better, and says so when it cannot know."""

import math

import numpy as np
import pytest
from cmcseg.core.sequential_test import lower_end
from cmcseg.learn.noninferiority import LITTLE, Score, judge, lower_bound


def scores(change, *, real=8, phantoms=3, organs=("liver", "left kidney"), seed=0):
    """Old and new scores; ``change`` maps an organ to its mean difference."""
    rng = np.random.default_rng(seed)
    cases = [(f"p{k}", True) for k in range(real)] + [
        (f"phantom-{k}", False) for k in range(phantoms)
    ]
    return [
        Score(
            case=case,
            role="ct",
            organ=organ,
            old=0.8,
            new=0.8 + (change(organ) if callable(change) else change) + rng.normal(0, 0.004),
            real=is_real,
        )
        for case, is_real in cases
        for organ in organs
    ]


def test_better_everywhere_is_adopted():
    verdict = judge(scores(0.05))
    assert verdict.verdict == "adopt"
    assert verdict.reason.startswith("Better by 0.049 Dice on the 8 pairs compared on")


def test_one_organ_that_is_worse_is_enough_to_keep_the_old_one():
    verdict = judge(scores(lambda organ: -0.06 if organ == "left kidney" else 0.2))
    assert verdict.verdict == "keep"
    assert verdict.reason == "The new model is worse in ct left kidney."
    assert verdict.organs["ct left kidney"].worse
    assert not verdict.organs["ct liver"].worse


def test_the_cases_that_changed_most_come_first():
    changes = {"a": 0.01, "b": -0.2, "c": 0.05}
    rows = [
        Score(case=case, role="ct", organ="liver", old=0.5, new=0.5 + change, real=True)
        for case, change in changes.items()
    ]
    rows.append(Score(case="phantom-1", role="ct", organ="liver", old=0, new=1, real=False))
    verdict = judge(rows)
    assert list(verdict.cases) == ["b", "c", "a"]
    assert verdict.cases == pytest.approx(changes)


def test_the_same_is_kept():
    verdict = judge(scores(-0.01))
    assert verdict.verdict == "keep"
    assert verdict.reason == "The new model is not better on the 8 pairs compared on."


@pytest.mark.parametrize("real", [0, 1, 5])
def test_too_few_patients_are_not_enough_evidence_however_many_phantoms(real):
    verdict = judge(scores(0.1, real=real, phantoms=20))
    assert verdict.verdict == "insufficient"
    assert verdict.reason.startswith(
        f"Not enough evidence: the models were compared on {real} corrected "
        f"{'pair' if real == 1 else 'pairs'}, 6 are needed."
    )


def test_a_model_that_only_pleases_phantoms_is_not_adopted():
    rows = [
        Score(case=s.case, role=s.role, organ=s.organ, old=s.old, real=s.real,
              new=s.old - 0.005 if s.real else s.old + 0.1)
        for s in scores(0.0)
    ]  # fmt: skip
    assert judge(rows).verdict == "keep"


def test_a_model_that_is_hardly_better_is_not_adopted_on_the_strength_of_chance():
    changes = (0.010, -0.006, 0.008, -0.004, 0.006, -0.002, 0.009)
    rows = [
        Score(case=f"p{k}", role="ct", organ="liver", old=0.8, new=0.8 + change, real=True)
        for k, change in enumerate(changes)
    ]
    verdict = judge(rows)
    assert verdict.mean_change > 0
    assert verdict.verdict == "insufficient"
    assert verdict.reason == (
        "Not enough evidence that the new model is better: by 0.003 Dice on the 7 pairs compared "
        "on; 1.4% of the error is gone, at worst -1.8%."
    )
    assert verdict.more_cases is None  # more than anybody would wait for


def test_half_of_an_error_is_half_whether_it_is_large_or_small():
    """A case that was found badly and one that was found well speak alike."""
    olds = np.linspace(0.4, 0.9, 8)
    rows = [
        Score(case=f"p{k}", role="ct", organ="liver", old=old, new=old + 0.1 * (1 - old), real=True)
        for k, old in enumerate(olds)
    ]
    verdict = judge(rows)
    assert verdict.error_gone == pytest.approx(0.1, abs=0.01)
    assert verdict.error_gone_at_worst == pytest.approx(0.1, abs=0.02)
    assert verdict.mean_change == pytest.approx(0.1 * np.mean(1 - olds))


def test_next_to_nothing_is_told_without_a_sign():
    gains = np.array([0.2, 0.1, 0.15, 0.05, 0.12, 0.18, 0.07])
    gains -= lower_end(gains[None]) + 0.0003
    rows = [
        Score(case=f"p{k}", role="ct", organ="liver", old=0.8, real=True,
              new=1 + LITTLE - (0.2 + LITTLE) * math.exp(-gain))
        for k, gain in enumerate(gains)
    ]  # fmt: skip
    verdict = judge(rows)
    assert -0.0005 < verdict.error_gone_at_worst < 0
    assert "of the error is gone, at worst 0.0%." in verdict.reason


def test_more_of_the_error_gone_at_the_price_of_dice_is_not_better():
    """Two large losses where all was right, small gains everywhere else."""
    rows = [
        Score(case=f"p{k}", role="ct", organ="liver", old=0.9, new=0.93, real=True)
        for k in range(12)
    ] + [
        Score(case=f"q{k}", role="ct", organ="liver", old=0.5, new=0.2, real=True) for k in range(2)
    ]
    verdict = judge(rows)
    assert verdict.error_gone > 0 > verdict.mean_change
    assert verdict.verdict == "keep"


def test_what_is_likely_but_not_shown_says_how_many_more_pairs_would_settle_it():
    changes = (0.03, -0.015, 0.03, 0.02, 0.02, -0.015, 0.02)
    rows = [
        Score(case=f"p{k}", role="ct", organ="liver", old=0.8, new=0.8 + change, real=True)
        for k, change in enumerate(changes)
    ]
    verdict = judge(rows)
    assert verdict.verdict == "insufficient"
    assert 0 < verdict.more_cases < 12
    told = f"If they are like these, {verdict.more_cases} more corrected pairs would probably"
    assert told in verdict.reason


def test_a_model_that_is_no_better_is_adopted_at_most_once_in_twenty():
    """Whatever it does to phantoms, and with three organs that all must not be worse."""
    rng = np.random.default_rng(0)
    adopted = 0
    for _ in range(100):
        rows = [
            Score(case=f"p{k}", role="ct", organ=organ, old=0.8, new=0.8 + d, real=True)
            for organ in ("liver", "spleen", "kidney")
            for k, d in enumerate(rng.normal(0, 0.01, 8))
        ]
        adopted += judge(rows).verdict == "adopt"
    assert adopted <= 7


FRESH = frozenset({"ct gallbladder"})


def with_gallbladder(values, change=0.0):
    extra = [
        Score(case=f"p{k}", role="ct", organ="gallbladder", old=0.0, new=new, real=True,
              fresh=True)
        for k, new in enumerate(values)
    ]  # fmt: skip
    return [*scores(change), *extra]


def test_a_new_organ_is_no_gain_of_the_old_ones():
    verdict = judge(with_gallbladder([0.7, 0.72, 0.69, 0.7], change=-0.002), fresh=FRESH)
    assert verdict.verdict == "adopt"
    assert verdict.reason == (
        "It finds ct gallbladder (Dice 0.70 on 4 pairs, at worst 0.69), and no other organ is "
        "worse by more than 0.03."
    )
    assert verdict.mean_change < 0.01
    assert set(verdict.organs) == {"ct liver", "ct left kidney"}
    assert verdict.fresh["ct gallbladder"].found


@pytest.mark.parametrize("values", [[], [0.9, 0.91], [0.3, 0.32, 0.31, 0.3], [0.9, 0.1, 0.9, 0.6]])
def test_a_new_organ_that_is_not_known_to_be_found_is_not_enough_evidence(values):
    verdict = judge(with_gallbladder(values, change=0.1), fresh=FRESH)
    assert verdict.verdict == "insufficient"
    assert verdict.reason.startswith("Not enough evidence that the new model finds ct gallbladder")


def test_a_new_organ_does_not_pay_for_an_old_one():
    rows = with_gallbladder([0.9, 0.91, 0.92, 0.9], change=-0.06)
    assert judge(rows, fresh=FRESH).verdict == "keep"


def test_scattered_scores_are_not_enough_evidence():
    rng = np.random.default_rng(1)
    rows = [
        Score(case=f"p{k}", role="ct", organ="liver", old=0.6, new=0.62 + d, real=True)
        for k, d in enumerate(rng.normal(0, 0.15, 4))
    ]
    verdict = judge(rows)
    assert verdict.verdict in ("insufficient", "keep")
    assert verdict.verdict != "adopt"


def test_a_harmless_model_is_seldom_called_worse_and_a_harmful_one_seldom_adopted():
    """The bound keeps its promise: at a true loss of the margin, at most one in twenty passes."""
    rng = np.random.default_rng(0)
    passed = [lower_bound(rng.normal(-0.03, 0.02, 6)) > -0.03 for _ in range(4000)]
    assert 0.03 < np.mean(passed) < 0.07


def test_one_case_bounds_nothing():
    assert lower_bound(np.array([0.5])) == -math.inf


def test_a_verdict_can_be_written_as_json():
    import json

    json.dumps(judge(scores(0.1, real=0)).to_dict(), allow_nan=False)
