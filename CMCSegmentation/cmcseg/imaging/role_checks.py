"""Does a scan look like the role it was given? Doubts become warnings, never refusals."""

import re

import numpy as np

from cmcseg.core.card import InputSpec, ModelCard
from cmcseg.core.volume import Volume

# Air is -1000 HU and fat about -100 HU, so a CT has plenty of voxels below this, while MR
# scanners write no large negative numbers.
FAT_HU = -60.0
PLANES = 64  # across a scan that are enough to tell a CT by its air
# A label map holds one number for each organ, the scan of a patient hundreds.
MOST_LABELS = 16


def role_warnings(volumes: dict[str, Volume], card: ModelCard) -> list[str]:
    """One sentence per scan that looks like another modality than its role's."""
    return [
        sentence
        for role, volume in volumes.items()
        if (sentence := _warning(volume, card.input(role), len(card.inputs)))
    ]


def name_warnings(names: dict[str, str], card: ModelCard) -> list[str]:
    """One sentence per scan whose name speaks of another role of its modality, not of its own.

    Two MR sequences look alike, so that their names may be all that tells them apart; a CT and an
    MR are told apart by their values, see ``role_warnings``.

    Args:
        names: of the files or folders, by role.
        card: of the model; its roles and keywords are looked for as whole words.
    """
    hints = {spec.role: {spec.role, *map(str.lower, spec.keywords)} for spec in card.inputs}
    told = []
    for role, name in names.items():
        words = set(re.split(r"[^a-z0-9]+", name.lower()))
        own = card.input(role)
        others = [
            spec.title
            for spec in card.inputs
            if spec.role != role and spec.modality == own.modality and words & hints[spec.role]
        ]
        if others and not words & hints[role]:
            told.append(
                f"The scan given as {own.title} is called {name}, as if it were {others[0]}. "
                "Are the roles swapped?"
            )
    return told


def looks_like_ct(volume: Volume) -> bool:
    """Whether at least a twentieth of the voxels are darker than fat on a CT."""
    planes = volume.array[:, :, :: max(1, volume.array.shape[2] // PLANES)]
    return bool(np.count_nonzero(planes < FAT_HU) > planes.size / 20)


def looks_like_labels(volume: Volume) -> bool:
    """Whether the volume holds a handful of whole numbers only, as label maps do."""
    few = volume.array[::8, ::8, ::2]  # tells most scans at once
    return _is_handful(few) and _is_handful(volume.array)


def _is_handful(array: np.ndarray) -> bool:
    values = np.unique(array)
    return len(values) <= MOST_LABELS and bool((values == np.round(values)).all())


def _warning(volume: Volume, spec: InputSpec, roles: int) -> str:
    title, modality = spec.title, spec.modality
    question = "Are the roles swapped?" if roles > 1 else "Is it the right scan?"
    if looks_like_labels(volume):
        return (
            f"The scan given as {title} holds a handful of whole numbers only, as label maps do. "
            "Is it the scan itself?"
        )
    said = volume.facts.get("modality", "")
    if said in ("CT", "MR") and said != modality:
        return f"The scan given as {title} says it is {said}. {question}"
    if modality == "CT" and not looks_like_ct(volume):
        return (
            f"The scan given as {title} has hardly any negative values, as CT has for fat and "
            f"air. {question}"
        )
    if modality == "MR" and looks_like_ct(volume):
        return (
            f"The scan given as {title} has many strongly negative values, as CT has for fat "
            f"and air. {question}"
        )
    return ""
