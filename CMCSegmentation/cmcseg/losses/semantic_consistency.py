"""L_CSC, channel-wise semantic consistency: a channel means the same in both modalities.

Zhou et al., *Robust Semi-supervised Multimodal Medical Image Segmentation via Cross Modality
Collaboration*, MICCAI 2024: channel c of the other modality is the positive, all other channels
are the negatives.

Shapes: B batch, C channels, D H W positions of the bottleneck, F features of a channel.
"""

import torch
from torch import Tensor

from cmcseg.losses.info_nce import info_nce

DESCRIPTORS = ("spatial", "pooled")
SPREAD = 0.35  # deviation of the pooling windows, as a share of the bottleneck's extent
LEAST_VARIANCE = 1e-8  # below it the root has no useful gradient


def semantic_consistency(
    a_BCDHW: Tensor, b_BCDHW: Tensor, *, descriptor: str = "pooled", temperature: float = 0.1
) -> Tensor:
    """InfoNCE over the channels' descriptors d_c: mean over batch and channels.

    ``spatial`` is the paper's: d_c is the flattened map, so both scans must show the same place.
    ``pooled`` asks for no correspondence of voxels: d_c holds mean and deviation of the channel
    over one wide Gaussian window in the middle, and its means over 2 x 2 x 2 such windows. The
    windows fade towards the rim and overlap widely, so what a displacement brings in or moves
    from one to the next hardly changes them.

    Memory grows with the voxels plus C x C.

    Args:
        a_BCDHW: bottleneck features of one modality.
        b_BCDHW: of the other one; another D H W is allowed for ``pooled``.
        descriptor: ``pooled`` or ``spatial``.
        temperature: of InfoNCE.

    Returns:
        A scalar, at least 0; about log C when channels are not recognised.

    Raises:
        ValueError: for another descriptor, or features that cannot be compared.
    """
    if descriptor not in DESCRIPTORS:
        raise ValueError(f"Descriptor {descriptor!r} is not one of {', '.join(DESCRIPTORS)}.")
    if descriptor == "spatial" and a_BCDHW.shape != b_BCDHW.shape:
        raise ValueError(
            f"The spatial descriptor compares position with position; shapes "
            f"{tuple(a_BCDHW.shape)} and {tuple(b_BCDHW.shape)} differ."
        )
    describe = _pooled if descriptor == "pooled" else _spatial
    return info_nce(describe(a_BCDHW), describe(b_BCDHW), temperature=temperature).mean()


def _spatial(x_BCDHW: Tensor) -> Tensor:
    return x_BCDHW.flatten(2)


def _pooled(x_BCDHW: Tensor) -> Tensor:
    with torch.autocast(x_BCDHW.device.type, enabled=False):
        x_BCDHW = x_BCDHW.float()
        mean_BC1 = _windowed(x_BCDHW, 1)
        offset_BCDHW = x_BCDHW - mean_BC1[..., None, None]
        variance_BC1 = _windowed(offset_BCDHW.square(), 1)
        deviation_BC1 = variance_BC1.clamp_min(LEAST_VARIANCE).sqrt()
        return torch.cat([mean_BC1, deviation_BC1, _windowed(x_BCDHW, 2)], dim=2)


def _windowed(x_BCDHW: Tensor, cells: int) -> Tensor:
    """Means over ``cells`` Gaussian windows along each axis, ``(B, C, cells^3)``."""
    for _ in range(3):  # each pass contracts the first spatial axis and appends its windows
        weight_PL = _windows(x_BCDHW.shape[2], cells).to(x_BCDHW.device)
        x_BCDHW = torch.tensordot(x_BCDHW, weight_PL, dims=([2], [1]))
    return x_BCDHW.flatten(2)


def _windows(length: int, cells: int) -> Tensor:
    """Gaussian weights ``(cells, length)``, each row with sum 1."""
    position_L = (torch.arange(length) + 0.5) / length
    middle_P1 = ((torch.arange(cells) + 0.5) / cells)[:, None]
    weight_PL = torch.exp(-0.5 * ((position_L - middle_P1) / SPREAD) ** 2)
    return weight_PL / weight_PL.sum(dim=1, keepdim=True)
