"""From one stroke to a proposal: the border as the stroke, the model and the scan suggest it."""

import numpy as np

from cmcseg.core.mark import Mark
from cmcseg.imaging.components import touching
from cmcseg.imaging.planes import smooth_in_plane
from cmcseg.predict.scan_memory import Box, ScanMemory
from cmcseg.predict.stroke_evidence import Evidence, weigh
from cmcseg.predict.stroke_score import score

SMOOTH = 0.7  # voxels in the plane
SURE = 6.0  # a voxel alone does not outvote its neighbours by more
RARER, RAREST = 0.125, 0.5  # log odds that a mark takes from the next ones: less is wrong by then


def propose(
    memory: ScanMemory, labels: np.ndarray, box: Box, mark: Mark, earlier: tuple[Mark, ...] = ()
) -> np.ndarray:
    """The present result, corrected as one stroke says.

    The stroke's voxels always become what it says, and those of earlier marks stay what they are.
    What changes is connected with the stroke, or the same border not far from it; and changes in
    the stroke's sense only: the organ grows, or it shrinks. An organ that the stroke does not touch
    gives up nothing.

    Args:
        memory: what the model saw of the scan.
        labels: uint8, the present result within ``box``.
        box: ``mark.box`` of the scan's grid.
        mark: the stroke.
        earlier: marks that hold already, oldest first.

    Returns:
        uint8 of the box's shape.
    """
    evidence = weigh(memory, labels, box, mark, earlier)
    marked = sum(other.value == mark.value for other in earlier)
    joins = decide(evidence, score(evidence) - min(RARER * marked, RAREST))
    normal = mark.normal(memory.grid)
    joins = np.moveaxis(joins, 2, normal)
    out = labels.copy()
    if mark.is_organ:
        out[joins] = mark.value
    else:
        left = joins & (labels == mark.value)
        p_KN = memory.probabilities_in(box)[:, left]
        p_KN[mark.value] = -1
        for other in earlier:
            if not other.is_organ and other.value != mark.value:
                p_KN[other.value, _mask_of(other, box)[left]] = -1
        out[left] = p_KN.argmax(axis=0)
    return out


def decide(evidence: Evidence, log_odds: np.ndarray) -> np.ndarray:
    """Which voxels join the region; bool ``(X, Y, Z)``, the stroke's own among them."""
    inside = evidence.numbers["depth"] < 0
    calm = np.clip(log_odds, -SURE, SURE)
    calm = np.where(inside, np.maximum(calm, 2), calm)
    likely = (smooth_in_plane(calm, SMOOTH) > 0) & evidence.may_join
    grown = touching(likely | evidence.region | evidence.stroke, evidence.region | evidence.stroke)
    return grown & ~evidence.region | evidence.stroke


def _mask_of(mark: Mark, box: Box) -> np.ndarray:
    mask = np.zeros([part.stop - part.start for part in box], dtype=bool)
    mask[tuple(mark.within(box).T)] = True
    return mask
