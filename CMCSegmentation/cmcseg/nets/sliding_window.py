"""Sliding windows: the scans of a pair are looked at in the same place of the patient.

First the whole grid is covered; then what was found is looked at again in windows centred on it,
which count for more, so that a result does not depend on where the organs lie between windows.

Shapes: K classes, I J K' voxels of the working grid, D H W voxels of a window.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cmcseg.core.card import ModelCard
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.nets.device import inference_type, reduced

STRETCH = 1.34  # a window may be so many times longer than the card's, where that is cheaper
STRETCH_FOCUS = 1.5  # the same for windows on what was found: one that holds all has no seam
FOCUS = 3.0  # how much more a window counts that is centred on what was found
OUTLIERS = 0.005  # share of the organs' voxels that may lie beyond each face of their box
MARGIN = 3  # voxels around that box
FEWEST = 50  # voxels; fewer are no organ to look at again


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
    return Tiling(
        shape=tuple(padded), window=tuple(sizes), starts=tuple(itertools.product(*starts))
    )


def _cheapest(n: int, lengths: range, overlap: float) -> tuple[int, int]:
    """Length and number of the windows that cover ``n`` voxels."""
    if n <= lengths.start:
        return math.ceil(n / lengths.step) * lengths.step, 1
    ways = [
        (size, 1 if n <= size else 1 + math.ceil((n - size) / (size * (1 - overlap))))
        for size in lengths
    ]
    return min(ways, key=lambda way: (way[0] * way[1], way[1]))


def sliding_window(
    network: nn.Module,
    images: dict[int, np.ndarray],
    card: ModelCard,
    trust: float,
    device: torch.device,
    *,
    seen: dict[int, np.ndarray] | None = None,
    window: tuple[int, int, int] | None = None,
    overlap: float = 0.1,
    stitch_on: torch.device | None = None,
    report: Report = ignore,
) -> dict[int, np.ndarray]:
    """Class probabilities of every scan on the working grid.

    A network that folds patches of voxels says something else of a place when its patches begin
    elsewhere; so the windows on what was found begin half a patch aside, and with two
    ``tta_shifts`` in the card they are also run from where the others begin.

    Args:
        network: a ``CollaborativeNet`` in evaluation mode, on ``device``.
        images: normalised ``(I, J, K')`` per index of a modality, all on the working grid.
        card: gives window, multiple, ``tta_shifts`` and classes.
        trust: confidence of the alignment, 0 to 1.
        device: where the windows run, in the numbers of ``device.inference_type``.
        seen: bool field of view per index; windows that see nothing of a scan are skipped for it.
        window: shape of a window; the card's when None.
        overlap: share by which neighbouring windows overlap.
        stitch_on: where the probabilities are gathered; ``device`` when None.
        report: told after every window.

    Returns:
        ``(K, I, J, K')`` float32 per index; voxels that no window saw are background.
    """
    shape = next(iter(images.values())).shape
    window = window or card.grid.window
    tiling = tile(shape, window, card.network.multiple, overlap)
    before = np.array(card.network.patch) // 2
    whole = tuple(int(n) for n in before + tiling.shape)
    home = stitch_on or device
    gathered = {
        m: _Gathered(
            image=_padded(image, before, whole),
            field=_padded(seen[m], before, whole) if seen and m in seen else None,
            sum_KIJK=torch.zeros((card.table.classes, *whole), device=home),
            weight_IJK=torch.zeros(whole, device=home),
        )
        for m, image in images.items()
    }
    trust_B = torch.full((1,), trust, device=device)
    first = [before + start for start in tiling.starts]
    total = len(first) + 1  # what will be found, and so how often it is looked at, is not known yet
    for number, start in enumerate(first):
        _look(network, gathered, start, tiling.window, 1.0, trust_B, device)
        report(Progress(stage="segmenting", done=number + 1, total=total))
    box = _found(gathered.values())
    focus, size = _focus(box, tiling, window, card, overlap) if box else ([], window)
    for number, start in enumerate(focus):
        _look(network, gathered, start, size, FOCUS / card.grid.tta_shifts, trust_B, device)
        done = len(first) + (number + 1) / len(focus)
        report(Progress(stage="segmenting", done=done, total=total))
    if not focus:
        report(Progress(stage="segmenting", done=total, total=total))
    inside = tuple(slice(b, b + n) for b, n in zip(before, shape, strict=True))
    return {
        m: _finish(g.sum_KIJK[(slice(None), *inside)], g.weight_IJK[inside])
        for m, g in gathered.items()
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class _Gathered:
    """A padded scan, where it sees anything, and what the windows have said of it."""

    image: np.ndarray
    field: np.ndarray | None
    sum_KIJK: torch.Tensor
    weight_IJK: torch.Tensor


def _look(
    network: nn.Module,
    gathered: dict[int, _Gathered],
    start: np.ndarray,
    size: tuple[int, int, int],
    worth: float,
    trust_B: torch.Tensor,
    device: torch.device,
) -> None:
    """Run one window and add what it says."""
    place = tuple(slice(int(s), int(s) + w) for s, w in zip(start, size, strict=True))
    windows = {
        m: torch.from_numpy(g.image[place]).to(device)[None, None]
        for m, g in gathered.items()
        if g.field is None or g.field[place].any()
    }
    if not windows:
        return
    for m, p_KDHW in _probabilities(network, windows, trust_B, device).items():
        g = gathered[m]
        weight_DHW = worth * gaussian_window(size).to(g.weight_IJK.device)
        g.sum_KIJK[(slice(None), *place)] += p_KDHW.to(weight_DHW.device) * weight_DHW
        g.weight_IJK[place] += weight_DHW


def _found(gathered: Iterable[_Gathered]) -> list[tuple[int, int]] | None:
    """First and last voxel of the organs along each axis, without strays; None without organs."""
    organs_IJK = sum(g.sum_KIJK[0] < 0.5 * g.weight_IJK for g in gathered)
    if int((organs_IJK > 0).sum()) < FEWEST:
        return None
    box = []
    for axis in range(3):
        counts = organs_IJK.sum(dim=[a for a in range(3) if a != axis]).double().cpu()
        share = (counts.cumsum(0) / counts.sum()).numpy()
        box.append(tuple(np.searchsorted(share, (OUTLIERS, 1 - OUTLIERS)).tolist()))
    return box


def _focus(
    box: list[tuple[int, int]],
    tiling: Tiling,
    window: tuple[int, int, int],
    card: ModelCard,
    overlap: float,
) -> tuple[list[np.ndarray], tuple[int, int, int]]:
    """Starts and shape of windows centred on a box of the padded grid.

    An axis that one window covers stays whole, as the network then sees all there is around the
    organs. The windows lie within the scan where it is large enough, and their patches begin half
    a patch aside from those of the first window on the grid.
    """
    patch = np.array(card.network.patch)
    room = np.array(tiling.shape)
    wanted = [
        n if n == seen else min(max(last - first + 1 + 2 * MARGIN, w), n)
        for (first, last), w, n, seen in zip(box, window, tiling.shape, tiling.window, strict=True)
    ]
    longest = [min(int(w * STRETCH_FOCUS), n) for w, n in zip(window, tiling.shape, strict=True)]
    focus = tile(tuple(wanted), window, card.network.multiple, overlap, tuple(longest))
    middle = np.array([(first + last + 1) / 2 for first, last in box])
    corner = np.clip(middle - np.array(focus.shape) / 2, 0, room - focus.shape)
    starts = [(corner + start).astype(int) // patch * patch for start in focus.starts]
    shifts = [patch // 2 * look for look in range(card.grid.tta_shifts)]
    return [start + shift for shift in shifts for start in starts], focus.window


def gaussian_window(window: tuple[int, int, int]) -> torch.Tensor:
    """Weight of a window's voxels: 1 in the middle, small but never 0 at the rim."""
    axes = [torch.exp(-0.5 * ((torch.arange(n) - (n - 1) / 2) / (n / 4)) ** 2) for n in window]
    return torch.einsum("d,h,w->dhw", *axes).clamp_min(1e-3)


def _probabilities(
    network: nn.Module,
    windows: dict[int, torch.Tensor],
    trust_B: torch.Tensor,
    device: torch.device,
) -> dict[int, torch.Tensor]:
    with (
        torch.inference_mode(),
        reduced(device, inference_type(device)),
    ):
        outputs = network(windows, trust_B)
    return {m: out.logits_BKDHW[0].float().softmax(dim=0) for m, out in outputs.items()}


def _padded(array: np.ndarray, before: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """With its smallest value around; bool stays bool, numbers become float32."""
    width = [(b, n - b - have) for b, n, have in zip(before, shape, array.shape, strict=True)]
    if array.dtype == bool:
        return np.pad(array, width)
    return np.pad(array, width, constant_values=array.min()).astype(np.float32, copy=False)


def _finish(sum_KIJK: torch.Tensor, weight_IJK: torch.Tensor) -> np.ndarray:
    p = sum_KIJK / weight_IJK.clamp_min(1e-6)
    p[0] += (weight_IJK == 0).to(p.dtype)
    return p.cpu().numpy()
