"""Every pair is judged before anything was learned from it, and then learned from."""

import pytest
from cmcseg.core.progress import Progress
from cmcseg.learn.rounds import Clock, rounds
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(0, 4), st.integers(0, 12), st.booleans(), st.booleans())
def test_nothing_is_judged_after_it_was_learned_from_and_nothing_is_judged_twice(
    known, new, started, once
):
    old, fresh = ([f"{kind}{k}" for k in range(n)] for kind, n in (("old", known), ("new", new)))
    plan = rounds(tuple(old), tuple(fresh), started=started, once=once)
    judged = [name for stretch in plan for name in stretch.judge]
    assert len(judged) == len(set(judged))
    assert set(judged) <= set(fresh)
    for number, stretch in enumerate(plan):
        later = {name for after in plan[number:] for name in after.judge}
        assert not set(stretch.learn) & later
    assert set(plan[-1].learn) == {*old, *fresh}
    assert not plan[-1].judge
    assert sum(stretch.share for stretch in plan) == pytest.approx(1)


def test_all_but_the_first_pair_are_judged_and_all_where_a_candidate_is_there():
    names = tuple(f"p{k}" for k in range(8))
    judged = [n for stretch in rounds((), names, started=False) for n in stretch.judge]
    assert judged == list(names[1:])
    plan = rounds(("a",), names, started=True)
    assert [n for stretch in plan for n in stretch.judge] == list(names)
    assert plan[0].share == 0


def test_a_new_organ_is_judged_once_by_a_candidate_that_has_learned_from_most():
    names = tuple(f"p{k}" for k in range(9))
    plan = rounds((), names, started=False, once=True)
    assert [stretch.judge for stretch in plan] == [names[6:], ()]


def a_clock(folder, minutes, times):
    return Clock(folder, minutes, now=iter(times).__next__)


def test_what_is_not_learning_is_taken_off_the_budget(tmp_path):
    clock = a_clock(tmp_path, 10, [0.0, 120.0])
    assert clock.learning_minutes(comparing=60.0) == pytest.approx(7)


def test_a_run_that_goes_on_learns_as_long_as_it_was_going_to(tmp_path):
    first = a_clock(tmp_path, 10, [0.0, 120.0]).learning_minutes(60.0)
    assert a_clock(tmp_path, 10, [0.0, 1.0]).learning_minutes(0.0) == first


def test_a_fifth_of_a_budget_that_is_too_small_is_learned_for(tmp_path):
    assert a_clock(tmp_path, 1, [0.0, 90.0]).learning_minutes(30.0) == pytest.approx(0.2)


def test_every_stage_is_told_with_the_time_that_is_left(tmp_path):
    told = []
    report = a_clock(tmp_path, 1, [0.0, 20.0, 90.0]).told(told.append)
    report(Progress(stage="asking", done=0, total=1))
    report(Progress(stage="asking", done=1, total=1))
    assert [progress.seconds_left for progress in told] == [40, 0]
