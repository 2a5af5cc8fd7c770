"""The encoder that the published code of the method trains: a plain 3D U-Net.

Its checkpoint comes from Liu et al., *CLIP-Driven Universal Model*, ICCV 2023. Two differences
from the published code, neither of which changes what one case alone gives: batch norm that always
uses the statistics of its batch is instance norm for a batch of one, so instance norm it is, for
every batch; and a convolution's bias is left out, because the norm behind it removes it.

Shapes: B batch, D H W voxels.
"""

import re
from collections.abc import Mapping

from torch import Tensor, nn

from cmcseg.core.card import NetworkSpec
from cmcseg.core.errors import BadInput
from cmcseg.nets.blocks import ModalityNorm

STAGES = ("down_tr64", "down_tr128", "down_tr256", "down_tr512")
_WEIGHT = re.compile(r"(?:.*\.)?(down_tr\d+)\.ops\.([01])\.(conv1|bn1)\.(weight|bias)")


class UniversalUnetEncoder(nn.Module):
    """Pairs of convolutions, halved in between; the official widths are 64, 128, 256, 512.

    Raises:
        BadInput: when the card asks for another shape.
    """

    def __init__(self, spec: NetworkSpec, modalities: int) -> None:
        super().__init__()
        if spec.patch != (1, 1, 1) or set(spec.strides) - {(2, 2, 2)}:
            raise BadInput(
                "The encoder universal_unet takes the patch (1, 1, 1) and strides (2, 2, 2), not "
                f"{spec.patch} and {', '.join(map(str, spec.strides))}."
            )
        if any(width % 2 for width in spec.widths):
            raise BadInput(f"The encoder universal_unet takes even widths, not {spec.widths}.")
        into = (1, *spec.widths[:-1])
        self.levels = nn.ModuleList(
            nn.ModuleList([_Conv(a, b // 2, modalities), _Conv(b // 2, b, modalities)])
            for a, b in zip(into, spec.widths, strict=True)
        )

    def forward(self, image_B1DHW: Tensor, m: int) -> list[Tensor]:
        """``(B, 1, D, H, W)`` to one ``(B, widths[i], ...)`` per level, finest first."""
        features, x_BCDHW = [], image_B1DHW
        for number, (first, second) in enumerate(self.levels):
            if number:
                x_BCDHW = nn.functional.max_pool3d(x_BCDHW, 2)
            x_BCDHW = second(first(x_BCDHW, m), m)
            features.append(x_BCDHW)
        return features

    def official(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """This encoder's weights, taken from the official checkpoint by its own names.

        Every modality gets the same norms. Running statistics and biases of convolutions are not
        used (see above); the official decoder is not either.

        Args:
            state: by name, as ``module.backbone.down_tr64.ops.0.conv1.weight``.

        Returns:
            By name in this module; it may lack names when the checkpoint does.
        """
        weights = {}
        for name, value in state.items():
            found = _WEIGHT.fullmatch(name)
            if not found or (found[3], found[4]) == ("conv1", "bias") or found[1] not in STAGES:
                continue
            place = f"levels.{STAGES.index(found[1])}.{found[2]}"
            if found[3] == "conv1":
                weights[f"{place}.conv.weight"] = value
                continue
            for m in range(len(self.levels[0][0].norm.norms)):
                weights[f"{place}.norm.norms.{m}.{found[4]}"] = value
        return weights


class _Conv(nn.Module):
    """Convolution 3 x 3 x 3, norm, rectifier."""

    def __init__(self, into: int, out: int, modalities: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(into, out, 3, 1, 1, bias=False)
        self.norm = ModalityNorm(out, modalities)

    def forward(self, x_BCDHW: Tensor, m: int) -> Tensor:
        return self.norm(self.conv(x_BCDHW), m).relu()
