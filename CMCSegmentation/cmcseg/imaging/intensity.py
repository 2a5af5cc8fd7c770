"""From a scanner's numbers to numbers that the network has seen."""

from collections.abc import Callable

import numpy as np

from cmcseg.core.card import InputSpec
from cmcseg.core.volume import Volume

Normaliser = Callable[[np.ndarray], np.ndarray]  # of any part of one scan, float32
CLIP = (-2.5, 4.0)  # standard deviations kept of a standardised scan


def normalise(volume: Volume, spec: InputSpec) -> np.ndarray:
    """All intensities of a scan as ``normaliser`` makes them; float32 of the volume's shape."""
    return normaliser(volume, spec)(volume.array)


def normaliser(volume: Volume, spec: InputSpec) -> Normaliser:
    """Makes float32 intensities as the model card asks for them, of any part of a scan.

    ``window``: the limits become -1 and 1, values beyond are cut.
    ``standardise``: mean 0 and deviation 1 over the body (all that is brighter than a tenth of
    the 99th percentile, so that the share of air in the field of view does not matter), cut to
    ``CLIP``; what is brighter than the card's ``brightest`` is cut to that before. What the body
    holds is measured here, once.
    """
    if spec.intensity == "window":
        return lambda part: _windowed(part, *spec.window)
    return _standardiser(volume.array.astype(np.float32), spec.brightest)


def _windowed(part: np.ndarray, low: float, high: float) -> np.ndarray:
    """In one piece of memory, which for a few planes stays in the processor's cache."""
    out = part.astype(np.float32)
    out -= low
    out *= 2 / (high - low)
    out -= 1
    return np.clip(out, -1.0, 1.0, out=out)


def standardise(array: np.ndarray, brightest: float | None = None) -> np.ndarray:
    """The rule ``standardise`` for numbers of any shape; float32."""
    array = array.astype(np.float32)
    return _standardiser(array, brightest)(array)


def _standardiser(array: np.ndarray, brightest: float | None) -> Normaliser:
    limit = np.float32(np.inf)
    if brightest is not None:
        low = np.percentile(array, 0.5)
        # Fluid may fill more than a hundredth of the scan, hardly ever a twentieth.
        limit = low + brightest * (np.percentile(_body(array, 95.0), 75) - low)
        array = np.minimum(array, limit)
    body = _body(array)
    inner = np.clip(body, None, np.percentile(body, 99.5))  # a few bright voxels do not count
    mean, spread = inner.mean(), max(float(inner.std()), 1e-6)
    return lambda part: np.clip((np.minimum(part.astype(np.float32), limit) - mean) / spread, *CLIP)


def _body(array: np.ndarray, top: float = 99.0) -> np.ndarray:
    """The values above a tenth of the range up to the percentile ``top``."""
    low, high = np.percentile(array, (0.5, top))
    body = array[array > low + 0.1 * (high - low)]
    return body if body.size else array
