"""A pair is never worse than the single scan: a fusion layer trained on a task of its own.

Every position has a name that both scans see and an organ that may be there; the scan's own
evidence of the organ is poor, its partner's is good. The partner is displaced, or is somebody
else. The best that a single scan can do is to believe its own evidence.
"""

import pytest
import torch
from cmcseg.nets.attention_fusion import AttentionFusion
from torch import nn

CHANNELS, SIZE, RIM = 32, 4, 2
IN_REACH = [(0, 0, 0), (1, 0, 0), (1, -1, 1)]
OUT_OF_REACH = [(2, 0, 0), (2, -2, 2)]
POOR, GOOD = 2.0, 0.3  # deviation of the noise on evidence of -1 or 1


def pairs(seed, cases, move, strangers=False):
    chance = torch.Generator().manual_seed(seed)
    whole = (cases, 1, *3 * [SIZE + 2 * RIM])
    names = torch.randn(cases, CHANNELS - 2, *whole[2:], generator=chance)
    names = 3 * nn.functional.normalize(names, dim=1)
    organ = (torch.rand(whole, generator=chance) < 0.5).float()

    def seen(start, noise, order):
        place = (order, slice(None), *(slice(s, s + SIZE) for s in start))
        evidence = 2 * organ[place] - 1
        evidence = evidence + noise * torch.randn(evidence.shape, generator=chance)
        return torch.cat([names[place], evidence, torch.ones_like(evidence)], dim=1)

    order = torch.arange(cases)
    own = seen(3 * [RIM], POOR, order)
    partner = seen([RIM - step for step in move], GOOD, order.roll(1) if strangers else order)
    return {0: own, 1: partner}, organ[(order, slice(None), *3 * [slice(RIM, RIM + SIZE)])]


@pytest.fixture(scope="module")
def a_trained_fusion():
    """Trained with displacements in reach, strangers, and scans without trust."""
    torch.manual_seed(0)
    chance = torch.Generator().manual_seed(1)
    fusion, head = AttentionFusion(CHANNELS, 2), nn.Conv3d(CHANNELS, 1, 1)
    optimizer = torch.optim.AdamW([*fusion.parameters(), *head.parameters()], lr=2e-2)
    for step in range(350):
        move = torch.randint(-1, 2, (3,), generator=chance).tolist()
        features, organ = pairs(step, 4, move, strangers=step % 4 == 3)
        logits = head(fusion(features, torch.full((4,), float(step % 4 > 0)))[0])
        loss = nn.functional.binary_cross_entropy_with_logits(logits, organ)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return fusion, head


def accuracy(trained, move, trust, strangers=False):
    fusion, head = trained
    features, organ = pairs(10**6, 128, move, strangers)
    with torch.inference_mode():
        logits = head(fusion(features, torch.full((128,), trust))[0])
    return float(((logits > 0) == (organ > 0)).float().mean())


@pytest.mark.parametrize("trust", [0.5, 1.0])
@pytest.mark.parametrize("move", IN_REACH)
def test_a_partner_displaced_within_reach_helps_much(a_trained_fusion, move, trust):
    alone = accuracy(a_trained_fusion, move, 0.0)
    assert accuracy(a_trained_fusion, move, trust) > alone + 0.05


@pytest.mark.parametrize("trust", [0.5, 1.0])
@pytest.mark.parametrize("move", OUT_OF_REACH)
def test_a_partner_out_of_reach_does_not_hurt_though_it_is_trusted(a_trained_fusion, move, trust):
    alone = accuracy(a_trained_fusion, move, 0.0)
    assert accuracy(a_trained_fusion, move, trust) > alone - 0.015


@pytest.mark.parametrize("trust", [0.5, 1.0])
def test_a_stranger_does_not_hurt_though_he_is_trusted(a_trained_fusion, trust):
    alone = accuracy(a_trained_fusion, (0, 0, 0), 0.0, strangers=True)
    assert accuracy(a_trained_fusion, (0, 0, 0), trust, strangers=True) > alone - 0.015
