"""Augmentation: chance is drawn once as a frozen value, then applied to images and labels alike.

There is no left-right flip: with it a liver would lie on the left, and the kidneys would have
to swap names. Shapes: D H W voxels of the window; a trailing 1 is the single channel.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cmcseg.core.labelmap import UNANNOTATED
from cmcseg.data.phantoms.phantom_kind import rotation

Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """Where a window lies in a cached scan.

    Attributes:
        center: middle of the window in voxels of the scan.
        matrix: 3 x 3, window voxels (from the middle) to scan voxels: rotation, scale, shear.
        bumps: ``(3, d, h, w)`` coarse displacement in scan voxels; a few control points.
    """

    center: np.ndarray
    matrix: np.ndarray
    bumps: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """How a scanner would have changed the intensities.

    Attributes:
        gain, offset: of the normalised intensities.
        gamma: exponent on the range of the window.
        noise: deviation of added noise.
        bias: ``(d, h, w)`` coarse logarithmic gain.
        coarse: factor by which each axis is thinned and interpolated again.
        curve: values that evenly spaced intensities are mapped to, or None.
        noise_seed: of the noise itself.
    """

    gain: float
    offset: float
    gamma: float
    noise: float
    bias: np.ndarray
    coarse: tuple[float, float, float]
    curve: np.ndarray | None
    noise_seed: int


def draw_placement(
    rng: Rng,
    center: np.ndarray,
    spacing: tuple[float, float, float],
    *,
    degrees: tuple[float, float, float] = (15.0, 15.0, 15.0),
    zoom: float = 0.2,
    bump_mm: float = 4.0,
    shift_mm: float = 0.0,
    strength: float = 1.0,
) -> Placement:
    """Chance for one window: turn, zoom and bend it, and move it by up to ``shift_mm``.

    ``degrees`` is the largest turn about each axis. ``strength`` scales zoom and bend.
    """
    mm = np.array(spacing)
    zoom, bump_mm = zoom * strength, bump_mm * strength
    turn = _rotation(np.radians(rng.uniform(-1, 1, size=3) * degrees))
    scale = np.exp(rng.uniform(-zoom, zoom) + rng.uniform(-zoom / 3, zoom / 3, size=3))
    matrix = np.diag(1 / mm) @ turn @ np.diag(scale) @ np.diag(mm)
    bend = rng.random() < 0.4
    bumps = rng.normal(size=(3, 4, 4, 4)) * (bump_mm if bend else 0.0) / mm[:, None, None, None]
    shift = rng.normal(size=3)
    shift *= shift_mm * rng.random() / np.linalg.norm(shift)
    return Placement(center=np.asarray(center) + shift / mm, matrix=matrix, bumps=bumps)


def draw_look(rng: Rng, *, foreign: bool = False, strength: float = 1.0) -> Look:
    """Chance for one window's intensities; ``foreign`` gives it the contrast of no scanner.

    ``strength`` scales how often anything is changed, but for the foreign contrast.
    """
    often = rng.random(size=6) / max(strength, 1e-9)
    coarse = np.where(rng.random(3) < 0.5, rng.uniform(1.0, 2.5, size=3), 1.0)
    knots = np.cumsum(rng.uniform(0.2, 1.8, size=8))
    knots = (knots - knots[0]) / (knots[-1] - knots[0]) * 2 - 1
    if foreign:
        knots = rng.uniform(-1.0, 1.0, size=8)
    return Look(
        gain=rng.uniform(0.75, 1.3) if often[0] < 0.6 else 1.0,
        offset=rng.uniform(-0.2, 0.2) if often[0] < 0.6 else 0.0,
        gamma=float(np.exp(rng.uniform(-0.35, 0.35))) if often[1] < 0.4 else 1.0,
        noise=rng.uniform(0.0, 0.15) if often[2] < 0.4 else 0.0,
        bias=rng.normal(size=(3, 3, 3)) * (0.25 if often[3] < 0.4 else 0.0),
        coarse=tuple(coarse.tolist()) if often[4] < 0.25 else (1.0, 1.0, 1.0),
        curve=knots if foreign or often[5] < 0.2 else None,
        noise_seed=int(rng.integers(2**31)),
    )


def known_placement(
    rng: Rng,
    center: np.ndarray,
    spacing: tuple[float, float, float],
    *,
    shift_mm: float,
    turn_degrees: float,
    bend_mm: float,
) -> Placement:
    """A window moved by exactly so much, in directions left to chance.

    Args:
        rng: chance.
        center: middle of the window before it moves, in voxels of the scan.
        spacing: of the scan, mm.
        shift_mm: length of the way.
        turn_degrees: angle about some axis through the middle.
        bend_mm: standard deviation of the displacement, along each axis, of the 4 x 4 x 4 control
            points between which the window is bent.
    """
    mm = np.array(spacing)
    way, axis = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    matrix = np.diag(1 / mm) @ rotation(axis, np.radians(turn_degrees)) @ np.diag(mm)
    bumps = rng.normal(size=(3, 4, 4, 4)) * bend_mm / mm[:, None, None, None]
    return Placement(center=np.asarray(center) + shift_mm * way / mm, matrix=matrix, bumps=bumps)


def place(
    image_IJK: Tensor, labels_IJK: Tensor | None, placement: Placement, window: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Cut the window out of a scan.

    Args:
        image_IJK: float, normalised; beyond its edge it goes on with its smallest value.
        labels_IJK: uint8, or None for a scan without labels.
        placement: where.
        window: shape of the result.

    Returns:
        Image ``(D, H, W)`` float32 and labels ``(D, H, W)`` uint8, not annotated beyond the edge.
    """
    where_1DHW3 = _sampling_grid(placement, tuple(image_IJK.shape), window)
    floor = image_IJK.min().float()
    image_DHW = functional.grid_sample(
        image_IJK.float()[None, None] - floor, where_1DHW3, align_corners=True
    )[0, 0]
    if labels_IJK is None:
        return image_DHW + floor, torch.full(tuple(window), UNANNOTATED, dtype=torch.uint8)
    # The border is 0 for grid_sample, so "not annotated" travels as 0 and class k as k + 1.
    raised = (labels_IJK + 1).float()  # uint8: 255 + 1 wraps to 0, as wanted
    labels_DHW = functional.grid_sample(
        raised[None, None], where_1DHW3, mode="nearest", align_corners=True
    )[0, 0]
    return image_DHW + floor, (labels_DHW.to(torch.uint8) - 1)


def relight(image_DHW: Tensor, look: Look) -> Tensor:
    """Apply a drawn look to a normalised window; the shape stays."""
    x = _thinned(image_DHW, look.coarse)
    if look.curve is not None:
        x = _mapped(x, look.curve)
    if look.gamma != 1.0:
        low, high = x.min(), x.max()
        x = ((x - low) / (high - low + 1e-6)) ** look.gamma * (high - low) + low
    if np.any(look.bias):
        low = x.min()
        field = _upsampled(torch.from_numpy(look.bias).float()[None], tuple(x.shape))[0]
        x = (x - low) * field.exp() + low
    x = x * look.gain + look.offset
    if look.noise > 0:
        chance = torch.Generator().manual_seed(look.noise_seed)
        x = x + look.noise * torch.randn(x.shape, generator=chance)
    return x


def _sampling_grid(placement: Placement, shape: tuple[int, ...], window: tuple[int, ...]) -> Tensor:
    """Positions of the window's voxels for ``grid_sample``: last axis first, -1 to 1."""
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in window]
    matrix = torch.from_numpy(placement.matrix).float()
    center = torch.from_numpy(np.asarray(placement.center)).float()
    bent = np.any(placement.bumps)
    bumps = _upsampled(torch.from_numpy(placement.bumps).float(), tuple(window)) if bent else None
    positions = []
    for row in range(3):
        x = (
            matrix[row, 0] * axes[0][:, None, None]
            + matrix[row, 1] * axes[1][None, :, None]
            + matrix[row, 2] * axes[2][None, None, :]
            + center[row]
        )
        if bumps is not None:
            x = x + bumps[row]
        positions.append(x * (2 / max(shape[row] - 1, 1)) - 1)
    return torch.stack(positions[::-1], dim=-1)[None]


def _upsampled(coarse_Cdhw: Tensor, window: tuple[int, ...]) -> Tensor:
    return functional.interpolate(
        coarse_Cdhw[None], size=window, mode="trilinear", align_corners=True
    )[0]


def _thinned(x_DHW: Tensor, factors: tuple[float, float, float]) -> Tensor:
    if factors == (1.0, 1.0, 1.0):
        return x_DHW
    size = tuple(max(2, round(n / f)) for n, f in zip(x_DHW.shape, factors, strict=True))
    few = functional.interpolate(x_DHW[None, None], size=size, mode="trilinear")
    return functional.interpolate(few, size=tuple(x_DHW.shape), mode="trilinear")[0, 0]


def _mapped(x_DHW: Tensor, curve: np.ndarray) -> Tensor:
    """Piecewise linear map of the window's own range through evenly spaced knots."""
    low, high = x_DHW.min(), x_DHW.max()
    t = (x_DHW - low) / (high - low + 1e-6) * (len(curve) - 1)
    left = t.floor().clamp(0, len(curve) - 2).long()
    knots = torch.from_numpy(curve).float()
    y = torch.lerp(knots[left], knots[left + 1], t - left)
    return y * (high - low) / 2 + (high + low) / 2


def _rotation(angles: np.ndarray) -> np.ndarray:
    """Rotation by angles (radians) about the three axes, the first one applied last."""
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = [i for i in range(3) if i != axis]
        step = np.eye(3)
        step[a, a] = step[b, b] = np.cos(angle)
        step[a, b], step[b, a] = -np.sin(angle), np.sin(angle)
        turn = turn @ step
    return turn
