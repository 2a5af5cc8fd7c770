"""Fusion by attention: whom it looks at, and whom it must ignore."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from cmcseg.nets.attention_fusion import AttentionFusion
from cmcseg.nets.build import build_network
from counting import numbers_made
from tiny import tiny_card

CHANNELS = 8


def a_fusion(modalities=2, seed=0):
    """As after some training: every weight counts."""
    torch.manual_seed(seed)
    fusion = AttentionFusion(CHANNELS, modalities).eval()
    for parameter in fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return fusion


def maps(count=2, shape=(4, 3, 5), cases=2, seed=1):
    chance = torch.Generator().manual_seed(seed)
    return {m: torch.randn(cases, CHANNELS, *shape, generator=chance) for m in range(count)}


def slow_fusion(fusion, features, m, trust):
    """One position and one neighbour at a time."""
    own = features[m]
    cases, channels, *shape = own.shape

    def through(layer, x, place):
        return layer.weight[:, :, 0, 0, 0] @ x[(slice(None), *place)] + layer.bias

    out = torch.zeros_like(own)
    for case in range(cases):
        for place in itertools.product(*map(range, shape)):
            query = through(fusion.queries[m], own[case], place)
            scores, values = [fusion.nobody_M[m]], [torch.zeros(channels)]
            for other in features:
                if other == m:
                    continue
                for o, step in enumerate(itertools.product((-1, 0, 1), repeat=3)):
                    there = tuple(p + s for p, s in zip(place, step, strict=True))
                    if any(not 0 <= t < n for t, n in zip(there, shape, strict=True)):
                        continue
                    key = through(fusion.keys[other], features[other][case], there)
                    scores.append((query * key).sum() / math.sqrt(channels) + fusion.bias_O[o])
                    values.append(through(fusion.values[other], features[other][case], there))
            weights = torch.stack(scores).softmax(0)
            found = sum(w * v for w, v in zip(weights, values, strict=True))
            layer = fusion.outs[m]
            at = (case, slice(None), *place)
            out[at] = own[at] + trust[case] * (layer.weight[:, :, 0, 0, 0] @ found + layer.bias)
    return out


@pytest.mark.parametrize("count", [2, 3])
def test_it_is_the_formula(count):
    fusion, features, trust = a_fusion(count), maps(count, (3, 2, 2)), torch.tensor([0.3, 1.0])
    with torch.inference_mode():
        fused = fusion(features, trust)
        for m in features:
            expected = slow_fusion(fusion, features, m, trust)
            torch.testing.assert_close(fused[m], expected, atol=1e-5, rtol=1e-5)


def test_without_trust_each_scan_is_to_the_bit_what_it_was():
    features = maps()
    fused = a_fusion()(features, torch.zeros(2))
    assert all(torch.equal(fused[m], features[m]) for m in features)


def test_a_partner_full_of_nonsense_cannot_hurt_without_trust():
    features = maps()
    features[1][:] = math.nan
    assert torch.equal(a_fusion()(features, torch.zeros(2))[0], features[0])


def test_a_scan_alone_is_to_the_bit_what_it_was():
    features = maps(count=1)
    assert torch.equal(a_fusion()(features, torch.ones(2))[0], features[0])


def test_training_starts_from_independent_networks():
    features = maps()
    fused = AttentionFusion(CHANNELS, 2)(features, torch.ones(2))
    assert all(torch.equal(fused[m], features[m]) for m in features)


def test_trust_is_per_case():
    features = maps()
    fused = a_fusion()(features, torch.tensor([0.0, 1.0]))[0]
    assert torch.equal(fused[0], features[0][0])
    assert not torch.equal(fused[1], features[0][1])


def test_it_sees_its_neighbourhood_and_no_further():
    features = maps(shape=(7, 7, 7), cases=1)
    features[1].requires_grad_()
    a_fusion()(features, torch.ones(1))[0][0, :, 3, 3, 3].sum().backward()
    seen = features[1].grad[0].abs().sum(0) > 0
    inside = torch.zeros(7, 7, 7, dtype=torch.bool)
    inside[2:5, 2:5, 2:5] = True
    assert torch.equal(seen, inside)


def test_it_finds_a_partner_that_lies_one_position_away():
    """Own features name the place, and the partner's features, moved by one, know the answer."""
    fusion = AttentionFusion(CHANNELS, 2)
    for name in ("queries", "keys", "values", "outs"):
        for layer in getattr(fusion, name):
            torch.nn.init.dirac_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    torch.manual_seed(0)
    names = 20 * torch.nn.functional.normalize(torch.randn(1, CHANNELS, 6, 6, 6), dim=1)
    found = fusion({0: names, 1: names.roll(1, 2)}, torch.ones(1))[0] - names
    near = torch.nn.functional.cosine_similarity(found, names, dim=1)[:, :-1]
    straight = torch.nn.functional.cosine_similarity(names.roll(1, 2), names, dim=1)[:, :-1]
    assert near.mean() > 0.9
    assert straight.mean() < 0.2


def test_memory_grows_with_the_positions_and_no_faster():
    fusion = a_fusion()

    def numbers(depth):
        features = maps(shape=(depth, 4, 4), cases=1)
        return numbers_made(lambda: fusion(features, torch.ones(1))[0].sum())

    once, twice, fourfold = numbers(4), numbers(8), numbers(16)
    assert (fourfold - twice) / (twice - once) == pytest.approx(2, rel=0.01)


def test_a_card_chooses_it():
    card = tiny_card()
    network = build_network(replace(card, network=replace(card.network, fusion="attention")))
    assert isinstance(network.fusion, AttentionFusion)


def test_everything_in_it_learns():
    fusion = a_fusion()
    sum((x**2).sum() for x in fusion(maps(), torch.ones(2)).values()).backward()
    assert [name for name, p in fusion.named_parameters() if not p.grad.abs().max() > 0] == []


def test_half_precision_around_it_keeps_the_promise_to_the_bit():
    features = {m: x.bfloat16() for m, x in maps().items()}
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        untrusted = a_fusion()(features, torch.zeros(2))
        trusted = a_fusion()(features, torch.ones(2))
    assert all(torch.equal(untrusted[m], features[m]) for m in features)
    assert trusted[0].dtype == torch.bfloat16
    assert torch.isfinite(trusted[0]).all()
