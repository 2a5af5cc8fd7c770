"""No pair is judged by a candidate that has learned from it, and the last one learns from all."""

import pytest
from cmcseg.core.progress import Progress
from cmcseg.learn.schedule import EARLY, PARTS, Clock, Pairs, schedule
from hypothesis import given
from hypothesis import strategies as st


def some(kind, count):
    return tuple(f"{kind}{k}" for k in range(count))


def pairs_of(new=(), known=None, settled=(), started=False):
    return Pairs(settled=settled, known=known or {}, new=new, started=started)


PAIRS = st.builds(
    lambda settled, lessons, new, started: pairs_of(
        some("new", new),
        dict(zip(some("old", len(lessons)), lessons, strict=True)),
        some("settled", settled),
        started,
    ),
    st.integers(0, 3),
    st.lists(st.integers(0, 8), max_size=9),
    st.integers(0, 12),
    st.booleans(),
)


@given(PAIRS, st.booleans())
def test_nothing_is_judged_by_what_has_learned_from_it_and_all_is_learned_from_at_last(pairs, once):
    plan = schedule(pairs, once=once)
    judged = [name for one in plan.comparisons for name in one.judge]
    assert len(judged) == len(set(judged))
    assert set(judged) <= {*pairs.known, *pairs.new}
    for one in plan.comparisons:
        assert set(one.learned) == {name for k in one.by for name in plan.stretches[k].learn}
        assert not set(one.learned) & set(one.judge)
    assert set(plan.last.learn) == {*pairs.settled, *pairs.known, *pairs.new}
    shares = [stretch.share for stretch in (*plan.stretches, plan.last)]
    assert sum(shares) == pytest.approx(1)
    assert plan.last.share >= 0.5


@given(PAIRS)
def test_a_pair_is_judged_again_only_by_a_candidate_that_has_learned_from_more(pairs):
    again = {
        pair: len(one.learned)
        for one in schedule(pairs).comparisons
        for pair in one.judge
        if pair in pairs.known
    }
    assert all(pairs.known[pair] < lessons for pair, lessons in again.items())
    assert set(again) <= set(pairs.again)  # so they are asked about


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_of_pairs_that_come_together_each_part_is_judged_by_what_the_others_teach(count):
    names = some("p", count)
    plan = schedule(pairs_of(names))
    assert len(plan.stretches) == min(count, PARTS)
    assert sorted(name for stretch in plan.stretches for name in stretch.learn) == sorted(names)
    assert all({*one.learned, *one.judge} == set(names) for one in plan.comparisons)
    assert sorted(name for one in plan.comparisons for name in one.judge) == sorted(names)
    assert all(stretch.anew for stretch in plan.stretches)
    assert plan.last.share == pytest.approx(1 - EARLY)


def test_pairs_that_came_since_are_judged_by_what_is_there_and_judge_the_earlier_ones_if_more():
    few, many = some("few", 2), some("new", 5)
    plan = schedule(pairs_of(few, {"a": 2, "b": 3}, started=True))
    assert [(one.learned, one.judge) for one in plan.comparisons] == [(("a", "b"), few)]
    assert ([stretch.share for stretch in plan.stretches], plan.last.share) == ([0], 1)
    plan = schedule(pairs_of(many, {"a": 2, "b": 3, "c": 2}, ("s",), started=True))
    at_once, again = plan.comparisons
    assert (at_once.by, again.by) == ((0,), (1,))
    assert (again.learned, again.judge) == (("s", *many), ("a", "b", "c"))


def test_one_pair_alone_is_learned_from_and_judged_by_nothing():
    plan = schedule(pairs_of(("a",)))
    assert (plan.stretches, plan.comparisons, plan.last.share) == ((), (), 1)


def test_a_new_organ_is_judged_once_by_a_candidate_that_has_learned_from_most():
    names = some("p", 9)
    plan = schedule(pairs_of(names), once=True)
    assert [(one.learned, one.judge) for one in plan.comparisons] == [(names[:6], names[6:])]


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
