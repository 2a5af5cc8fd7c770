"""A network of one scan, taken out of a network of two."""

from dataclasses import replace

import pytest
import torch
from cmcseg.core.errors import BadInput
from cmcseg.nets.build import build_network
from cmcseg.nets.submodel import submodel_of
from tiny import tiny_card

CARD = tiny_card()


def a_network(card=CARD):
    """Weights by chance everywhere, also where training begins with zeros."""
    torch.manual_seed(0)
    network = build_network(card).eval()
    for value in network.parameters():
        torch.nn.init.normal_(value, std=0.3)
    return network


def alone(role):
    return replace(CARD, inputs=(CARD.input(role),))


@pytest.mark.parametrize("role", CARD.roles)
def test_the_part_says_what_the_whole_says_of_that_scan_alone(role):
    whole, card = a_network(), alone(role)
    part = build_network(card).eval()
    part.load_state_dict(submodel_of(whole.state_dict(), CARD, card))
    image, trust = torch.randn(1, 1, *CARD.grid.window), torch.zeros(1)
    m = CARD.roles.index(role)
    expected = whole({m: image}, trust)[m].logits_BKDHW
    torch.testing.assert_close(part({0: image}, trust)[0].logits_BKDHW, expected)
    other = a_network()({1 - m: image}, trust)[1 - m].logits_BKDHW
    assert not torch.allclose(other, expected)


def test_without_awareness_the_rest_is_taken_over():
    card = replace(CARD, network=replace(CARD.network, awareness=False))
    weights = a_network().state_dict()
    part = build_network(card)
    part.load_state_dict(submodel_of(weights, CARD, card))
    assert {k for k in weights if k not in part.state_dict()} == {
        k for k in weights if k.startswith("awareness.")
    }
    assert all(torch.equal(value, weights[key]) for key, value in part.state_dict().items())


@pytest.mark.parametrize("change", [{"shared_kernels": False}, {"fusion": "attention"}])
def test_a_network_that_cannot_be_taken_apart_is_refused(change):
    card = replace(CARD, network=replace(CARD.network, **change))
    with pytest.raises(BadInput, match=r"cannot be taken apart; only one with shared kernels"):
        submodel_of(a_network(card).state_dict(), card, alone("ct"))
