"""The paper's encoder: SAM-Med3D's frozen transformer with a trained side path in every block.

Side path: Chen et al., *AdaptFormer*, NeurIPS 2022: beside the perceptron, down to a few channels
and up again, scaled. The up-projection starts at zero, so training starts from the official
encoder. The transformer has one scale; a simple feature pyramid (Li et al., *ViTDet*, ECCV 2022)
makes the finer levels, and a strided convolution of the image joins the finest one, because a
token of 16 voxels has no edges.

Shapes: B batch, C channels, D H W voxels, T P Q tokens.
"""

import torch
from torch import Tensor, nn

from cmcseg.core.card import NetworkSpec
from cmcseg.core.errors import BadInput
from cmcseg.nets.blocks import ConvBlock
from cmcseg.nets.encoders.vit3d import VIT_B_ORI, Vit3d, VitSize

NARROW = 64  # channels inside a side path
SCALE = 0.1  # of a side path at the start


class SamMed3dEncoder(nn.Module):
    """A pyramid from one frozen transformer; side paths, neck and pyramid are trained.

    Modalities share the frozen transformer; each has its own side paths, norms and stem.

    Raises:
        BadInput: when the card asks for a pyramid that tokens do not fit.
    """

    OFFICIAL = "image_encoder."  # the checkpoint's prompt encoder and mask decoder stay behind
    UNUSED = ()

    def __init__(self, spec: NetworkSpec, modalities: int, size: VitSize = VIT_B_ORI) -> None:
        super().__init__()
        if len(spec.widths) < 2 or set(spec.multiple) != {size.patch}:
            raise BadInput(
                f"The encoder sam_med3d has tokens of {size.patch} voxels: patch and strides must "
                f"multiply to {size.patch} along each axis, not to {spec.multiple}."
            )
        self.vit = Vit3d(size)
        for name, parameter in self.vit.named_parameters():
            parameter.requires_grad_(name.startswith("neck."))
        self.adapters = nn.ModuleList(
            nn.ModuleList(_SidePath(size.width) for _ in range(size.depth))
            for _ in range(modalities)
        )
        self.stems = nn.ModuleList(
            nn.Conv3d(1, spec.widths[0], spec.patch, spec.patch) for _ in range(modalities)
        )
        self.bottleneck = nn.Conv3d(size.out, spec.widths[-1], 1)
        deeper = list(zip(spec.widths[1:], spec.widths, spec.strides, strict=False))[::-1]
        self.ups = nn.ModuleList(
            nn.ConvTranspose3d(deep, shallow, stride, stride) for deep, shallow, stride in deeper
        )
        self.convs = nn.ModuleList(ConvBlock(n, n, modalities) for _, n, _ in deeper)

    def forward(self, image_B1DHW: Tensor, m: int) -> list[Tensor]:
        """``(B, 1, D, H, W)`` to one ``(B, widths[i], ...)`` per level, finest first."""
        paths = self.adapters[m]
        tokens_BCTPQ = self.vit(image_B1DHW, lambda number, x: paths[number](x))
        features = [self.bottleneck(tokens_BCTPQ)]
        for number, (up, conv) in enumerate(zip(self.ups, self.convs, strict=True)):
            x_BCDHW = up(features[0])
            if number == len(self.ups) - 1:
                x_BCDHW = x_BCDHW + self.stems[m](image_B1DHW)
            features.insert(0, conv(x_BCDHW, m))
        return features

    def official_names(self) -> dict[str, str]:
        """The official name of each weight that the official checkpoint holds."""
        return {f"vit.{name}": f"{self.OFFICIAL}{name}" for name in self.vit.state_dict()}


class _SidePath(nn.Module):
    """scale * up(gelu(down(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, min(NARROW, width))
        self.up = nn.Linear(min(NARROW, width), width)
        self.scale = nn.Parameter(torch.full((), SCALE))
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x_BTPQC: Tensor) -> Tensor:
        return self.scale * self.up(nn.functional.gelu(self.down(x_BTPQC)))
