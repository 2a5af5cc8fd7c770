"""The network: absent scans, untrusted scans, independent cases."""

import pytest
import torch
from cmcseg.nets.build import build_network
from tiny import tiny_card


@pytest.fixture
def a_network():
    torch.manual_seed(0)
    network = build_network(tiny_card()).eval()
    torch.nn.init.normal_(network.fusion.mix[-1].weight)  # a fresh fusion adds nothing
    return network


@pytest.fixture
def two_windows():
    chance = torch.Generator().manual_seed(1)
    return {m: torch.randn(2, 1, 16, 16, 16, generator=chance) for m in (0, 1)}


def test_an_untrusted_partner_changes_nothing(a_network, two_windows):
    with torch.inference_mode():
        alone = a_network({0: two_windows[0]}, torch.zeros(2))[0].logits_BKDHW
        beside = a_network(two_windows, torch.zeros(2))[0].logits_BKDHW
    assert torch.equal(alone, beside)


def test_a_trusted_partner_has_a_say(a_network, two_windows):
    with torch.inference_mode():
        alone = a_network({0: two_windows[0]}, torch.ones(2))[0].logits_BKDHW
        beside = a_network(two_windows, torch.ones(2))[0].logits_BKDHW
    assert (alone - beside).abs().max() > 1e-3


def test_a_case_does_not_depend_on_its_neighbours_in_the_batch(a_network, two_windows):
    first = {m: x[:1] for m, x in two_windows.items()}
    with torch.inference_mode():
        together = a_network(two_windows, torch.ones(2))[1].logits_BKDHW[:1]
        apart = a_network(first, torch.ones(1))[1].logits_BKDHW
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=1e-4)


def test_no_scan_at_all_is_refused(a_network):
    with pytest.raises(ValueError, match=r"not within 0\.\.1"):
        a_network({}, torch.zeros(1))
