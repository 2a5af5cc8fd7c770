"""``cmcseg models convert``: official checkpoints without their pickle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from cmcseg.cli.console import SCREEN


@dataclass(frozen=True, kw_only=True)
class ConvertModel:
    """Turn an official checkpoint (.pth) into safetensors; no program in it is run."""

    source: Positional[Path]
    """The checkpoint, such as sam_med3d_turbo.pth."""
    out: Positional[Path]
    """The new .safetensors file."""
    encoder: Literal["sam_med3d", "universal_unet"]
    """Whose weights it holds."""

    def run(self) -> None:
        """Read elsewhere, check, write."""
        from cmcseg.bundle.convert import convert

        count = convert(self.source, self.out, self.encoder)
        SCREEN.print(f"Wrote {self.out} ({count} weights of {self.encoder})", soft_wrap=True)
