"""Weights in a few bits: whole numbers and a scale per row.

The kernels of a trained network bear rounding to 4 to 8 bits (Jacob et al., *Quantization and
training of neural networks for efficient integer-arithmetic-only inference*, CVPR 2018, section 3:
symmetric, without an offset). They are kept as int8 beside a ``KEY.scale``; packing programs make
the bits that are not used vanish. The quantized weights are half-precision numbers too, so a model
that is saved again in the usual way stays what it is to the bit.
"""

import torch
from torch import Tensor

SCALE = ".scale"
LARGE = 4096  # smaller tensors are not worth a scale
# Kernels up to this many weights take two bits more: they are few bytes, lie where the image is
# seen first and last, and are what a model of four bits suffers from.
SMALL, MORE = 2**17, 2
FINEST = 2.0**-24  # half precision knows nothing between 0 and this
SHARES = (1.0, 0.9, 0.8)  # of a row's largest weight, to cut off at


def quantized(state: dict[str, Tensor], bits: int) -> dict[str, Tensor]:
    """The same weights, every large kernel as int8 of so many bits and a scale.

    A row (of the first axis: most kernels' output channels) is cut off where its squared error
    becomes smallest.

    Raises:
        ValueError: when ``bits`` is outside 3 to 8.
    """
    if not 3 <= bits <= 8:
        raise ValueError(f"Weights are kept in 3 to 8 bits, not {bits}.")
    stored = {}
    for key, value in state.items():
        if value.is_floating_point() and value.ndim >= 2 and value.numel() >= LARGE:
            own = bits if value.numel() > SMALL else min(bits + MORE, 8)
            stored[key], stored[key + SCALE] = _whole_numbers(value.detach().cpu().float(), own)
        else:
            stored[key] = value
    return stored


def dequantized(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Inverse of ``quantized``, but for the rounding; other weights pass unchanged.

    Raises:
        ValueError: when a scale does not fit its weights.
    """
    scales = scale_keys(stored)
    state = {key: value for key, value in stored.items() if key not in scales}
    for key in (scale.removesuffix(SCALE) for scale in scales):
        value, scale = stored[key], stored[key + SCALE]
        wanted = (value.shape[0], *[1] * (value.ndim - 1)) if value.ndim else ()
        if value.dtype != torch.int8 or scale.shape != wanted or not scale.is_floating_point():
            raise ValueError(f"the scale of {key} does not fit it")
        state[key] = value.float().mul_(scale.float())
    return state


def scale_keys(stored: dict[str, Tensor]) -> frozenset[str]:
    """Which of the tensors are no weights but the scales of others."""
    return frozenset(key + SCALE for key in stored if key + SCALE in stored)


def _whole_numbers(value: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """The kernel in whole numbers, and ``(R, 1, ...)`` what one of them is worth in each row."""
    rows_RN = value.flatten(1)
    most = 2 ** (bits - 1) - 1
    largest_R1 = rows_RN.abs().amax(dim=1, keepdim=True)
    tried_SR1 = torch.stack([_short(largest_R1 * share / most, bits) for share in SHARES])
    gaps_SR1 = torch.stack([_gap(rows_RN, scale_R1, most) for scale_R1 in tried_SR1])
    scale_R1 = tried_SR1.gather(0, gaps_SR1.argmin(dim=0, keepdim=True))[0]
    whole_RN = _round(rows_RN, scale_R1, most).to(torch.int8)
    return whole_RN.view_as(value), scale_R1.view(-1, *[1] * (value.ndim - 1))


def _short(scale: Tensor, bits: int) -> Tensor:
    """The next larger scale of so few digits that its multiples fit the 11 of half precision."""
    mantissa, exponent = torch.frexp(scale)
    digits = 2.0 ** (12 - bits)
    short = torch.ldexp((mantissa * digits).ceil() / digits, exponent)
    return (short / FINEST).ceil().clamp_min(1) * FINEST


def _gap(rows_RN: Tensor, scale_R1: Tensor, most: int) -> Tensor:
    """Squared error of every row."""
    error_RN = _round(rows_RN, scale_R1, most) * scale_R1 - rows_RN
    return error_RN.square().sum(dim=1, keepdim=True)


def _round(rows_RN: Tensor, scale_R1: Tensor, most: int) -> Tensor:
    return (rows_RN / scale_R1).round().clamp(-most, most)
