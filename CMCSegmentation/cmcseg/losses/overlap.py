"""L_sup: Dice and cross-entropy that respect what the annotator did not look at.

Dice: Milletari et al., *V-Net*, 3DV 2016, the soft form with sums over batch and voxels.
Partial labels: Shi et al., *Marginal loss*, Medical Image Analysis 2021: where a map covers
only some organs, its background means "background or an organ that was not drawn".

Shapes: B batch, K classes (0 is background), D H W voxels.
"""

import torch
from torch import Tensor

from cmcseg.core.labelmap import UNANNOTATED

SMOOTH = 1.0  # voxels; keeps the quotient finite for an absent organ


def overlap_loss(
    logits_BKDHW: Tensor,
    labels_BDHW: Tensor,
    known_BK: Tensor,
    weight_BDHW: Tensor | None = None,
) -> Tensor:
    """Mean of 1 - Dice over the known organs, plus the mean cross-entropy.

    Args:
        logits_BKDHW: class scores.
        labels_BDHW: uint8 or int64; ``UNANNOTATED`` voxels take no part.
        known_BK: whether the annotator drew class k in case b; column 0 is ignored.
        weight_BDHW: how much a voxel counts, 0 to 1; all count fully when left out.

    Returns:
        A scalar, at least 0; exactly 0 with zero gradient when nothing is annotated.
    """
    labels_BDHW = labels_BDHW.long()
    seen_BDHW = labels_BDHW != UNANNOTATED
    if not seen_BDHW.any():
        return logits_BKDHW.sum() * 0.0
    # Voxels are counted before they are weighted, so that doubt makes the whole loss smaller.
    count = seen_BDHW.sum()
    weight_BDHW = seen_BDHW * (1.0 if weight_BDHW is None else weight_BDHW)
    log_p_BKDHW = logits_BKDHW.float().log_softmax(dim=1)
    log_target_BDHW = _log_target(log_p_BKDHW, labels_BDHW.masked_fill(~seen_BDHW, 0), known_BK)
    entropy = -(log_target_BDHW * weight_BDHW).sum() / count
    return entropy + _dice_loss(log_p_BKDHW.exp(), labels_BDHW, weight_BDHW, known_BK)


def _log_target(log_p_BKDHW: Tensor, target_BDHW: Tensor, known_BK: Tensor) -> Tensor:
    """``(B, D, H, W)``: log-probability of the label, of a partial map's background marginally."""
    log_target_BDHW = log_p_BKDHW.gather(1, target_BDHW[:, None])[:, 0]
    partial_B = ~known_BK[:, 1:].all(dim=1)
    if partial_B.any():
        undrawn_BK = ~known_BK
        undrawn_BK[:, 0] = True  # background itself belongs to the sum
        masked = log_p_BKDHW.masked_fill(~undrawn_BK[:, :, None, None, None], -torch.inf)
        marginal_BDHW = masked.logsumexp(dim=1)
        use_BDHW = partial_B[:, None, None, None] & (target_BDHW == 0)
        log_target_BDHW = torch.where(use_BDHW, marginal_BDHW, log_target_BDHW)
    return log_target_BDHW


def _dice_loss(
    p_BKDHW: Tensor, labels_BDHW: Tensor, weight_BDHW: Tensor, known_BK: Tensor
) -> Tensor:
    terms = []
    for k in range(1, p_BKDHW.shape[1]):
        use_BDHW = weight_BDHW * known_BK[:, k, None, None, None]
        if not use_BDHW.any():
            continue
        truth_BDHW = (labels_BDHW == k) * use_BDHW
        shared = (p_BKDHW[:, k] * truth_BDHW).sum()
        total = (p_BKDHW[:, k] * use_BDHW).sum() + truth_BDHW.sum()
        terms.append(1 - (2 * shared + SMOOTH) / (total + SMOOTH))
    return torch.stack(terms).mean() if terms else p_BKDHW.sum() * 0.0
