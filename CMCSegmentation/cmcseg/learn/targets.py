"""What windows should be segmented as: by an annotator, by a teacher, or by a mixture of both.

Shapes: B batch, K classes, D H W voxels of a window.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cmcseg.data.batches import Batch
from cmcseg.losses.overlap import overlap_loss
from cmcseg.nets.collaborative_net import Output


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """What windows of one modality should be segmented as.

    Attributes:
        labels_BDHW: uint8, 255 not annotated.
        weight_BDHW: how much a voxel counts, 0 to 1.
        known_BK: which classes the annotator drew.
    """

    labels_BDHW: Tensor
    weight_BDHW: Tensor
    known_BK: Tensor

    def loss(self, output: Output) -> Tensor:
        """``overlap_loss`` of every case by itself, averaged over the batch.

        So a case counts alike beside any neighbours, and processes may share a batch.
        """
        columns = (output.logits_BKDHW, self.labels_BDHW, self.known_BK, self.weight_BDHW)
        cases = zip(*(column.split(1) for column in columns), strict=True)
        return torch.stack([overlap_loss(*case) for case in cases]).mean()


def drawn(batch: Batch) -> dict[int, Target]:
    """What the annotators drew; every voxel counts fully."""
    return {
        m: Target(
            labels_BDHW=labels,
            weight_BDHW=torch.ones_like(labels, dtype=torch.float32),
            known_BK=batch.known[m],
        )
        for m, labels in batch.labels.items()
    }


@torch.no_grad()
def taught(teacher: nn.Module, batch: Batch) -> dict[int, Target]:
    """The teacher's labels of plain windows, each voxel counting as much as the teacher is sure.

    sure = 1 - H(p) / log K: 1 where one class has all the probability, 0 where all have the same.
    """
    targets = {}
    for m, out in teacher(batch.plain, batch.trust_B).items():
        log_p_BKDHW = out.logits_BKDHW.float().log_softmax(dim=1)
        entropy_BDHW = -(log_p_BKDHW.exp() * log_p_BKDHW).sum(dim=1)
        targets[m] = Target(
            labels_BDHW=log_p_BKDHW.argmax(dim=1).to(torch.uint8),
            weight_BDHW=1 - entropy_BDHW / math.log(log_p_BKDHW.shape[1]),
            known_BK=torch.ones_like(batch.known[m]),
        )
    return targets


def mixed(
    labelled: Batch, unlabelled: Batch, said: dict[int, Target]
) -> list[tuple[dict[int, Tensor], dict[int, Target]]]:
    """Both ways of pasting the middle block of one window into the other.

    Organs that the labelled case's annotator did not draw are left out of the whole mixture.
    """
    truth = drawn(labelled)
    mixtures = []
    for inner, inside, outer, outside in (
        (labelled.images, truth, unlabelled.images, said),
        (unlabelled.images, said, labelled.images, truth),
    ):
        images = {m: _pasted(inner[m], outer[m]) for m in outer}
        targets = {
            m: Target(
                labels_BDHW=_pasted(inside[m].labels_BDHW, outside[m].labels_BDHW),
                weight_BDHW=_pasted(inside[m].weight_BDHW, outside[m].weight_BDHW),
                known_BK=labelled.known[m],
            )
            for m in outer
        }
        mixtures.append((images, targets))
    return mixtures


def _pasted(inner: Tensor, outer: Tensor) -> Tensor:
    """``outer`` with the middle block of ``inner``, about a third of the voxels."""
    box = tuple(slice(round(0.15 * n), round(0.85 * n)) for n in outer.shape[-3:])
    both = outer.clone()
    both[(..., *box)] = inner[(..., *box)]
    return both
