"""Does a scan look like the role it was given? Doubts become warnings, never refusals."""

import numpy as np

from cmcseg.core.card import ModelCard
from cmcseg.core.volume import Volume

# Air is -1000 HU and fat about -100 HU, so a CT has plenty of voxels below this, while MR
# scanners write no large negative numbers.
FAT_HU = -60.0


def role_warnings(volumes: dict[str, Volume], card: ModelCard) -> list[str]:
    """One sentence per scan that looks like another modality than its role's."""
    return [
        sentence
        for role, volume in volumes.items()
        if (sentence := _warning(volume, card.input(role).title, card.input(role).modality))
    ]


def looks_like_ct(volume: Volume) -> bool:
    """Whether at least a twentieth of the voxels are darker than fat on a CT."""
    return float(np.percentile(volume.array, 5)) < FAT_HU


def _warning(volume: Volume, title: str, modality: str) -> str:
    said = volume.facts.get("modality", "")
    if said in ("CT", "MR") and said != modality:
        return f"The scan given as {title} says it is {said}. Are the roles swapped?"
    if modality == "CT" and not looks_like_ct(volume):
        return (
            f"The scan given as {title} has hardly any negative values, as CT has for fat and "
            "air. Are the roles swapped?"
        )
    if modality == "MR" and looks_like_ct(volume):
        return (
            f"The scan given as {title} has many strongly negative values, as CT has for fat "
            "and air. Are the roles swapped?"
        )
    return ""
