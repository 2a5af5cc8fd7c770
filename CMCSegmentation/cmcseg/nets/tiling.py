"""Windows of one shape that cover a grid, and how much each of their voxels counts."""

import itertools
import math
from dataclasses import dataclass

import torch

STRETCH = 1.34  # a window may be so many times longer than the card's, where that is cheaper


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """Windows of one shape that cover a grid.

    Attributes:
        shape: of the padded grid; at least one window.
        window: shape of every window.
        starts: first voxel of every window.
    """

    shape: tuple[int, int, int]
    window: tuple[int, int, int]
    starts: tuple[tuple[int, int, int], ...]


def tile(
    shape: tuple[int, int, int],
    window: tuple[int, int, int],
    multiple: tuple[int, int, int],
    overlap: float,
    longest: tuple[int, ...] | None = None,
) -> Tiling:
    """Cover a grid with windows, spread evenly.

    Windows are longer than asked where that takes fewer voxels in all.

    Args:
        shape: of the grid.
        window: wanted shape of a window.
        multiple: what a window's shape must be a multiple of.
        overlap: least share by which neighbours overlap.
        longest: how long windows may be; ``STRETCH`` times what is asked when None.
    """
    longest = longest or tuple(int(w * STRETCH) for w in window)
    sizes, padded, starts = [], [], []
    for n, w, step, most in zip(shape, window, multiple, longest, strict=True):
        size, count = _cheapest(n, range(w, max(w, most) + 1, step), overlap)
        long = max(n, size)
        last = long - size
        starts.append(sorted({round(i * last / max(count - 1, 1)) for i in range(count)}))
        sizes.append(size)
        padded.append(long)
    (a, b, c), (d, e, f), (g, h, i) = padded, sizes, starts
    return Tiling(shape=(a, b, c), window=(d, e, f), starts=tuple(itertools.product(g, h, i)))


def _cheapest(n: int, lengths: range, overlap: float) -> tuple[int, int]:
    """Length and number of the windows that cover ``n`` voxels."""
    if n <= lengths.start:
        return math.ceil(n / lengths.step) * lengths.step, 1
    ways = [
        (size, 1 if n <= size else 1 + math.ceil((n - size) / (size * (1 - overlap))))
        for size in lengths
    ]
    return min(ways, key=lambda way: (way[0] * way[1], way[1]))


def gaussian_window(window: tuple[int, int, int]) -> torch.Tensor:
    """Weight of a window's voxels: 1 in the middle, small but never 0 at the rim."""
    axes = [torch.exp(-0.5 * ((torch.arange(n) - (n - 1) / 2) / (n / 4)) ** 2) for n in window]
    return torch.einsum("d,h,w->dhw", *axes).clamp_min(1e-3)
