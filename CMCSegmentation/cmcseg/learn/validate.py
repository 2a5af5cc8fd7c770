"""Dice on the cached validation scans: quick, on the working grid, one scan at a time."""

import numpy as np
import torch
from torch import nn

from cmcseg.data.cache import Cache
from cmcseg.learn.scores import dice
from cmcseg.nets.tiles import sliding_window


def validate(network: nn.Module, cache: Cache, device: torch.device) -> dict[str, float]:
    """Mean Dice per role and organ of the single scans, on the working grid.

    Returns:
        ``{"ROLE ORGAN": mean Dice}``; an organ that no validation scan shows is left out.
    """
    results: dict[str, list[float]] = {}
    for m, role in enumerate(cache.card.roles):
        for scan in cache.of("validation", role):
            if scan.labels is None or not scan.dense:
                continue
            image = np.load(scan.image).astype(np.float32)
            found = sliding_window(network, {m: image}, cache.card, 0.0, device)[m].argmax(axis=0)
            truth = np.load(scan.labels)
            for label in cache.card.table:
                score = dice(found, truth, label.value)
                if scan.known[label.value] and not np.isnan(score):
                    results.setdefault(f"{role} {label.name}", []).append(score)
    return {key: float(np.mean(values)) for key, values in results.items()}
