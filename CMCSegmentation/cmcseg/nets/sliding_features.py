"""Sliding windows that keep the decoder's last features beside the probabilities.

Shapes: K classes, C channels, I J K' voxels of the working grid, P Q R patches of it.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from cmcseg.core.card import ModelCard
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.nets.device import inference_type, reduced
from cmcseg.nets.tiling import gaussian_window, tile


def sliding_features(
    network: nn.Module,
    image: np.ndarray,
    role: str,
    card: ModelCard,
    device: torch.device,
    *,
    overlap: float = 0.25,
    report: Report = ignore,
) -> tuple[np.ndarray, np.ndarray]:
    """What the network sees in one scan, looked at alone and once.

    Windows begin at whole patches, so that the features of neighbours lie on one lattice.

    Args:
        network: a ``CollaborativeNet`` in evaluation mode, on ``device``.
        image: normalised ``(I, J, K')`` on the working grid.
        role: of the scan.
        card: gives window, patch and classes.
        device: where the windows run.
        overlap: share by which neighbouring windows overlap.
        report: told after every window.

    Returns:
        ``(K, I, J, K')`` probabilities and ``(C, P, Q, R)`` features, float16. Patch ``p`` covers
        the voxels from ``p * patch`` on.
    """
    m = card.roles.index(role)
    patch = np.array(card.network.patch)
    whole_patches = tuple((-(-np.array(image.shape) // patch) * patch).tolist())
    tiling = tile(whole_patches, card.grid.window, card.network.multiple, overlap)
    widths = [(0, n - have) for n, have in zip(tiling.shape, image.shape, strict=True)]
    padded = np.pad(image, widths, constant_values=image.min()).astype(np.float32, copy=False)
    weight_DHW = gaussian_window(tiling.window).to(device)
    middle = tuple(slice(int(p) // 2, None, int(p)) for p in patch)
    sums = torch.zeros((card.table.classes, *tiling.shape), device=device)
    weights = torch.zeros(tiling.shape, device=device)
    features: Any = None  # and its weights, once the first window says how many channels there are
    feature_weights: Any = None
    trust_B = torch.zeros(1, device=device)
    for number, start in enumerate(tiling.starts):
        first = np.array(start) // patch
        place = tuple(slice(a, a + w) for a, w in zip(first * patch, tiling.window, strict=True))
        window = torch.from_numpy(padded[place]).to(device)[None, None]
        with (
            torch.inference_mode(),
            reduced(device, inference_type(device)),
        ):
            output = network({m: window}, trust_B)[m]
        sums[(slice(None), *place)] += output.logits_BKDHW[0].float().softmax(dim=0) * weight_DHW
        weights[place] += weight_DHW
        found_CDHW = output.decoded_BCDHW[0].float()
        if features is None:
            lattice = tuple((np.array(tiling.shape) // patch).tolist())
            features = torch.zeros((len(found_CDHW), *lattice), device=device)
            feature_weights = torch.zeros(lattice, device=device)
        there = tuple(slice(a, a + n) for a, n in zip(first, found_CDHW.shape[1:], strict=True))
        features[(slice(None), *there)] += found_CDHW * weight_DHW[middle]
        feature_weights[there] += weight_DHW[middle]
        report(Progress(stage="looking", done=number + 1, total=len(tiling.starts)))
    sums /= weights.clamp_min(1e-6)
    features /= feature_weights.clamp_min(1e-6)
    inside = tuple(slice(0, n) for n in image.shape)
    return sums[(slice(None), *inside)].half().cpu().numpy(), features.half().cpu().numpy()
