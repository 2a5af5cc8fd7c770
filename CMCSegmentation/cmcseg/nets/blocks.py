"""The bricks: convolutions whose kernels modalities may share and whose norms they never do.

Shapes: B batch, C channels, D H W positions along the working grid's axes; m is the index of
the modality.
"""

import torch
from torch import Tensor, nn

Triple = tuple[int, int, int]
SLOPE = 0.01  # of the leaky rectifier


class ModalityNorm(nn.Module):
    """Instance norm with its own scale and shift per modality.

    Instance statistics keep a case's result independent of its neighbours in the batch.
    """

    def __init__(self, channels: int, modalities: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(
            nn.InstanceNorm3d(channels, affine=True) for _ in range(modalities)
        )

    def forward(self, x_BCDHW: Tensor, m: int) -> Tensor:
        """Normalise with the scale and shift of modality ``m``; the shape stays."""
        if x_BCDHW[0, 0].numel() == 1:  # one position has no deviation; keep its value
            norm = self.norms[m]
            return x_BCDHW * norm.weight.view(1, -1, 1, 1, 1) + norm.bias.view(1, -1, 1, 1, 1)
        return self.norms[m](x_BCDHW)


class ConvBlock(nn.Module):
    """Convolution 3 x 3 x 3, norm, leaky rectifier."""

    def __init__(self, into: int, out: int, modalities: int, stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        self.conv = nn.Conv3d(into, out, 3, stride, 1, bias=False)
        self.norm = ModalityNorm(out, modalities)

    def forward(self, x_BCDHW: Tensor, m: int) -> Tensor:
        """``(B, into, D, H, W)`` to ``(B, out, D/s, H/s, W/s)``."""
        return nn.functional.leaky_relu(self.norm(self.conv(x_BCDHW), m), SLOPE)


class ResidualBlock(nn.Module):
    """Two convolutions around a shortcut (He et al. 2016), the first one strided."""

    def __init__(self, into: int, out: int, modalities: int, stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        self.first = ConvBlock(into, out, modalities, stride)
        self.second = nn.Conv3d(out, out, 3, 1, 1, bias=False)
        self.norm = ModalityNorm(out, modalities)
        same = into == out and stride == (1, 1, 1)
        self.shortcut = nn.Identity() if same else nn.Conv3d(into, out, 1, stride, bias=False)

    def forward(self, x_BCDHW: Tensor, m: int) -> Tensor:
        """``(B, into, D, H, W)`` to ``(B, out, D/s, H/s, W/s)``."""
        y_BCDHW = self.norm(self.second(self.first(x_BCDHW, m)), m)
        return nn.functional.leaky_relu(y_BCDHW + self.shortcut(x_BCDHW), SLOPE)


class UpBlock(nn.Module):
    """Enlarge the deeper features, join them with the shallower ones, convolve."""

    def __init__(self, deep: int, shallow: int, modalities: int, stride: Triple) -> None:
        super().__init__()
        self.up = nn.ConvTranspose3d(deep, shallow, stride, stride)
        self.conv = ConvBlock(2 * shallow, shallow, modalities)

    def forward(self, deep_BCDHW: Tensor, shallow_BCDHW: Tensor, m: int) -> Tensor:
        """The result has the shape of ``shallow_BCDHW``."""
        return self.conv(torch.cat([self.up(deep_BCDHW), shallow_BCDHW], dim=1), m)
