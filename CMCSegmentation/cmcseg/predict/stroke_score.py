"""The evidence around a stroke, added up: a first look at every voxel, a second at its company.

Shapes: X Y Z as in the evidence, F features, H hidden ones, N voxels.
"""

import numpy as np
import torch
from torch.nn.functional import avg_pool3d, leaky_relu

from cmcseg.predict.stroke_evidence import Evidence
from cmcseg.predict.stroke_weights import stroke_weights

AT_ONCE = (
    "model",
    "model beyond the stroke",
    "head",
    "head, smoothed",
    "unlike the stroke",
    "unlike beyond",
    "towards the region",
    "depth",
    "ball",
    "distance",
    "through",
    "same plane",
    "same label",
    "marked for",
    "marked against",
    "marked now",
    "length",
)
FIRST = "first look"
IN_COMPANY = (
    "model",
    "head, smoothed",
    "unlike beyond",
    "towards the region",
    "value",
    "in the region",
    "versus its label",
    FIRST,
    "head",
)
SLOPE = 0.1  # of a hidden feature below zero
MARGIN_MM = 6.0  # of company around voxels that may join
FAR = -9.0  # log odds of what cannot join


def score(evidence: Evidence) -> np.ndarray:
    """Log odds that a voxel belongs to the region; ``(X, Y, Z)``."""
    weights, part = stroke_weights(), _part(evidence)
    numbers = {name: values[part] for name, values in evidence.numbers.items()}
    features_FN = features(looked_at_once(numbers)).flatten(1)
    standard_FN = (features_FN - weights.mean[:, None]) / weights.spread[:, None]
    hidden_HN = weights.hidden.T @ standard_FN + weights.hidden_bias[:, None]
    odds_N = weights.out @ leaky_relu(hidden_HN, SLOPE) + weights.out_bias
    out = np.full(evidence.stroke.shape, FAR, dtype=np.float32)
    out[part] = odds_N.reshape(out[part].shape).numpy()
    return out


def looked_at_once(numbers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The evidence, and what the first look makes of every voxel alone."""
    weights = stroke_weights()
    each = zip(weights.first.numpy(), AT_ONCE, strict=True)
    odds = sum((weight * numbers[name] for weight, name in each), weights.first_bias.numpy())
    return {**numbers, FIRST: odds / 3}


def features(numbers: dict[str, np.ndarray]) -> torch.Tensor:
    """``(F, X, Y, Z)``: every number, and some as the means of nearer and farther voxels."""
    alone = torch.from_numpy(np.stack(list(numbers.values())))
    near = _mean(alone[[list(numbers).index(name) for name in IN_COMPANY]], (3, 3, 1))
    wide = _mean(near, (7, 7, 1))
    beside = [_mean(part, (1, 1, 3)) for part in (near, wide)]
    return torch.cat([alone, near, wide, *beside])


def _mean(numbers: torch.Tensor, size: tuple[int, int, int]) -> torch.Tensor:
    """Over boxes of voxels; beyond the border there is nothing."""
    half = tuple(n // 2 for n in size)
    return avg_pool3d(numbers[None], size, 1, half, count_include_pad=False)[0]


def _part(evidence: Evidence) -> tuple[slice, slice, slice]:
    """What the company of all that may join lies in."""
    flat = (evidence.may_join | evidence.stroke).any(axis=2)
    sides = []
    for axis, spacing in enumerate(evidence.spacing):
        there = np.flatnonzero(flat.any(axis=1 - axis))
        margin = int(MARGIN_MM / spacing)
        sides.append(slice(max(int(there[0]) - margin, 0), int(there[-1]) + 1 + margin))
    return sides[0], sides[1], slice(None)
