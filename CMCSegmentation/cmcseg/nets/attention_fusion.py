"""Fusion by attention: every position looks for its partner nearby.

Cross-attention (Vaswani et al., NeurIPS 2017) within a neighbourhood (Ramachandran et al.,
*Stand-Alone Self-Attention*, NeurIPS 2019), so that a displacement within the neighbourhood can
be followed, and memory grows with the positions, not with their square.

Shapes: B batch, C channels, D H W positions, O neighbours.
"""

import itertools

import torch
from torch import Tensor, nn

REACH = 1  # positions to each side; one position of the bottleneck is 8 to 16 voxels wide
OFFSETS = tuple(itertools.product(range(2 * REACH + 1), repeat=3))


class AttentionFusion(nn.Module):
    """F_m + trust * out(sum_o softmax_o(q . k_o / sqrt(C) + bias_o) v_o) over the neighbours.

    One more neighbour is nobody: its score is learned and its value is 0, so a position that
    finds no counterpart keeps to its own scan. There is one head, because "is this the same
    place?" is one question, and every channel is evidence. The last projection starts at zero, so
    training starts from independent networks. Where trust is 0 and where no partner is, the
    result is, to the bit, that of the single scan.
    """

    def __init__(self, channels: int, modalities: int) -> None:
        super().__init__()
        self.queries = _projections(channels, modalities)
        self.keys = _projections(channels, modalities)
        self.values = _projections(channels, modalities)
        self.outs = _projections(channels, modalities)
        self.bias_O = nn.Parameter(torch.zeros(len(OFFSETS)))
        self.nobody_M = nn.Parameter(torch.zeros(modalities))
        for out in self.outs:
            nn.init.zeros_(out.weight)
            nn.init.zeros_(out.bias)

    def forward(self, features: dict[int, Tensor], trust_B: Tensor) -> dict[int, Tensor]:
        """Add to each scan's features what it finds in the others.

        Args:
            features: ``(B, C, D, H, W)`` per modality that is present; equal shapes.
            trust_B: confidence of the alignment per case, 0 to 1.
        """
        return {
            m: _add(own_BCDHW, self._found(m, features), trust_B)
            if len(features) > 1
            else own_BCDHW
            for m, own_BCDHW in features.items()
        }

    def _found(self, m: int, features: dict[int, Tensor]) -> Tensor:
        """``(B, C, D, H, W)``: what modality ``m`` finds near each position in its partners."""
        query_BCDHW = self.queries[m](features[m])
        scores = [self.nobody_M[m].expand_as(query_BCDHW[:, :1])]
        values = []
        for other in features:
            if other != m:
                scores.append(_scores(query_BCDHW, self.keys[other](features[other]), self.bias_O))
                values.append(self.values[other](features[other]))
        weight_BODHW = torch.cat(scores, dim=1).softmax(dim=1)
        return self.outs[m](_gather(values, weight_BODHW[:, 1:]))


def _projections(channels: int, modalities: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Conv3d(channels, channels, 1) for _ in range(modalities))


def _add(own_BCDHW: Tensor, found_BCDHW: Tensor, trust_B: Tensor) -> Tensor:
    trust_B1111 = trust_B.view(-1, 1, 1, 1, 1).to(own_BCDHW.dtype)
    return torch.where(trust_B1111 > 0, own_BCDHW + trust_B1111 * found_BCDHW, own_BCDHW)


def _scores(query_BCDHW: Tensor, key_BCDHW: Tensor, bias_O: Tensor) -> Tensor:
    """``(B, O, D, H, W)``; minus infinity for neighbours outside the window."""
    query_BCDHW = query_BCDHW * query_BCDHW.shape[1] ** -0.5
    inside_11DHW = torch.ones_like(key_BCDHW[:1, :1], dtype=torch.bool)
    near = zip(_neighbours(key_BCDHW), _neighbours(inside_11DHW), strict=True)
    dots = [
        (query_BCDHW * near_BCDHW).sum(dim=1, keepdim=True).masked_fill(~there, -torch.inf)
        for near_BCDHW, there in near
    ]
    return torch.cat(dots, dim=1) + bias_O.view(1, -1, 1, 1, 1)


def _gather(values: list[Tensor], weight_BODHW: Tensor) -> Tensor:
    """The sum of all partners' neighbours under the weights, ``(B, C, D, H, W)``."""
    near = (near_BCDHW for value in values for near_BCDHW in _neighbours(value))
    return sum(weight_BODHW[:, o : o + 1] * near_BCDHW for o, near_BCDHW in enumerate(near))


def _neighbours(x_BCDHW: Tensor) -> list[Tensor]:
    """The tensor moved by every offset; what comes from outside is 0 or False."""
    depth, height, width = x_BCDHW.shape[2:]
    wide = nn.functional.pad(x_BCDHW, 6 * [REACH])
    return [wide[..., d : d + depth, h : h + height, w : w + width] for d, h, w in OFFSETS]
