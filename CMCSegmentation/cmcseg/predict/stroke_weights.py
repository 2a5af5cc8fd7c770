"""How much each piece of evidence counts, fitted over a simulated user's strokes.

The first look is a logistic regression, the second a perceptron over the first look, the evidence
and its means around a voxel. `bench/stroke_weights.py` makes the file, which also says so;
docs/decisions/250 and 293 tell on what, and how well they fit.

Shapes: N numbers of the evidence, F features, H hidden ones.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load as tensors_from_bytes

from cmcseg.core.resources import resource_folder


@dataclass(frozen=True, kw_only=True, eq=False)
class StrokeWeights:
    """Both looks; float32.

    Attributes:
        first: ``(N,)`` of the first look, in the order of the evidence.
        first_bias: ``(1,)``
        mean: ``(F,)`` of the features.
        spread: ``(F,)``
        hidden: ``(F, H)``
        hidden_bias: ``(H,)``
        out: ``(H,)``
        out_bias: ``(1,)``
    """

    first: torch.Tensor
    first_bias: torch.Tensor
    mean: torch.Tensor
    spread: torch.Tensor
    hidden: torch.Tensor
    hidden_bias: torch.Tensor
    out: torch.Tensor
    out_bias: torch.Tensor


def weights_file() -> Path:
    """Where the weights that came with the program lie."""
    return resource_folder() / "Strokes" / "weights.safetensors"


@cache
def stroke_weights() -> StrokeWeights:
    """The weights that came with the program, read once."""
    return StrokeWeights(**tensors_from_bytes(weights_file().read_bytes()))
