"""Pixels for a web page: a scan in grey, doubt in its own colours, as WebP data URIs."""

import base64
import io

import numpy as np
from matplotlib import colormaps
from matplotlib.image import imsave

from cmcseg.core.card import InputSpec
from cmcseg.core.volume import Volume
from cmcseg.report.slice_geometry import Lattice

DOUBT_COLOURS = "magma"  # perceptually even, dark where there is nothing to say


def display_limits(
    volume: Volume, spec: InputSpec, box: np.ndarray | None = None
) -> tuple[float, float]:
    """Black and white of a scan: the card's window, else percentiles of what is not air.

    Args:
        volume: the scan.
        spec: what the card says about it.
        box: ``(2, 3)`` first and last voxel of the part that is looked at; all by default. Fat
            and coils outside of it would otherwise make it dark.
    """
    if spec.window is not None:
        return spec.window
    last = np.array(volume.grid.shape) - 1
    low, high = (np.zeros(3, dtype=int), last) if box is None else np.clip(box, 0, last)
    step = max(round((np.prod(high - low + 1) / 1_000_000) ** (1 / 3)), 1)
    sample = volume.array[tuple(slice(a, b + 1, step) for a, b in zip(low, high, strict=True))]
    sample = sample[np.isfinite(sample)]
    tissue = sample[sample > sample.min()] if sample.size else sample
    if tissue.size < 2:
        return 0.0, 1.0
    dark, bright = (float(v) for v in np.percentile(tissue, (1, 99)))
    return (dark, bright) if bright > dark else (dark, dark + 1)


def gray(volume: Volume, points: Lattice, limits: tuple[float, float]) -> np.ndarray:
    """A scan as ``(rows, columns)`` uint8; black outside of it."""
    values = np.nan_to_num(points.linear(volume.array), nan=limits[0])
    shades = np.clip((values - limits[0]) / (limits[1] - limits[0]), 0, 1)
    return np.where(points.inside, np.rint(shades * 255), 0).astype(np.uint8)


def with_doubt(shades: np.ndarray, doubt: np.ndarray) -> np.ndarray:
    """Doubt in its own colours over a scan.

    Args:
        shades: ``(rows, columns)`` uint8.
        doubt: the same shape, 0 to 1; below 0.05 it fades out, so that anatomy stays visible.

    Returns:
        ``(rows, columns, 3)`` uint8.
    """
    doubt = np.clip(np.nan_to_num(doubt), 0, 1)
    cover = np.clip((doubt - 0.02) / 0.08, 0, 1)[..., None] * 0.9
    colours = colormaps[DOUBT_COLOURS](doubt)[..., :3] * 255
    return np.rint(shades[..., None] * (1 - cover) + colours * cover).astype(np.uint8)


def doubt_scale(steps: int = 12) -> tuple[str, ...]:
    """The doubt's colours from 0 to 1 as ``#rrggbb``, for a legend."""
    colours = colormaps[DOUBT_COLOURS](np.linspace(0, 1, steps))[:, :3]
    return tuple("#" + "".join(f"{round(255 * c):02x}" for c in colour) for colour in colours)


def checkerboard(first: np.ndarray, second: np.ndarray, tile: int) -> np.ndarray:
    """Two pictures of one place in alternating squares of ``tile`` pixels."""
    rows, columns = np.indices(first.shape)
    return np.where((rows // tile + columns // tile) % 2 == 0, first, second)


def data_uri(pixels: np.ndarray) -> str:
    """Pixels, ``(rows, columns)`` or ``(rows, columns, 3)`` uint8, as an embedded WebP image."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    opaque = np.full((*pixels.shape[:2], 1), 255, dtype=np.uint8)
    buffer = io.BytesIO()
    imsave(
        buffer,
        np.concatenate([pixels, opaque], axis=2),
        format="webp",
        origin="upper",
        pil_kwargs={"quality": 84, "method": 2},  # the slower methods save a tenth
    )
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
