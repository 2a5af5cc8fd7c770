import pytest
from cmcseg.queue.holdout import new_pair, part_of


@pytest.mark.parametrize("part", ["learn", "check"])
def test_a_fresh_id_goes_where_it_is_wanted(part):
    assert {part_of(new_pair(part)) for _ in range(20)} == {part}


def test_the_rule_is_the_same_for_ever():
    known = {"p000000000000": "learn", "p000000000001": "learn", "p000000000007": "check"}
    assert {pair: part_of(pair) for pair in known} == known


def test_about_one_id_in_four_is_kept_back():
    kept_back = sum(part_of(f"p{k:012x}") == "check" for k in range(10_000))
    assert 2300 < kept_back < 2700  # more than six standard deviations about 2500
