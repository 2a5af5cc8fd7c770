"""The network of some scans inside that of more scans."""

import re
from dataclasses import replace

import torch
from torch import Tensor

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput

# Module lists with an entry per modality, whatever else they lie in.
PER_MODALITY = re.compile(r"((?:^|\.)(?:norms|stems|heads|awareness)\.)(\d+)(?=\.)")
NULL, MIX, BIAS = "fusion.null_MC", "fusion.mix.0.weight", "fusion.mix.0.bias"


def submodel_of(weights: dict[str, Tensor], whole: ModelCard, part: ModelCard) -> dict[str, Tensor]:
    """The weights with which a smaller network does what the larger one does for its scans.

    A scan that the smaller network does not know is one that is always absent: in the fusion
    layer it is a constant, its learned null, and becomes a part of the bias.

    Args:
        weights: of the larger network.
        whole: its card.
        part: the smaller network's: some of the roles, in their order, and perhaps without MIA
            (whose outputs then differ).

    Raises:
        BadInput: when the larger network cannot be taken apart: separate kernels per modality, or
            another fusion layer than ``concat``.
    """
    spec = whole.network
    if not spec.shared_kernels or spec.fusion != "concat":
        raise BadInput(
            f"The model {whole.name} cannot be taken apart; only one with shared kernels and "
            "'concat' fusion can."
        )
    if part.network != replace(spec, awareness=part.network.awareness):
        raise BadInput(f"The models {whole.name} and {part.name} are not of the same make.")
    kept = [whole.roles.index(role) for role in part.roles]
    found = {}
    for key, value in weights.items():
        seat = PER_MODALITY.search(key)
        if seat and int(seat[2]) not in kept:
            continue
        if key.startswith("awareness.") and not part.network.awareness:
            continue
        new = PER_MODALITY.sub(lambda hit: f"{hit[1]}{kept.index(int(hit[2]))}", key)
        found[new] = value
    null_MC = weights[NULL]
    blocks = weights[MIX].split(null_MC.shape[1], dim=1)
    found[NULL] = null_MC[kept]
    found[MIX] = torch.cat([blocks[m] for m in kept], dim=1)
    absent = [m for m in range(len(blocks)) if m not in kept]
    found[BIAS] = weights[BIAS] + sum(blocks[m][..., 0, 0, 0] @ null_MC[m] for m in absent)
    return found
