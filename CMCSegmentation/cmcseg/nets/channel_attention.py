"""MIA, modality-independent awareness: channels look at each other, positions do not.

Zhou et al., MICCAI 2024, figure 1: channel self-attention with a residual (the channel branch
of Fu et al., *Dual Attention Network*, CVPR 2019). A channel's statistics need no
correspondence of voxels, which is why this survives misalignment.

Shapes: B batch, C channels, N positions.
"""

import torch
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """F + gamma * softmax(Q K^T) V over channels, with gamma learned from 0.

    Q and K are the channels' maps, normalised to unit length, so that the C x C similarity
    does not grow with the size of the window; the temperature is learned.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.value = nn.Conv3d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(()))
        self.log_temperature = nn.Parameter(torch.tensor(2.0))

    def forward(self, x_BCDHW: Tensor) -> Tensor:
        """The shape stays; memory is C x C per case, not positions squared."""
        unit_BCN = nn.functional.normalize(x_BCDHW.flatten(2).float(), dim=2)
        scores_BCC = unit_BCN @ unit_BCN.transpose(1, 2) * self.log_temperature.exp()
        value_BCN = self.value(x_BCDHW).flatten(2)
        mixed_BCN = scores_BCC.softmax(dim=2).to(value_BCN.dtype) @ value_BCN
        return x_BCDHW + self.gamma * mixed_BCN.view_as(x_BCDHW)
