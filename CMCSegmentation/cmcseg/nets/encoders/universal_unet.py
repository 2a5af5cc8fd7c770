"""The encoder that the published code of the method trains: a plain 3D U-Net.

Its checkpoint comes from Liu et al., *CLIP-Driven Universal Model*, ICCV 2023. Two differences
from the published code, neither of which changes what one case alone gives: batch norm that always
uses the statistics of its batch is instance norm for a batch of one, so instance norm it is, for
every batch; and a convolution's bias is left out, because the norm behind it removes it.

Shapes: B batch, D H W voxels.
"""

from torch import Tensor, nn

from cmcseg.core.card import NetworkSpec
from cmcseg.core.errors import BadInput
from cmcseg.nets.blocks import ModalityNorm

STAGES = ("down_tr64", "down_tr128", "down_tr256", "down_tr512")


class UniversalUnetEncoder(nn.Module):
    """Pairs of convolutions, halved in between; the official widths are 64, 128, 256, 512.

    Raises:
        BadInput: when the card asks for another shape.
    """

    OFFICIAL = "down_tr"  # the checkpoint's decoder stays behind
    UNUSED = (".conv1.bias", ".running_mean", ".running_var", ".num_batches_tracked")

    def __init__(self, spec: NetworkSpec, modalities: int) -> None:
        super().__init__()
        if (
            len(spec.widths) > len(STAGES)
            or spec.patch != (1, 1, 1)
            or set(spec.strides) - {(2, 2, 2)}
        ):
            raise BadInput(
                "The encoder universal_unet takes the patch (1, 1, 1) and at most three strides "
                f"(2, 2, 2), not {spec.patch} and {', '.join(map(str, spec.strides))}."
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

    def official_names(self) -> dict[str, str]:
        """The official name of each weight; all modalities start from the same norms."""
        return {name: _official(name) for name in self.state_dict()}


def _official(name: str) -> str:
    """``levels.0.1.norm.norms.0.bias`` is called ``down_tr64.ops.1.bn1.bias`` there."""
    _, level, number, part, *_, kind = name.split(".")
    return f"{STAGES[int(level)]}.ops.{number}.{'conv1' if part == 'conv' else 'bn1'}.{kind}"


class _Conv(nn.Module):
    """Convolution 3 x 3 x 3, norm, rectifier."""

    def __init__(self, into: int, out: int, modalities: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(into, out, 3, 1, 1, bias=False)
        self.norm = ModalityNorm(out, modalities)

    def forward(self, x_BCDHW: Tensor, m: int) -> Tensor:
        return self.norm(self.conv(x_BCDHW), m).relu()
