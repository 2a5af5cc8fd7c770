"""A look at scans in a mirror: where it leaves less doubt, the header may mirror the patient.

Shapes: K classes, I J K' voxels of the working grid.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from cmcseg.bundle.load import Bundle
from cmcseg.core.anatomy import has_sides, is_unsure, spleen_is_larger
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelTable
from cmcseg.core.progress import Progress, Report
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.uncertainty import DOUBTFUL
from cmcseg.predict.oom_fallback import Found, probabilities


def mirror_look(
    scores: dict[str, np.ndarray], grid: Grid, table: LabelTable, look: Callable[[int], Found]
) -> dict[str, tuple[float, float]]:
    """Shares of what is found that are in doubt: as a scan lies, and mirrored.

    The network is asked again only where so much is in doubt that a mirror may be the reason, or
    where more spleen than liver was found.

    Args:
        scores: ``(K, I, J, K')`` class probabilities per role.
        grid: the working grid.
        table: the organs; without right and left among them a mirror shows nothing.
        look: asks the network about all scans, turned around along one axis of the grid.

    Returns:
        By role, for the scans that gave a reason to look; empty when there was none.
    """
    shares = {role: in_doubt(one) for role, one in scores.items()}
    odd = [role for role in scores if is_unsure(shares[role]) or _swapped(scores[role], table)]
    if not has_sides(table) or not odd:
        return {}
    try:
        mirrored = look(int(np.abs(grid.affine[0, :3]).argmax())).scores
    except (BadInput, MemoryError):  # too little memory for a second answer; the first one stays
        return {}
    return {role: (shares[role], in_doubt(mirrored[role])) for role in odd}


def looking(
    bundle: Bundle,
    images: dict[str, np.ndarray],
    seen: dict[str, np.ndarray],
    trust: float,
    device: torch.device,
    settings: SegmentSettings,
    report: Report,
) -> Callable[..., Found]:
    """What asks the network about scans, or about their mirror image along an axis.

    Args:
        bundle, images, seen, trust, device: as of ``probabilities``.
        settings: overlap, and what to do when memory runs out.
        report: told after every window.
    """

    def look(axis: int | None = None) -> Found:
        def turned(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            if axis is None:
                return arrays
            return {role: np.flip(array, axis).copy() for role, array in arrays.items()}

        def told(progress: Progress) -> None:
            stage = progress.stage if axis is None else "mirroring"
            report(replace(progress, stage=stage))

        return probabilities(
            bundle,
            turned(images),
            turned(seen),
            trust,
            device,
            settings.overlap,
            told,
            give_in=settings.out_of_memory == "smaller",
        )

    return look


def _swapped(scores: np.ndarray, table: LabelTable) -> bool:
    counts = np.bincount(scores.argmax(axis=0).ravel(), minlength=len(scores))
    return spleen_is_larger(table, counts.tolist())


def in_doubt(scores: np.ndarray) -> float:
    """The share of the voxels of organs that is doubtful; 0 when there are none.

    Args:
        scores: ``(K, I, J, K')`` class probabilities.
    """
    found = scores[:, scores.argmax(axis=0) > 0].astype(np.float32)
    if not found.size:
        return 0.0
    entropy = -(found * np.log(np.maximum(found, 1e-6))).sum(axis=0) / np.log(len(scores))
    return float((entropy > DOUBTFUL).mean())
