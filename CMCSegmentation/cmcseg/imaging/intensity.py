"""From a scanner's numbers to numbers that the network has seen."""

import numpy as np

from cmcseg.core.card import InputSpec
from cmcseg.core.volume import Volume

CLIP = (-2.5, 4.0)  # standard deviations kept of a standardised scan


def normalise(volume: Volume, spec: InputSpec) -> np.ndarray:
    """Intensities as the model card asks for them.

    ``window``: the limits become -1 and 1, values beyond are cut.
    ``standardise``: mean 0 and deviation 1 over the body (all that is brighter than a tenth of
    the 99th percentile, so that the share of air in the field of view does not matter), cut to
    ``CLIP``.

    Returns:
        float32 of the volume's shape.
    """
    array = volume.array.astype(np.float32)
    if spec.intensity == "window":
        low, high = spec.window
        return np.clip((array - low) / (high - low) * 2 - 1, -1.0, 1.0)
    low, high = np.percentile(array, (0.5, 99.0))
    body = array[array > low + 0.1 * (high - low)]
    if body.size == 0:
        body = array
    inner = np.clip(body, None, np.percentile(body, 99.5))  # a few bright voxels do not count
    return np.clip((array - inner.mean()) / max(float(inner.std()), 1e-6), *CLIP)
