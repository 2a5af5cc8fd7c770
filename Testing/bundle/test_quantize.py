"""Weights in a few bits: how far they are quantized, that it happens once, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cmcseg.bundle.load import load_bundle, network_from
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.quantize import FINEST, LARGE, MORE, SCALE, SMALL, dequantized, quantized
from cmcseg.bundle.verify import WEIGHTS
from cmcseg.core.card import NetworkSpec
from cmcseg.core.errors import BadInput
from cmcseg.nets.build import build_network
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tiny import tiny_card, tiny_state

SHAPE = (16, 12, 3, 3, 3)


def kernels(spread, seed=0, shape=SHAPE):
    """A kernel whose rows are of very different sizes."""
    chance = np.random.default_rng(seed)
    rows = spread * 10.0 ** chance.uniform(-3, 0, size=(shape[0], 1, 1, 1, 1))
    return {"w": torch.from_numpy(chance.normal(size=shape) * rows).float(), "b": torch.ones(7)}


def wide_card():
    """Of a network whose kernels are large enough to be quantized."""
    network = NetworkSpec(widths=(16, 24), patch=(2, 2, 2), strides=((2, 2, 2),))
    return replace(tiny_card(), network=network)


@settings(deadline=None)
@given(st.integers(3, 8), st.floats(1e-4, 100), st.integers(0, 1000))
def test_weights_move_by_half_a_step_at_most(bits, spread, seed):
    before = kernels(spread, seed)
    after = dequantized(quantized(before, bits))
    largest = before["w"].flatten(1).abs().amax(1)
    finer = min(bits + MORE, 8)  # as it is a small kernel
    step = largest / (2 ** (finer - 1) - 1)
    step *= 1 + 2.0 ** (finer - 11)  # to the next scale of few digits
    error = (after["w"] - before["w"]).flatten(1).square().mean(1).sqrt()  # a few may be cut off
    assert (error <= (step + FINEST) / 2).all()
    assert torch.equal(after["b"], before["b"])


def test_a_row_with_one_giant_is_cut_off_for_the_sake_of_the_others():
    before = kernels(1.0)
    row = before["w"][0].flatten()
    row[0] = 1.6 * row.abs().max()
    after = dequantized(quantized(before, 3))["w"][0].flatten()
    step = row.abs().max() / 15  # of three bits and two more
    uncut = (row / step).round() * step
    assert (after - row).norm() < 0.95 * (uncut - row).norm()
    assert after[0] < row[0] - step / 2


def test_a_large_kernel_takes_so_many_bits_and_a_small_one_two_more():
    wide = (64, SMALL // 64 // 27 + 1, 3, 3, 3)
    for shape, levels in ((SHAPE, 31), (wide, 7)):
        whole = quantized(kernels(1.0, shape=shape), 4)["w"]
        assert whole.abs().max() == levels
        assert (whole.numel() > SMALL) == (levels == 7)


@settings(deadline=None)
@given(st.integers(3, 8), st.floats(1e-6, 100), st.integers(0, 1000))
def test_the_rounded_weights_are_half_precision_numbers(bits, spread, seed):
    after = dequantized(quantized(kernels(spread, seed), bits))["w"]
    assert torch.equal(after.half().float(), after)


def test_more_bits_are_nearer():
    before = kernels(1.0)
    errors = [(dequantized(quantized(before, b))["w"] - before["w"]).norm() for b in range(3, 7)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("bits", [2, 9])
def test_too_few_and_too_many_bits_are_refused(bits):
    with pytest.raises(ValueError, match=f"in 3 to 8 bits, not {bits}"):
        quantized(kernels(1.0), bits)


def test_a_model_in_five_bits_is_small_and_stays_the_same_when_saved_in_halves(tmp_path):
    card = wide_card()
    state = build_network(card).state_dict()
    save_bundle(state, card, tmp_path / "plain")
    save_bundle(state, card, tmp_path / "few", bits=5)
    sizes = [(tmp_path / name / WEIGHTS).stat().st_size for name in ("plain", "few")]
    assert sizes[1] < 0.75 * sizes[0]
    few = load_bundle(tmp_path / "few").network.state_dict()
    save_bundle(few, card, tmp_path / "again")
    again = load_bundle(tmp_path / "again").network.state_dict()
    assert all(torch.equal(few[key], again[key]) for key in few)
    assert any(not torch.equal(few[key], state[key].half().float()) for key in few)


def test_small_weights_and_norms_stay_in_half_precision(tmp_path):
    card = tiny_card()  # no kernel of it is large
    save_bundle(tiny_state(card), card, tmp_path / "m", bits=4)
    stored = load_file(tmp_path / "m" / WEIGHTS)
    assert all(value.numel() < LARGE for value in stored.values())
    assert not [key for key in stored if key.endswith(SCALE)]


@pytest.mark.parametrize(
    "scale",
    [torch.ones(1), torch.ones(16, 12, 1, 1, 1), torch.ones(16, 1, 1, 1, 1, dtype=torch.int32)],
    ids=["another shape", "one per weight", "whole numbers"],
)
def test_a_scale_that_does_not_fit_is_refused(scale):
    stored = {**quantized(kernels(1.0), 5), "w" + SCALE: scale}
    with pytest.raises(ValueError, match="the scale of w does not fit it"):
        dequantized(stored)


def test_a_model_with_such_a_scale_is_refused_in_one_sentence(tmp_path):
    card = wide_card()
    stored = quantized(build_network(card).state_dict(), 5)
    key = next(key for key in stored if key.endswith(SCALE))
    stored[key] = stored[key][:1].contiguous()
    save_file(stored, tmp_path / WEIGHTS)
    with pytest.raises(BadInput, match=r"cannot be read: the scale of .* does not fit it"):
        network_from(card, (tmp_path / WEIGHTS).read_bytes(), "M")
