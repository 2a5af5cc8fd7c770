from cmcseg.core.review_places import Place
from cmcseg.session.looked_at import LookedAt


def places(count):
    facts = {"role": "ct", "position": "", "reason": "model unsure", "ml": 1.0, "doubt": 0.5}
    return tuple(Place(organ="liver", points={"ct": (0, 0, n)}, **facts) for n in range(count))


def test_what_was_not_looked_at_is_asked_about():
    looked = LookedAt(places(3))
    looked.see(0)
    assert looked.question() == "2 of 3 places were not looked at. Accept nevertheless?"
    looked.mark_fine(1)
    looked.mark_fine(2)
    assert looked.question() == ""
    assert LookedAt().question() == ""


def test_the_next_place_is_one_that_nobody_has_looked_at():
    looked = LookedAt(places(4))
    for number in (0, 1, 3):
        looked.see(number)
    assert looked.next_unseen(3) == 2
    looked.see(2)
    assert looked.next_unseen(0) == -1


def test_a_second_press_takes_fine_away_and_the_place_stays_seen():
    looked = LookedAt(places(1))
    looked.mark_fine(0)
    assert looked.fine == {0}
    looked.mark_fine(0)
    assert (looked.fine, looked.seen) == (set(), {0})
