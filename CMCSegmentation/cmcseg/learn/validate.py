"""Dice on the cached validation scans: quick, on the working grid."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cmcseg.core.errors import BadInput
from cmcseg.data.cache import Cache, CachedScan
from cmcseg.data.transforms import known_placement, place
from cmcseg.learn.scores import dice
from cmcseg.nets.sliding_window import sliding_window


@dataclass(frozen=True, kw_only=True)
class Displacement:
    """How far a scan's partners are moved from where their headers put them.

    Attributes:
        shift_mm: length of the way; its direction is the subject's own.
        turn_degrees: angle about an axis through the middle of the scan, the subject's own too.
        bend_mm: standard deviation of the control points' displacement along each axis.
    """

    shift_mm: float = 0.0
    turn_degrees: float = 0.0
    bend_mm: float = 0.0


def validate(
    network: nn.Module,
    cache: Cache,
    device: torch.device,
    *,
    together: Displacement | None = None,
) -> dict[str, float]:
    """Mean Dice per role and organ, on the working grid.

    Args:
        network: a ``CollaborativeNet`` in evaluation mode, on ``device``.
        cache: a prepared cohort.
        device: where to compute.
        together: None looks at every scan alone. Otherwise at the pairs: every scan together with
            the other scans of its subject, which are displaced by so much, not registered, and
            fully trusted.

    Returns:
        ``{"ROLE ORGAN": mean Dice}``; an organ that no validation scan shows is left out.

    Raises:
        BadInput: when pairs are asked for and the cache has none to validate on.
    """
    results: dict[str, list[float]] = {}
    for m, role in enumerate(cache.card.roles):
        for scan in cache.of("validation", role):
            partners = _partners(cache, scan, together) if together else {}
            if scan.labels is None or not scan.dense or (together and not partners):
                continue
            images = {m: np.load(scan.image).astype(np.float32), **partners}
            trust = 1.0 if partners else 0.0
            found = sliding_window(network, images, cache.card, trust, device)[m].argmax(axis=0)
            truth = np.load(scan.labels)
            for label in cache.card.table:
                score = dice(found, truth, label.value)
                if scan.known[label.value] and not np.isnan(score):
                    results.setdefault(f"{role} {label.name}", []).append(score)
    if together and not results:
        raise BadInput(
            f"The cache {cache.folder} has no validation pair with several labelled scans, so no "
            "displacement can be tested; leave displacements out or add such pairs."
        )
    return {key: float(np.mean(values)) for key, values in results.items()}


def _partners(cache: Cache, scan: CachedScan, apart: Displacement) -> dict[int, np.ndarray]:
    """The subject's other scans by index, each moved in a direction that its subject decides."""
    images = {}
    for m, role in enumerate(cache.card.roles):
        for other in cache.of("validation", role):
            if other.pair == scan.pair and other.role != scan.role:
                rng = np.random.default_rng((m, *other.pair.encode()))
                images[m] = _moved(other, apart, rng)
    return images


def _moved(scan: CachedScan, apart: Displacement, rng: np.random.Generator) -> np.ndarray:
    """The image displaced on its grid, its smallest value where nothing was."""
    image = torch.from_numpy(np.load(scan.image).astype(np.float32))
    middle = (np.array(image.shape) - 1) / 2
    placement = known_placement(
        rng,
        middle,
        scan.grid.spacing,
        shift_mm=apart.shift_mm,
        turn_degrees=apart.turn_degrees,
        bend_mm=apart.bend_mm,
    )
    return place(image, None, placement, tuple(image.shape))[0].numpy()
