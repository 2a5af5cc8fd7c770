"""InfoNCE: of all candidates, the one of the same name should be the nearest.

van den Oord et al., *Representation Learning with Contrastive Predictive Coding*, 2018, with
cosine similarity and both directions averaged (Radford et al., CLIP, ICML 2021).

Shapes: B batch, N items (channels or classes), F features of an item.
"""

import torch
from torch import Tensor


def info_nce(a_BNF: Tensor, b_BNF: Tensor, *, temperature: float) -> Tensor:
    """How hard it is to find item n of one side among all items of the other side.

        s_nm = cos(a_n, b_m) / temperature
        loss_n = -1/2 (log softmax_m(s_nm)[n] + log softmax_m(s_mn)[n])

    Computed in float32 even under autocast, where similarities would keep three digits.

    Args:
        a_BNF: items of one modality.
        b_BNF: the same items of the other one, in the same order.
        temperature: small values look at the hardest rivals only; above 0.

    Returns:
        ``(B, N)``, at least 0; about log N when nothing tells the items apart.

    Raises:
        ValueError: when the items do not correspond or the temperature is not positive.
    """
    if a_BNF.shape != b_BNF.shape:
        raise ValueError(
            f"The items have shapes {tuple(a_BNF.shape)} and {tuple(b_BNF.shape)}; they must agree."
        )
    if temperature <= 0:
        raise ValueError(f"A temperature of {temperature} is not above 0.")
    with torch.autocast(a_BNF.device.type, enabled=False):
        unit_a_BNF = torch.nn.functional.normalize(a_BNF.float(), dim=2)
        unit_b_BNF = torch.nn.functional.normalize(b_BNF.float(), dim=2)
        scores_BNN = unit_a_BNF @ unit_b_BNF.transpose(1, 2) / temperature
        there_BN = scores_BNN.log_softmax(dim=2).diagonal(dim1=1, dim2=2)
        back_BN = scores_BNN.log_softmax(dim=1).diagonal(dim1=1, dim2=2)
        return -(there_BN + back_BN) / 2
