"""Dice on the cached validation scans: quick, on the working grid."""

import numpy as np
import torch
from torch import nn

from cmcseg.core.errors import BadInput
from cmcseg.data.cache import Cache, CachedScan
from cmcseg.data.transforms import Placement, place
from cmcseg.learn.scores import dice
from cmcseg.nets.tiles import sliding_window


def validate(
    network: nn.Module, cache: Cache, device: torch.device, *, apart_mm: float | None = None
) -> dict[str, float]:
    """Mean Dice per role and organ, on the working grid.

    Args:
        network: a ``CollaborativeNet`` in evaluation mode, on ``device``.
        cache: a prepared cohort.
        device: where to compute.
        apart_mm: None looks at every scan alone. A number looks at the pairs: every scan together
            with the other scans of its subject, which are displaced by so much, not registered,
            and fully trusted. 0 leaves them where their headers put them.

    Returns:
        ``{"ROLE ORGAN": mean Dice}``; an organ that no validation scan shows is left out.

    Raises:
        BadInput: when pairs are asked for and the cache has none to validate on.
    """
    results: dict[str, list[float]] = {}
    for m, role in enumerate(cache.card.roles):
        for scan in cache.of("validation", role):
            partners = {} if apart_mm is None else _partners(cache, scan, apart_mm)
            if scan.labels is None or not scan.dense or (apart_mm is not None and not partners):
                continue
            images = {m: np.load(scan.image).astype(np.float32), **partners}
            trust = 1.0 if partners else 0.0
            found = sliding_window(network, images, cache.card, trust, device)[m].argmax(axis=0)
            truth = np.load(scan.labels)
            for label in cache.card.table:
                score = dice(found, truth, label.value)
                if scan.known[label.value] and not np.isnan(score):
                    results.setdefault(f"{role} {label.name}", []).append(score)
    if apart_mm is not None and not results:
        raise BadInput(
            f"The cache {cache.folder} has no validation pair with several labelled scans, so no "
            "displacement can be tested; leave displacements out or add such pairs."
        )
    return {key: float(np.mean(values)) for key, values in results.items()}


def _partners(cache: Cache, scan: CachedScan, apart_mm: float) -> dict[int, np.ndarray]:
    """The subject's other scans by index, each moved in a direction that its subject decides."""
    images = {}
    for m, role in enumerate(cache.card.roles):
        for other in cache.of("validation", role):
            if other.pair == scan.pair and other.role != scan.role:
                rng = np.random.default_rng((m, *other.pair.encode()))
                images[m] = _moved(other, apart_mm, rng.normal(size=3))
    return images


def _moved(scan: CachedScan, distance_mm: float, way: np.ndarray) -> np.ndarray:
    """The image shifted on its grid, its smallest value where nothing was."""
    image = np.load(scan.image).astype(np.float32)
    shift = distance_mm * way / np.linalg.norm(way) / np.array(scan.grid.spacing)
    middle = (np.array(image.shape) - 1) / 2
    placement = Placement(center=middle + shift, matrix=np.eye(3), bumps=np.zeros((3, 1, 1, 1)))
    return place(torch.from_numpy(image), None, placement, image.shape)[0].numpy()
