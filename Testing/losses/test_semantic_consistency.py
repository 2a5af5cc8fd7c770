"""L_CSC: its sign, its formula, its memory."""

import math

import pytest
import torch
from cmcseg.losses.semantic_consistency import SPREAD, semantic_consistency
from counting import numbers_made
from slow_twins import slow_info_nce

BOTH = pytest.mark.parametrize("descriptor", ["spatial", "pooled"])


def features(seed, shape=(2, 6, 5, 4, 3)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def slow_pooled(x):
    """Descriptors by loops over cases, channels, windows and positions, in double precision."""

    def average(values, middle):
        total = weights = 0.0
        for place in torch.cartesian_prod(*(torch.arange(n) for n in values.shape)).tolist():
            square = sum(
                ((p + 0.5) / n - m) ** 2
                for p, n, m in zip(place, values.shape, middle, strict=True)
            )
            weight = math.exp(-square / (2 * SPREAD**2))
            total += weight * float(values[tuple(place)])
            weights += weight
        return total / weights

    def describe(values):
        mean = average(values, (0.5, 0.5, 0.5))
        deviation = math.sqrt(average((values - mean) ** 2, (0.5, 0.5, 0.5)))
        corners = torch.cartesian_prod(*3 * [torch.tensor([0.25, 0.75])]).tolist()
        return [mean, deviation, *(average(values, corner) for corner in corners)]

    return torch.tensor([[describe(channel.double()) for channel in case] for case in x])


def test_spatial_is_the_formula():
    a, b = features(0), features(1)
    expected = slow_info_nce(a.flatten(2), b.flatten(2), 0.2).mean()
    found = semantic_consistency(a, b, descriptor="spatial", temperature=0.2)
    assert abs(float(found) - float(expected)) < 1e-5


def test_pooled_is_the_formula():
    a, b = features(0), features(1)
    expected = slow_info_nce(slow_pooled(a), slow_pooled(b), 0.2).mean()
    assert abs(float(semantic_consistency(a, b, temperature=0.2)) - float(expected)) < 1e-5


@BOTH
def test_it_falls_when_the_modalities_agree(descriptor):
    a, noise = features(0), features(1)
    losses = [
        float(semantic_consistency(a, a + share * (noise - a), descriptor=descriptor))
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert losses == sorted(losses)
    assert losses[-1] > 1.2 * losses[0]


@BOTH
def test_it_rises_when_channels_change_places(descriptor):
    a = features(0)
    right = semantic_consistency(a, a, descriptor=descriptor)
    assert semantic_consistency(a, a.roll(1, dims=1), descriptor=descriptor) > right + 0.1


@BOTH
def test_following_its_gradient_brings_the_modalities_together(descriptor):
    a, b = features(0).requires_grad_(), features(1).requires_grad_()
    before = semantic_consistency(a, b, descriptor=descriptor)
    before.backward()
    with torch.no_grad():
        after = semantic_consistency(a - a.grad, b - b.grad, descriptor=descriptor)
    assert after < before


@BOTH
def test_memory_grows_with_the_voxels_and_no_faster(descriptor):
    def numbers(depth):
        a = features(0, (1, 4, depth, 16, 16)).requires_grad_()
        b = features(1, (1, 4, depth, 16, 16)).requires_grad_()
        return numbers_made(lambda: semantic_consistency(a, b, descriptor=descriptor))

    once, twice, fourfold = numbers(16), numbers(32), numbers(64)
    assert (fourfold - twice) / (twice - once) == pytest.approx(2, rel=0.01)


def test_a_constant_channel_has_a_finite_gradient():
    a, b = torch.ones(1, 3, 4, 4, 4, requires_grad=True), features(1, (1, 3, 4, 4, 4))
    semantic_consistency(a, b).backward()
    assert torch.isfinite(a.grad).all()


def test_pooled_compares_bottlenecks_of_different_shape():
    a = torch.nn.functional.interpolate(features(0, (1, 6, 4, 4, 4)), scale_factor=2.0)
    loss = semantic_consistency(a, features(0, (1, 6, 4, 4, 4)))
    assert abs(loss - semantic_consistency(a, a)) < 0.1


def test_spatial_refuses_different_shapes():
    words = (
        r"^The spatial descriptor compares position with position; shapes \(2, 6, 5, 4, 3\) and "
        r"\(2, 6, 5, 4, 4\) differ\.$"
    )
    with pytest.raises(ValueError, match=words):
        semantic_consistency(features(0), features(0, (2, 6, 5, 4, 4)), descriptor="spatial")


def test_an_unknown_descriptor_is_refused():
    with pytest.raises(ValueError, match=r"^Descriptor 'mean' is not one of spatial, pooled\.$"):
        semantic_consistency(features(0), features(1), descriptor="mean")
