"""L_CAC, contrastive anatomical consistency: both modalities mean the same organs.

Zhou et al., *Robust Semi-supervised Multimodal Medical Image Segmentation via Cross Modality
Collaboration*, MICCAI 2024, whose loss compares the modalities anatomy by anatomy. Two forms:
prototypes (Snell et al., *Prototypical Networks*, NeurIPS 2017, averaged under the predicted
probability) need no correspondence of voxels; overlap (Milletari et al., *V-Net*, 3DV 2016)
does.

Shapes: B batch, C channels, K classes (0 is background), D H W voxels; N positions.
"""

import torch
from torch import Tensor

from cmcseg.losses.info_nce import info_nce

LEAST_MASS = 1e-6  # voxels; keeps the mean of a class that is nowhere finite
SMOOTH = 1.0  # voxels; two windows without the organ agree


def prototype_contrast(
    features_a_BCDHW: Tensor,
    logits_a_BKDHW: Tensor,
    features_b_BCDHW: Tensor,
    logits_b_BKDHW: Tensor,
    *,
    temperature: float = 0.1,
) -> Tensor:
    """InfoNCE over the classes' prototypes, weighted by how sure both modalities are.

        m_k = sum_n p_kn f_n / sum_n p_kn          prototype of class k in one modality
        s_k = sum_n p_kn^2 / sum_n p_kn            how sure it is where it says k, 0 to 1
        loss = mean over cases and organs of s_k^a s_k^b InfoNCE(m^a, m^b)_k

    Background is a candidate to be told from, never a positive: it is not one tissue. The weights
    s carry no gradient, else doubting would pay. An organ outside one of the windows weighs
    nothing. Nothing here compares a position with a position, so the scans may be misaligned, of
    different shape or of different people.

    Args:
        features_a_BCDHW: decoder features of one modality, on any grid over the logits' window.
        logits_a_BKDHW: its class scores.
        features_b_BCDHW: decoder features of the other modality.
        logits_b_BKDHW: its class scores.
        temperature: of InfoNCE.

    Returns:
        A scalar, at least 0.
    """
    means_a_BKC, sure_a_BK = _prototypes(features_a_BCDHW, logits_a_BKDHW)
    means_b_BKC, sure_b_BK = _prototypes(features_b_BCDHW, logits_b_BKDHW)
    loss_BK = info_nce(means_a_BKC, means_b_BKC, temperature=temperature)
    weight_BK = (sure_a_BK * sure_b_BK).detach()
    return (weight_BK * loss_BK)[:, 1:].mean()


def overlap_contrast(logits_a_BKDHW: Tensor, logits_b_BKDHW: Tensor) -> Tensor:
    """Mean over cases and organs of 1 - soft Dice of the two predictions.

        1 - (2 sum_n p_kn q_kn + s) / (sum_n p_kn^2 + sum_n q_kn^2 + s)

    Squares in the denominator let two equal predictions cost nothing however soft they are. Only
    for pairs whose alignment is trusted: it compares voxel with voxel.

    Args:
        logits_a_BKDHW: class scores of one modality.
        logits_b_BKDHW: of the other one, on the same grid.

    Returns:
        A scalar, 0 to 1; 0 when the predictions are equal.

    Raises:
        ValueError: when the shapes differ.
    """
    if logits_a_BKDHW.shape != logits_b_BKDHW.shape:
        raise ValueError(
            f"Overlap needs one common grid; shapes {tuple(logits_a_BKDHW.shape)} and "
            f"{tuple(logits_b_BKDHW.shape)} differ."
        )
    p_BKN = logits_a_BKDHW.float().softmax(dim=1).flatten(2)
    q_BKN = logits_b_BKDHW.float().softmax(dim=1).flatten(2)
    shared_BK = (p_BKN * q_BKN).sum(2)
    total_BK = p_BKN.square().sum(2) + q_BKN.square().sum(2)
    dice_BK = (2 * shared_BK + SMOOTH) / (total_BK + SMOOTH)
    return 1 - dice_BK[:, 1:].mean()


def _prototypes(features_BCDHW: Tensor, logits_BKDHW: Tensor) -> tuple[Tensor, Tensor]:
    """Mean features ``(B, K, C)`` and sureness ``(B, K)`` of every class."""
    with torch.autocast(features_BCDHW.device.type, enabled=False):
        p_BKDHW = logits_BKDHW.float().softmax(dim=1)
        sure_BK = p_BKDHW.square().flatten(2).sum(2) / _mass(p_BKDHW)
        coarse_BKDHW = torch.nn.functional.adaptive_avg_pool3d(p_BKDHW, features_BCDHW.shape[2:])
        share_BKN = (coarse_BKDHW / _mass(coarse_BKDHW)[..., None, None, None]).flatten(2)
        return share_BKN @ features_BCDHW.float().flatten(2).transpose(1, 2), sure_BK


def _mass(p_BKDHW: Tensor) -> Tensor:
    return p_BKDHW.flatten(2).sum(2).clamp_min(LEAST_MASS)
