"""The whole network: an encoder per modality, MIA, fusion, a decoder per modality.

Zhou et al., *Robust Semi-supervised Multimodal Medical Image Segmentation via Cross Modality
Collaboration*, MICCAI 2024, figure 1; encoders and decoders may share kernels between
modalities, norms they never share.

Shapes: B batch, C channels, K classes, D H W voxels of the working grid.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cmcseg.core.card import NetworkSpec
from cmcseg.nets.attention_fusion import AttentionFusion
from cmcseg.nets.blocks import UpBlock
from cmcseg.nets.channel_attention import ChannelAttention
from cmcseg.nets.encoders.residual import ResidualEncoder
from cmcseg.nets.encoders.sam_med3d import SamMed3dEncoder
from cmcseg.nets.encoders.universal_unet import UniversalUnetEncoder
from cmcseg.nets.fusion import ConcatFusion

ENCODERS = {
    "residual": ResidualEncoder,
    "sam_med3d": SamMed3dEncoder,
    "universal_unet": UniversalUnetEncoder,
}
FUSIONS = {"concat": ConcatFusion, "attention": AttentionFusion}


@dataclass(frozen=True, kw_only=True, eq=False)
class Output:
    """What the network says of one modality.

    Attributes:
        logits_BKDHW: class scores on the window's grid.
        bottleneck_BCDHW: the encoder's deepest features, before MIA (for L_CSC).
        decoded_BCDHW: the decoder's last features, before the head (for L_CAC).
    """

    logits_BKDHW: Tensor
    bottleneck_BCDHW: Tensor
    decoded_BCDHW: Tensor


class Decoder(nn.Module):
    """From the fused bottleneck back to the window, with the encoder's features beside it."""

    def __init__(self, spec: NetworkSpec, modalities: int, classes: int) -> None:
        super().__init__()
        widths = spec.widths
        self.levels = nn.ModuleList(
            UpBlock(deep, shallow, modalities, tuple(stride))
            for shallow, deep, stride in zip(widths, widths[1:], spec.strides, strict=False)
        )
        self.heads = nn.ModuleList(
            nn.ConvTranspose3d(widths[0], classes, spec.patch, spec.patch)
            for _ in range(modalities)
        )

    def forward(self, features: list[Tensor], m: int) -> tuple[Tensor, Tensor]:
        """Features, finest first, to logits and the last features."""
        x_BCDHW = features[-1]
        for level, shallow in zip(reversed(self.levels), reversed(features[:-1]), strict=True):
            x_BCDHW = level(x_BCDHW, shallow, m)
        if x_BCDHW.dtype == torch.float32:
            return self.heads[m](x_BCDHW), x_BCDHW
        # Scores keep all their digits, and do not depend on how many classes there are.
        with torch.autocast(x_BCDHW.device.type, enabled=False):
            return self.heads[m](x_BCDHW.float()), x_BCDHW


class CollaborativeNet(nn.Module):
    """Segments each scan of a pair with the other's help; any scan may be absent."""

    def __init__(self, spec: NetworkSpec, modalities: int, classes: int) -> None:
        super().__init__()
        self.modalities = modalities
        self.shared = spec.shared_kernels
        copies, norms = (1, modalities) if self.shared else (modalities, 1)
        encoder = ENCODERS[spec.encoder]
        self.encoders = nn.ModuleList(encoder(spec, norms) for _ in range(copies))
        self.decoders = nn.ModuleList(Decoder(spec, norms, classes) for _ in range(copies))
        width = spec.widths[-1]
        self.awareness = nn.ModuleList(
            ChannelAttention(width) if spec.awareness else nn.Identity() for _ in range(modalities)
        )
        self.fusion = FUSIONS[spec.fusion](width, modalities)

    def forward(self, images: dict[int, Tensor], trust_B: Tensor) -> dict[int, Output]:
        """Segment one window of each scan that is there.

        Args:
            images: normalised ``(B, 1, D, H, W)`` per index of a modality, equal shapes.
            trust_B: confidence of the alignment per case, 0 to 1; at 0 the scans do not
                influence each other.

        Returns:
            One ``Output`` per modality given.

        Raises:
            ValueError: when no scan is given or a modality is unknown.
        """
        if not images or not set(images) <= set(range(self.modalities)):
            raise ValueError(
                f"Modalities {sorted(images)} are not within 0..{self.modalities - 1}."
            )
        pyramids = {m: self._of(self.encoders, m)(x, self._norm(m)) for m, x in images.items()}
        aware = {m: self.awareness[m](levels[-1]) for m, levels in pyramids.items()}
        fused = self.fusion(aware, trust_B)
        outputs = {}
        for m, levels in pyramids.items():
            logits, decoded = self._of(self.decoders, m)([*levels[:-1], fused[m]], self._norm(m))
            outputs[m] = Output(
                logits_BKDHW=logits, bottleneck_BCDHW=levels[-1], decoded_BCDHW=decoded
            )
        return outputs

    def _of(self, modules: nn.ModuleList, m: int) -> nn.Module:
        return modules[0 if self.shared else m]

    def _norm(self, m: int) -> int:
        return m if self.shared else 0
