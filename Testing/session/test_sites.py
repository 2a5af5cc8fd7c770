"""The version whose own scans look most like the chosen ones is proposed, and nothing is chosen."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.scan_traits import groups_of, groups_to_dict, traits_of
from cmcseg.core.steps import finish
from cmcseg.core.volume import Volume
from cmcseg.session.sites import SiteProposal, proposed
from session_parts import CARD

GAPS = {"dijon": 10.0, "lyon": 5.0}  # mm between slices


def a_scan(gap, seed=0):
    values = np.random.default_rng(seed).gamma(2.0, 1.0, (60, 60, 9))
    return Volume(array=values, grid=Grid(shape=(60, 60, 9), affine=np.diag([1.5, 1.5, gap, 1])))


def a_site(name, gap, **more):
    scans = groups_of(("mr", traits_of(a_scan(gap, seed))) for seed in range(5))
    record = {"scans": groups_to_dict(scans), "beside": "tiny", **more}
    return replace(
        CARD, name=f"tiny-{name}", title=f"Tiny, {name.title()}", sha256=name, history=(record,)
    )


DIJON, LYON = (a_site(name, gap) for name, gap in GAPS.items())
ALL = [CARD, DIJON, LYON]


def told(card, akin, gap):
    return proposed(card, akin, {"mr": traits_of(a_scan(gap, seed=9))})


def test_the_nearest_that_looks_alike_is_proposed_whichever_other_is_chosen():
    words = "These scans look like those that 'Tiny, Dijon' learned from."
    assert told(CARD, ALL, 10.0) == (words, "Use it", "tiny-dijon")
    assert told(LYON, ALL, 10.0) == (words, "Use it", "tiny-dijon")
    assert told(CARD, ALL, 5.0)[2] == "tiny-lyon"


def test_nothing_is_proposed_where_the_right_one_is_chosen_or_none_looks_alike():
    assert told(DIJON, ALL, 10.0) == ("", "", "")
    assert told(CARD, ALL, 2.0) == ("", "", "")
    assert proposed(CARD, ALL, {"ct": traits_of(a_scan(10.0))}) == ("", "", "")


def test_of_two_that_learned_from_the_same_scans_the_chosen_one_stays():
    twin = replace(DIJON, name="tiny-twin")
    assert told(DIJON, [twin, *ALL], 10.0) == ("", "", "")
    assert told(twin, [DIJON, twin], 10.0) == ("", "", "")


def test_where_the_chosen_sites_scans_look_different_its_origin_is_proposed():
    words = "These scans do not look like those that 'Tiny, Dijon' learned from."
    assert told(DIJON, ALL, 2.0) == (words, "Use 'Tiny'", "tiny")
    assert told(DIJON, [DIJON], 2.0) == ("", "", "")  # it is no longer there


def test_the_last_scans_that_a_model_learned_from_count():
    moved = replace(DIJON, history=(*DIJON.history, *LYON.history, {"scans": {}}))
    assert told(CARD, [CARD, moved], 5.0)[2] == "tiny-dijon"
    assert told(CARD, [CARD, moved], 10.0) == ("", "", "")


class Runner:
    """Keeps what it was given until the test lets it run."""

    def __init__(self):
        self.waiting = []

    def steps(self, work, done, failed):
        def run():
            try:
                found = finish(work)
            except BadInput as error:
                failed(str(error), "")
            else:
                done(found)

        self.waiting.append(run)

    def aside(self, work, done, _failed):
        self.waiting.append(lambda: done(work()))

    def go(self):
        while self.waiting:
            self.waiting.pop(0)()


@pytest.fixture
def a_proposal():
    scans = {"a": a_scan(10.0, 9), "b": a_scan(5.0, 9)}

    def reading(key):
        scene.read.append(key)
        yield
        if key in scene.gone:
            raise BadInput("The scan was changed while it was being read.")
        return scans[key]

    scene = SimpleNamespace(
        read=[],
        gone=set(),
        scans=lambda: [SimpleNamespace(key=key, refusal="") for key in scans],
        grid=lambda key: scans[key].grid,
        reading=reading,
    )
    found = SiteProposal(scene, Runner(), lambda: found.told.append(found.model))
    found.scene, found.runner, found.told = scene, found._runner, []
    return found


def test_scans_are_asked_about_once_and_again_when_another_is_chosen(a_proposal):
    for _ in range(3):
        a_proposal.ask(CARD, tuple(ALL), {"mr": "a"})
    assert a_proposal.model == ""
    a_proposal.runner.go()
    assert (a_proposal.told, a_proposal.scene.read) == (["tiny-dijon"], ["a"])
    a_proposal.ask(CARD, tuple(ALL), {"mr": "b"})
    assert a_proposal.sentence == ""
    a_proposal.runner.go()
    assert a_proposal.model == "tiny-lyon"
    a_proposal.ask(CARD, tuple(ALL), {})
    assert (a_proposal.sentence, a_proposal.model) == ("", "")


def test_an_answer_about_scans_that_are_no_longer_chosen_is_dropped(a_proposal):
    a_proposal.ask(CARD, tuple(ALL), {"mr": "a"})
    a_proposal.ask(CARD, tuple(ALL), {"mr": "b"})
    a_proposal.runner.go()
    assert a_proposal.told == ["tiny-lyon"]


def test_a_scan_that_could_not_be_read_is_asked_about_again(a_proposal):
    a_proposal.scene.gone.add("a")
    a_proposal.ask(CARD, tuple(ALL), {"mr": "a"})
    a_proposal.runner.go()
    assert (a_proposal.sentence, a_proposal.told) == ("", [])
    a_proposal.scene.gone.clear()
    a_proposal.ask(CARD, tuple(ALL), {"mr": "a"})
    a_proposal.runner.go()
    assert a_proposal.told == ["tiny-dijon"]


def test_without_a_model_of_a_site_no_scan_is_looked_at(a_proposal):
    other = replace(DIJON, inputs=CARD.inputs[:1])  # takes other scans
    a_proposal.ask(CARD, (CARD, other), {"mr": "a"})
    a_proposal.runner.go()
    assert a_proposal.scene.read == []
