"""The shared fusion layer: what one scan may tell the other.

Shapes: B batch, C channels, D H W positions.
"""

import torch
from torch import Tensor, nn


class ConcatFusion(nn.Module):
    """Both bottlenecks side by side through one convolution (Zhou et al. 2024, figure 1).

    The partner enters as ``trust * features + (1 - trust) * null`` with a learned null per
    modality. An absent scan is a partner with trust 0, and so is one whose alignment cannot
    be trusted: then the result is, to the bit, that of the single scan.
    """

    def __init__(self, channels: int, modalities: int) -> None:
        super().__init__()
        self.null_MC = nn.Parameter(torch.zeros(modalities, channels))
        self.mix = nn.Sequential(
            nn.Conv3d(modalities * channels, channels, 1),
            nn.LeakyReLU(0.01),
            nn.Conv3d(channels, channels, 3, padding=1),
        )
        nn.init.zeros_(self.mix[-1].weight)  # starts as two independent networks
        nn.init.zeros_(self.mix[-1].bias)

    def forward(self, features: dict[int, Tensor], trust_B: Tensor) -> dict[int, Tensor]:
        """Add the fused features to each scan's own.

        Args:
            features: ``(B, C, D, H, W)`` per modality that is present; equal shapes.
            trust_B: confidence of the alignment per case, 0 to 1.
        """
        like = next(iter(features.values()))
        trust_B1111 = trust_B.view(-1, 1, 1, 1, 1).to(like.dtype)
        nulls = [n_C.view(1, -1, 1, 1, 1).to(like.dtype).expand_as(like) for n_C in self.null_MC]
        fused = {}
        for m, own_BCDHW in features.items():
            seats = [
                own_BCDHW
                if other == m
                else torch.lerp(nulls[other], features[other], trust_B1111)
                if other in features
                else nulls[other]
                for other in range(len(nulls))
            ]
            fused[m] = own_BCDHW + self.mix(torch.cat(seats, dim=1))
        return fused
