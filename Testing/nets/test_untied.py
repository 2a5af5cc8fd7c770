"""Scans that no longer share kernels say what they said, and learn without moving each other."""

from dataclasses import replace

import pytest
import torch
from cmcseg.nets.build import build_network
from cmcseg.nets.untied import untied
from tiny import tiny_card


@pytest.fixture(params=["concat", "attention"])
def a_pair_of_networks(request):
    """The same network with shared kernels and with kernels apart, and two windows."""
    card = tiny_card()
    card = replace(card, network=replace(card.network, fusion=request.param))
    torch.manual_seed(0)
    shared = build_network(card).eval()
    for weight in shared.parameters():  # norms begin alike, which would hide a mistake
        torch.nn.init.normal_(weight, std=0.3)
    apart = build_network(replace(card, network=replace(card.network, shared_kernels=False)))
    apart.load_state_dict(untied(shared.state_dict(), 2))
    images = {m: torch.randn(1, 1, 16, 16, 16) for m in (0, 1)}
    return shared, apart.eval(), images


@pytest.mark.parametrize("given", [(0,), (1,), (0, 1)])
def test_every_output_stays_to_the_bit(a_pair_of_networks, given):
    shared, apart, images = a_pair_of_networks
    seen = {m: images[m] for m in given}
    with torch.no_grad():
        before, after = (net(seen, torch.ones(1)) for net in (shared, apart))
    for m in given:
        assert torch.equal(before[m].logits_BKDHW, after[m].logits_BKDHW)


def test_what_one_scan_learns_leaves_the_other_one_alone(a_pair_of_networks):
    _, apart, images = a_pair_of_networks
    alone = torch.zeros(1)
    before = apart({1: images[1]}, alone)[1].logits_BKDHW.detach()
    apart({0: images[0]}, alone)[0].logits_BKDHW.sum().backward()
    moved = [name for name, weight in apart.named_parameters() if weight.grad is not None]
    assert moved
    with torch.no_grad():
        for name, weight in apart.named_parameters():
            if weight.grad is not None and not name.startswith("fusion."):
                weight.add_(weight.grad, alpha=-0.1)
    assert torch.equal(apart({1: images[1]}, alone)[1].logits_BKDHW, before)
