"""What a model says about cached scans: to compare, to doubt corrections, and to rehearse."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cmcseg.core.card import ModelCard
from cmcseg.data.cache import CachedScan
from cmcseg.nets.domain_net import chosen
from cmcseg.nets.sliding_window import sliding_window


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """A model's answer on the working grid.

    Attributes:
        labels: ``(I, J, K)`` uint8.
        sureness: ``(I, J, K)`` float16, the probability of the label given.
    """

    labels: np.ndarray
    sureness: np.ndarray


def answer(network: nn.Module, card: ModelCard, scan: CachedScan, device: torch.device) -> Answer:
    """Segment one cached scan alone."""
    image = np.load(scan.image).astype(np.float32)
    index = card.roles.index(scan.role)
    network, _ = chosen(network, card, {scan.role: scan.traits} if scan.traits else {})
    p_KIJK = sliding_window(network, {index: image}, card, 0.0, device)[index]
    labels = p_KIJK.argmax(axis=0).astype(np.uint8)
    return Answer(labels=labels, sureness=p_KIJK.max(axis=0).astype(np.float16))
