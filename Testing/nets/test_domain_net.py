"""Two sets of kernels: scans like the corrected ones get the learned ones, others the old ones."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from cmcseg.bundle.tasks import named_task
from cmcseg.core.grid import Grid
from cmcseg.core.scan_traits import LOOKS_LIKE, UNLIKE, groups_of, likeness, traits_of
from cmcseg.core.volume import Volume
from cmcseg.nets.build import build_network
from cmcseg.nets.domain_net import chosen, learned_weights, with_before
from cmcseg.nets.untied import untied
from tiny import tiny_card

ALONE = torch.zeros(1)


def a_scan(edge, seed):
    """Noise in cubes of that edge, in mm; scans of one edge look alike."""
    array = np.random.default_rng(seed).normal(size=(24, 24, 24)).astype(np.float32)
    grid = Grid(shape=array.shape, affine=np.diag([edge, edge, edge, 1.0]))
    return traits_of(Volume(array=array, grid=grid))


@pytest.fixture
def corrected():
    """A card corrected in CT alone, its network, and both that it was made from."""
    card = tiny_card()
    card = replace(card, network=replace(card.network, shared_kernels=False))
    torch.manual_seed(0)
    old, learned = (build_network(card).eval() for _ in range(2))
    learned.fusion.load_state_dict(old.fusion.state_dict())
    for part in ("encoders", "decoders", "awareness"):
        getattr(learned, part)[1].load_state_dict(getattr(old, part)[1].state_dict())
    group = groups_of([("ct", a_scan(2.0, seed)) for seed in range(4)])["ct"]
    card = replace(card, corrected={"ct": (group,)})
    network = build_network(card)
    network.load_state_dict(with_before(learned.state_dict(), old.state_dict(), [0]))
    return card, network.eval(), old, learned


def said(network, m, images):
    with torch.no_grad():
        return network(images, ALONE)[m].logits_BKDHW


@pytest.fixture
def images():
    return {m: torch.randn(1, 1, 16, 16, 16) for m in (0, 1)}


def test_a_scan_like_the_corrected_ones_is_seen_with_what_was_learned(corrected, images):
    card, network, _, learned = corrected
    fitting, shares = chosen(network, card, {"ct": a_scan(2.0, 9), "mr": a_scan(8.0, 9)})
    assert shares == {"ct": 1.0}
    for m in (0, 1):
        assert torch.equal(said(fitting, m, images), said(learned, m, images))


def test_a_scan_of_another_kind_is_seen_as_before_the_corrections(corrected, images):
    card, network, old, learned = corrected
    fitting, shares = chosen(network, card, {"ct": a_scan(8.0, 9), "mr": a_scan(8.0, 9)})
    assert shares == {"ct": 0.0}
    for m in (0, 1):
        assert torch.equal(said(fitting, m, images), said(old, m, images))
    assert not torch.equal(said(old, 0, images), said(learned, 0, images))


def test_between_the_kinds_the_kernels_lie_between(corrected):
    card, network, old, learned = corrected
    between = next(
        scan
        for edge in np.linspace(2.0, 8.0, 200)
        if 0.2 < likeness(card.corrected["ct"], scan := a_scan(edge, 9)) < 0.8
    )
    fitting, shares = chosen(network, card, {"ct": between})
    key = "encoders.0.stems.0.weight"
    was, new = old.state_dict()[key], learned.state_dict()[key]
    assert torch.equal(fitting.state_dict()[key], torch.lerp(was, new, shares["ct"]))


def test_the_next_corrections_leave_the_first_kernels_where_they_were(corrected):
    _, network, old, _ = corrected
    state = network.state_dict()
    again = with_before({k: v + 1 for k, v in learned_weights(state).items()}, state, [0, 1])
    first = old.state_dict()
    for key in ("encoders.0.stems.0.weight", "encoders.1.stems.0.weight"):
        assert torch.equal(again[f"before.{key}"], first[key])


def test_a_model_that_was_never_corrected_is_itself(corrected):
    card, _, old, _ = corrected
    card = replace(card, corrected={})
    assert chosen(old, card, {"ct": a_scan(8.0, 9)}) == (old, {})


def test_the_card_of_a_corrected_model_is_a_task_without_a_past(corrected, tmp_path):
    card = corrected[0]
    (tmp_path / "task.json").write_text(json.dumps(card.to_dict()))
    assert named_task("task.json", tmp_path) == replace(card, corrected={})


def test_a_scan_is_like_the_nearest_of_several_groups():
    near, far = (
        groups_of([("ct", a_scan(edge, seed)) for seed in range(4)])["ct"] for edge in (2.0, 8.0)
    )
    scan = a_scan(8.0, 9)
    assert near.distance(scan) > UNLIKE
    assert far.distance(scan) < LOOKS_LIKE
    assert [likeness(groups, scan) for groups in ((), (near,), (near, far))] == [0.0, 0.0, 1.0]


def test_scans_that_share_kernels_cannot_have_two_sets():
    card = tiny_card()
    group = groups_of([("ct", a_scan(2.0, 0))])["ct"]
    assert card.network.shared_kernels
    with pytest.raises(ValueError, match="share kernels"):
        replace(card, corrected={"ct": (group,)})


def test_kernels_taken_apart_have_the_names_that_are_kept(corrected):
    card = tiny_card()
    names = set(untied(build_network(card).state_dict(), 2))
    assert {name for name in corrected[1].state_dict() if not name.startswith("before.")} == names
