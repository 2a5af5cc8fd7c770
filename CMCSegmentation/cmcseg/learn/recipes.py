"""What one step of each recipe learns from: named losses, each already multiplied by its weight.

supervised   L_sup on labelled windows.
paper        L_sup + L_CSC + L_CAC as Zhou et al. (MICCAI 2024) draw them; the unlabelled windows
             pass through the network with gradients, which the published code withholds.
best         paper, and an averaged teacher (Tarvainen and Valpola, *Mean teachers*, NeurIPS 2017)
             that labels plain windows for the student to find again in altered ones (Sohn et al.,
             *FixMatch*, NeurIPS 2020), and blocks of labelled windows pasted into unlabelled ones
             (one way of Bai et al., *Bidirectional Copy-Paste*, CVPR 2023).

Shapes: B batch, K classes, D H W voxels of a window.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cmcseg.core.labelmap import UNANNOTATED
from cmcseg.core.settings import TrainSettings
from cmcseg.data.batches import Batch
from cmcseg.losses.anatomical_contrast import overlap_contrast, prototype_contrast
from cmcseg.losses.overlap import overlap_loss
from cmcseg.losses.ramps import rise
from cmcseg.losses.semantic_consistency import semantic_consistency
from cmcseg.nets.collaborative_net import Output

PARTS = 1000  # the share of a run that is done, as whole numbers for the ramps
CSC_RISE = (0, 300)  # begins, and rises over so much of the run
CAC_RISE = (100, 300)  # after a supervised start
TEACHER_RISE = (100, 300)
SURE = 0.8  # probability from which the teacher is believed
TRUSTED = 0.5  # alignment confidence from which voxels may be compared


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """All that a recipe may use.

    Attributes:
        network: the student.
        teacher: the averaged network, in evaluation mode; None for recipes without one.
        labelled: labelled windows.
        unlabelled: windows without labels; None for recipes without any.
        roles: names of the modalities.
        share: how much of the run is done, 0 to 1.
        settings: weights.
    """

    network: nn.Module
    teacher: nn.Module | None
    labelled: Batch
    unlabelled: Batch | None
    roles: tuple[str, ...]
    share: float
    settings: TrainSettings


def supervised(step: Step) -> dict[str, Tensor]:
    """Dice and cross-entropy of every modality against its annotation."""
    batch = step.labelled
    outputs = step.network(batch.images, batch.trust_B)
    return {
        f"overlap {step.roles[m]}": _overlap(out.logits_BKDHW, batch.labels[m], batch.known[m])
        for m, out in outputs.items()
    }


def paper(step: Step) -> dict[str, Tensor]:
    """The supervised loss, and both unlabelled terms on windows of both modalities."""
    batch = step.unlabelled
    outputs = step.network(batch.images, batch.trust_B)
    return {**supervised(step), **_unlabelled(outputs, batch, step)}


def best(step: Step) -> dict[str, Tensor]:
    """The paper's terms, the teacher's labels on altered windows, and mixtures of both kinds."""
    batch = step.unlabelled
    outputs = step.network(batch.images, batch.trust_B)
    losses = {**supervised(step), **_unlabelled(outputs, batch, step)}
    names = [f"{kind} {role}" for kind in ("teacher", "mixed") for role in step.roles]
    weight = step.settings.teacher * _rise(step, TEACHER_RISE)
    if not weight:
        # Every step names the same losses, so that their columns in the log stay in line.
        return {**losses, **dict.fromkeys(names, outputs[0].logits_BKDHW.new_zeros(()))}
    said = _taught(step.teacher, batch)
    known_BK = torch.ones_like(batch.known[0])
    for m, out in outputs.items():
        loss = _overlap(out.logits_BKDHW, said[m], known_BK)
        losses[f"teacher {step.roles[m]}"] = weight * loss
    mixed = _mixed(step.labelled, batch, said)
    apart_B = torch.zeros_like(batch.trust_B)  # two subjects in one window have no partner
    for m, out in step.network(mixed.images, apart_B).items():
        loss = _overlap(out.logits_BKDHW, mixed.labels[m], mixed.known[m])
        losses[f"mixed {step.roles[m]}"] = weight * loss
    return losses


RECIPES: dict[str, Callable[[Step], dict[str, Tensor]]] = {
    "supervised": supervised,
    "paper": paper,
    "best": best,
}
UNLABELLED, TAUGHT = ("paper", "best"), ("best",)  # who needs what


def _unlabelled(outputs: dict[int, Output], batch: Batch, step: Step) -> dict[str, Tensor]:
    """L_CSC and both forms of L_CAC between the first two modalities.

    Voxels are compared (``agreement``) only where the windows show the same place. A network of
    one modality has nobody to agree with, and no such term.
    """
    if len(outputs) < 2:
        return {}
    a, b = outputs[0], outputs[1]
    csc = semantic_consistency(a.bottleneck_BCDHW, b.bottleneck_BCDHW)
    cac = prototype_contrast(a.decoded_BCDHW, a.logits_BKDHW, b.decoded_BCDHW, b.logits_BKDHW)
    trusted_B = batch.trust_B >= TRUSTED
    gap = torch.zeros_like(cac)
    if trusted_B.any():
        gap = overlap_contrast(a.logits_BKDHW[trusted_B], b.logits_BKDHW[trusted_B])
        gap = gap * trusted_B.float().mean()  # the mean over all cases, those at rest with 0
    return {
        "csc": step.settings.csc * _rise(step, CSC_RISE) * csc,
        "cac": step.settings.cac * _rise(step, CAC_RISE) * cac,
        "agreement": step.settings.cac * _rise(step, CAC_RISE) * gap,
    }


def _overlap(logits_BKDHW: Tensor, labels_BDHW: Tensor, known_BK: Tensor) -> Tensor:
    """``overlap_loss`` of every case by itself, averaged over the batch.

    So a case counts alike beside any neighbours, and processes may share a batch.
    """
    cases = zip(logits_BKDHW.split(1), labels_BDHW.split(1), known_BK.split(1), strict=True)
    return torch.stack([overlap_loss(*case) for case in cases]).mean()


@torch.no_grad()
def _taught(teacher: nn.Module, batch: Batch) -> dict[int, Tensor]:
    """The teacher's labels of plain windows ``(B, D, H, W)``, 255 where it is not sure."""
    outputs = teacher(batch.plain, batch.trust_B)
    labels = {}
    for m, out in outputs.items():
        sure_BDHW, label_BDHW = out.logits_BKDHW.float().softmax(dim=1).max(dim=1)
        labels[m] = label_BDHW.to(torch.uint8).masked_fill(sure_BDHW < SURE, UNANNOTATED)
    return labels


def _mixed(labelled: Batch, unlabelled: Batch, said: dict[int, Tensor]) -> Batch:
    """Unlabelled windows with a middle block of the labelled ones, about a third of the voxels.

    Organs that the labelled case's annotator did not draw are left out of the whole window.
    """
    images, labels = {}, {}
    for m, own in labelled.images.items():
        box = tuple(slice(round(0.15 * n), round(0.85 * n)) for n in own.shape[2:])
        images[m], labels[m] = unlabelled.images[m].clone(), said[m].clone()
        images[m][(..., *box)] = own[(..., *box)]
        labels[m][(..., *box)] = labelled.labels[m][(..., *box)]
    return Batch(
        images=images,
        plain=images,
        labels=labels,
        known=labelled.known,
        trust_B=unlabelled.trust_B,
        cases=(*labelled.cases, *unlabelled.cases),
    )


def _rise(step: Step, ramp: tuple[int, int]) -> float:
    return rise(int(step.share * PARTS), *ramp)
