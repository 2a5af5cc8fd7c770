"""A network whose scans share kernels, taken apart into one that does the same with its own."""

import re

from torch import Tensor

from cmcseg.nets.submodel import PER_MODALITY

SHARED = re.compile(r"(encoders|decoders)\.0\.(.*)")


def untied(weights: dict[str, Tensor], modalities: int) -> dict[str, Tensor]:
    """Weights for the same card with ``shared_kernels`` off; every output stays, to the bit.

    What one scan learns afterwards moves no other scan.

    Args:
        weights: of a network with shared kernels.
        modalities: how many scans it knows.
    """
    apart: dict[str, Tensor] = {}
    for key, value in weights.items():
        if not (place := SHARED.fullmatch(key)):
            apart[key] = value
            continue
        for m in range(modalities):
            seat = PER_MODALITY.search(place[2])
            if not seat or int(seat[2]) == m:
                own = PER_MODALITY.sub(r"\g<1>0", place[2])
                apart[f"{place[1]}.{m}.{own}"] = value.clone()
    return apart
