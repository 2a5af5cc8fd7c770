"""Muon: how far and whereto it moves, what it leaves to AdamW, and that it can be resumed."""

import pytest
import torch
from cmcseg.learn.muon import LENGTH, Muon, is_hidden_kernel, orthogonal
from cmcseg.nets.build import build_network
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_card

RATE = 1e-3


def a_kernel(seed=0, shape=(24, 16, 3, 3, 3)):
    chance = torch.Generator().manual_seed(seed)
    kernel = torch.nn.Parameter(torch.randn(shape, generator=chance))
    kernel.grad = torch.randn(shape, generator=chance) * 1e-3
    return kernel


@settings(deadline=None)  # torch takes seconds to wake up
@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 10_000))
def test_it_turns_a_matrix_into_nearly_the_orthogonal_one_of_its_svd(rows, columns, seed):
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    u, sizes, vh = torch.linalg.svd(matrix.double(), full_matrices=False)
    inside = u.T @ orthogonal(matrix).double() @ vh.T  # diagonal when the directions are kept
    large = sizes > sizes.norm() / 500
    assert ((inside.diagonal() > 0.6) & (inside.diagonal() < 1.3))[large].all()
    assert torch.allclose(inside, torch.diag(inside.diagonal()), atol=2e-3)


@settings(deadline=None)
@given(st.floats(1e-6, 1e6))
def test_the_size_of_a_gradient_does_not_matter(factor):
    first, second = a_kernel(), a_kernel()
    second.grad *= factor
    for kernel in (first, second):
        Muon([kernel], lr=RATE, weight_decay=0.0).step()
    assert torch.allclose(first, second, atol=RATE * 1e-3)


@pytest.mark.parametrize("shape", [(24, 16, 3, 3, 3), (200, 16), (16, 200)])
def test_its_steps_are_as_long_as_adams(shape):
    kernel = a_kernel(shape=shape)
    before = kernel.detach().clone()
    Muon([kernel], lr=RATE, weight_decay=0.0).step()
    length = (kernel.detach() - before).square().mean().sqrt().item() / RATE
    assert length == pytest.approx(LENGTH, rel=0.3)


def test_stems_heads_and_norms_move_as_adamw_moves_them():
    network = build_network(tiny_card())
    rest = {k: p for k, p in network.named_parameters() if not is_hidden_kernel(p)}
    twins = {k: torch.nn.Parameter(p.detach().clone()) for k, p in rest.items()}
    ours = Muon(network.parameters(), lr=RATE, weight_decay=0.1)
    adam = torch.optim.AdamW(twins.values(), lr=RATE, weight_decay=0.1)
    for step in range(3):
        chance = torch.Generator().manual_seed(step)
        for key, parameter in rest.items():
            parameter.grad = torch.randn(parameter.shape, generator=chance)
            twins[key].grad = parameter.grad.clone()
        ours.step()
        adam.step()
    assert rest
    assert all(torch.equal(rest[key], twins[key]) for key in rest)


@pytest.mark.parametrize("nothing", [None, torch.zeros(24, 16, 3, 3, 3)], ids=["none", "zeros"])
def test_a_weight_without_a_gradient_rests_whatever_moved_it_before(nothing):
    kernel = a_kernel()
    optimizer = Muon([kernel], lr=RATE, weight_decay=0.5)
    optimizer.step()
    before = kernel.detach().clone()
    kernel.grad = nothing
    optimizer.step()
    assert torch.equal(kernel, before)


def test_one_small_singular_value_among_many_large_ones_is_not_promised():
    sizes = torch.ones(192)
    sizes[-1] = 0.01  # 1 / 1,400 of the norm
    found = orthogonal(torch.diag(sizes)).diagonal()
    assert (found[:-1] - 1).abs().max() < 0.4
    assert 0.2 < found[-1] < 0.6
