"""Fusion by attention: every position looks for its partner nearby.

Cross-attention (Vaswani et al., NeurIPS 2017) within a neighbourhood (Ramachandran et al.,
*Stand-Alone Self-Attention*, NeurIPS 2019), so that a displacement within the neighbourhood can
be followed, and memory grows with the positions, not with their square.

Shapes: B batch, C channels, D H W positions, G heads, E = C / G channels of a head,
O neighbours.
"""

import itertools

import torch
from torch import Tensor, nn

REACH = 1  # positions to each side; one position of the bottleneck is 8 to 16 voxels wide
HEADS = 4
OFFSETS = tuple(itertools.product(range(2 * REACH + 1), repeat=3))


class AttentionFusion(nn.Module):
    """F_m + trust * out(sum_o softmax_o(q . k_o / sqrt(E) + bias_o) v_o) over the neighbours.

    One more neighbour is nobody: its score is learned and its value is 0, so a position that
    finds no counterpart keeps to its own scan. The last projection starts at zero, so training
    starts from independent networks. Where trust is 0 and where no partner is, the result is, to
    the bit, that of the single scan.
    """

    def __init__(self, channels: int, modalities: int) -> None:
        super().__init__()
        self.heads = HEADS if channels % HEADS == 0 else 1
        self.queries = _projections(channels, modalities)
        self.keys = _projections(channels, modalities)
        self.values = _projections(channels, modalities)
        self.outs = _projections(channels, modalities)
        self.bias_GO = nn.Parameter(torch.zeros(self.heads, len(OFFSETS)))
        self.nobody_MG = nn.Parameter(torch.zeros(modalities, self.heads))
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
        query_BGEDHW = self._split(self.queries[m](features[m]))
        nobody_BG1DHW = self.nobody_MG[m].view(1, -1, 1, 1, 1, 1).expand_as(query_BGEDHW[:, :, :1])
        scores, values = [nobody_BG1DHW], []
        for other in features:
            if other != m:
                key_BGEDHW = self._split(self.keys[other](features[other]))
                scores.append(_scores(query_BGEDHW, key_BGEDHW, self.bias_GO))
                values.append(self._split(self.values[other](features[other])))
        weight_BGODHW = torch.cat(scores, dim=2).softmax(dim=2)
        found_BGEDHW = _gather(values, weight_BGODHW[:, :, 1:])
        return self.outs[m](found_BGEDHW.flatten(1, 2))

    def _split(self, x_BCDHW: Tensor) -> Tensor:
        return x_BCDHW.unflatten(1, (self.heads, -1))


def _projections(channels: int, modalities: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Conv3d(channels, channels, 1) for _ in range(modalities))


def _add(own_BCDHW: Tensor, found_BCDHW: Tensor, trust_B: Tensor) -> Tensor:
    trust_B1111 = trust_B.view(-1, 1, 1, 1, 1).to(own_BCDHW.dtype)
    return torch.where(trust_B1111 > 0, own_BCDHW + trust_B1111 * found_BCDHW, own_BCDHW)


def _scores(query_BGEDHW: Tensor, key_BGEDHW: Tensor, bias_GO: Tensor) -> Tensor:
    """``(B, G, O, D, H, W)``; minus infinity for neighbours outside the window."""
    query_BGEDHW = query_BGEDHW * query_BGEDHW.shape[2] ** -0.5
    inside_111DHW = torch.ones_like(key_BGEDHW[:1, :1, :1], dtype=torch.bool)
    dots = [
        (query_BGEDHW * near_BGEDHW).sum(dim=2, keepdim=True).masked_fill(~there, -torch.inf)
        for near_BGEDHW, there in zip(
            _neighbours(key_BGEDHW), _neighbours(inside_111DHW), strict=True
        )
    ]
    return torch.cat(dots, dim=2) + bias_GO[None, :, :, None, None, None]


def _gather(values: list[Tensor], weight_BGODHW: Tensor) -> Tensor:
    """The sum of all partners' neighbours under the weights, ``(B, G, E, D, H, W)``."""
    near = (near_BGEDHW for value in values for near_BGEDHW in _neighbours(value))
    return sum(weight_BGODHW[:, :, o : o + 1] * near_BGEDHW for o, near_BGEDHW in enumerate(near))


def _neighbours(x_BGEDHW: Tensor) -> list[Tensor]:
    """The tensor moved by every offset; what comes from outside is 0 or False."""
    depth, height, width = x_BGEDHW.shape[3:]
    wide = nn.functional.pad(x_BGEDHW, 6 * [REACH])
    return [wide[..., d : d + depth, h : h + height, w : w + width] for d, h, w in OFFSETS]
