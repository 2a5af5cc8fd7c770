"""Sliding windows: the scans of a pair are looked at in the same place of the patient.

Shapes: K classes, I J K' voxels of the working grid, D H W voxels of a window.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cmcseg.core.card import ModelCard
from cmcseg.core.progress import Progress, Report, ignore

STRETCH = 1.34  # an axis up to this many windows long is covered by one larger window


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
) -> Tiling:
    """Cover a grid with windows, spread evenly.

    An axis a little longer than the window gets one larger window instead of two: cheaper, and
    the network sees all of it at once.

    Args:
        shape: of the grid.
        window: wanted shape of a window.
        multiple: what a window's shape must be a multiple of.
        overlap: least share by which neighbours overlap.
    """
    sizes, padded, starts = [], [], []
    for n, w, step in zip(shape, window, multiple, strict=True):
        size = math.ceil(n / step) * step if n <= w * STRETCH else w
        long = max(n, size)
        count = 1 if long == size else 1 + math.ceil((long - size) / (size * (1 - overlap)))
        last = long - size
        starts.append(sorted({round(i * last / max(count - 1, 1)) for i in range(count)}))
        sizes.append(size)
        padded.append(long)
    return Tiling(
        shape=tuple(padded), window=tuple(sizes), starts=tuple(itertools.product(*starts))
    )


def sliding_window(
    network: nn.Module,
    images: dict[int, np.ndarray],
    card: ModelCard,
    trust: float,
    device: torch.device,
    *,
    seen: dict[int, np.ndarray] | None = None,
    window: tuple[int, int, int] | None = None,
    overlap: float = 0.25,
    stitch_on: torch.device | None = None,
    report: Report = ignore,
) -> dict[int, np.ndarray]:
    """Class probabilities of every scan on the working grid.

    A network that folds patches of voxels says something else of a place when its patches begin
    elsewhere; a card with two ``tta_shifts`` has both averaged, the second half a patch aside.

    Args:
        network: a ``CollaborativeNet`` in evaluation mode, on ``device``.
        images: normalised ``(I, J, K')`` per index of a modality, all on the working grid.
        card: gives window, multiple, ``tta_shifts`` and classes.
        trust: confidence of the alignment, 0 to 1.
        device: where the windows run; half precision on CUDA.
        seen: bool field of view per index; windows that see nothing of a scan are skipped for it.
        window: shape of a window; the card's when None.
        overlap: share by which neighbouring windows overlap.
        stitch_on: where the probabilities are gathered; ``device`` when None.
        report: told after every window.

    Returns:
        ``(K, I, J, K')`` float32 per index; voxels that no window saw are background.
    """
    shape = next(iter(images.values())).shape
    tiling = tile(shape, window or card.grid.window, card.network.multiple, overlap)
    shifts = _shifts(card)
    before = np.max(shifts, axis=0)
    whole = tuple(int(n) for n in before + tiling.shape)
    padded = {m: _padded(image, before, whole) for m, image in images.items()}
    fields = {m: _padded_mask(mask, before, whole) for m, mask in (seen or {}).items()}
    home = stitch_on or device
    weight_DHW = gaussian_window(tiling.window).to(home)
    sums = {m: torch.zeros((card.table.classes, *whole), device=home) for m in images}
    weights = {m: torch.zeros(whole, device=home) for m in images}
    trust_B = torch.full((1,), trust, device=device)
    starts = [before + start - shift for shift in shifts for start in tiling.starts]
    for number, start in enumerate(starts):
        place = tuple(slice(s, s + w) for s, w in zip(start, tiling.window, strict=True))
        windows = {
            m: torch.from_numpy(image[place]).to(device)[None, None]
            for m, image in padded.items()
            if m not in fields or fields[m][place].any()
        }
        if windows:
            for m, p_KDHW in _probabilities(network, windows, trust_B, device).items():
                sums[m][(slice(None), *place)] += p_KDHW.to(home) * weight_DHW
                weights[m][place] += weight_DHW
        report(Progress(stage="segmenting", done=number + 1, total=len(starts)))
    inside = tuple(slice(b, b + n) for b, n in zip(before, shape, strict=True))
    return {m: _finish(sums[m][(slice(None), *inside)], weights[m][inside]) for m in images}


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
        torch.autocast(device.type, dtype=torch.float16, enabled=device.type == "cuda"),
    ):
        outputs = network(windows, trust_B)
    return {m: out.logits_BKDHW[0].float().softmax(dim=0) for m, out in outputs.items()}


def _shifts(card: ModelCard) -> np.ndarray:
    """By how many voxels the windows of each look lie before their places: none, half a patch."""
    return np.outer(np.arange(card.grid.tta_shifts), np.array(card.network.patch) // 2)


def _padded(image: np.ndarray, before: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    width = _missing(image, before, shape)
    return np.pad(image, width, constant_values=image.min()).astype(np.float32, copy=False)


def _padded_mask(mask: np.ndarray, before: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.pad(mask, _missing(mask, before, shape))


def _missing(
    array: np.ndarray, before: np.ndarray, shape: tuple[int, ...]
) -> list[tuple[int, int]]:
    """How many voxels an array lacks at both ends of each axis."""
    return [(b, n - b - have) for b, n, have in zip(before, shape, array.shape, strict=True)]


def _finish(sum_KIJK: torch.Tensor, weight_IJK: torch.Tensor) -> np.ndarray:
    p = sum_KIJK / weight_IJK.clamp_min(1e-6)
    p[0] += (weight_IJK == 0).to(p.dtype)
    return p.cpu().numpy()
