"""The compact default encoder: a folding stem and strided residual blocks.

The stem folds each ``patch`` of voxels into one position (the idea of vision transformers'
patch embedding), so the costly convolutions at full resolution fall away while no voxel is
lost; the decoder unfolds the same patch.
"""

from torch import Tensor, nn

from cmcseg.core.card import NetworkSpec
from cmcseg.nets.blocks import ResidualBlock


class ResidualEncoder(nn.Module):
    """A pyramid of features; kernels serve all modalities given, norms only one each."""

    def __init__(self, spec: NetworkSpec, modalities: int) -> None:
        super().__init__()
        widths = spec.widths
        self.stems = nn.ModuleList(
            nn.Conv3d(1, widths[0], spec.patch, spec.patch) for _ in range(modalities)
        )
        steps = zip((widths[0], *widths[:-1]), widths, ((1, 1, 1), *spec.strides), strict=True)
        self.levels = nn.ModuleList(
            ResidualBlock(into, out, modalities, tuple(stride)) for into, out, stride in steps
        )

    def forward(self, image_B1DHW: Tensor, m: int) -> list[Tensor]:
        """``(B, 1, D, H, W)`` to one ``(B, widths[i], ...)`` per level, finest first."""
        features = [self.levels[0](self.stems[m](image_B1DHW), m)]
        for level in self.levels[1:]:
            features.append(level(features[-1], m))
        return features
