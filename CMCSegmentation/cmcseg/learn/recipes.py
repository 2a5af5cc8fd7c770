"""What one step of each recipe learns from: named losses, each already multiplied by its weight.

The recipes::

  supervised  L_sup on labelled windows.
  paper       L_sup + L_CSC + L_CAC as Zhou et al. (MICCAI 2024) draw them; the unlabelled windows
              pass through the network with gradients, which the published code withholds.
  best        paper, and an averaged teacher (Tarvainen and Valpola, *Mean teachers*, NeurIPS 2017)
              that labels plain windows for the student to find again in altered ones (Sohn et al.,
              *FixMatch*, NeurIPS 2020), counted by how sure it is (Yu et al., *Uncertainty-aware
              self-ensembling*, MICCAI 2019, here by entropy), and blocks of labelled and unlabelled
              windows pasted into each other (Bai et al., *Bidirectional Copy-Paste*, CVPR 2023).

Shapes: B batch, K classes, D H W voxels of a window.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cmcseg.core.settings import TrainSettings
from cmcseg.data.batches import Batch
from cmcseg.learn.targets import drawn, mixed, taught
from cmcseg.losses.anatomical_contrast import overlap_contrast, prototype_contrast
from cmcseg.losses.ramps import rise
from cmcseg.losses.semantic_consistency import semantic_consistency
from cmcseg.nets.collaborative_net import Output

PARTS = 1000  # the share of a run that is done, as whole numbers for the ramps
CSC_RISE = (0, 300)  # begins, and rises over so much of the run
CAC_RISE = (100, 300)  # after a supervised start
TEACHER_RISE = (100, 300)
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
    targets = drawn(batch)
    outputs = step.network(batch.images, batch.trust_B)
    losses = {f"overlap {step.roles[m]}": targets[m].loss(out) for m, out in outputs.items()}
    # Every step names the same losses, so that their columns in the log stay in line.
    nothing = torch.zeros_like(batch.trust_B[0])
    return {f"overlap {role}": losses.get(f"overlap {role}", nothing) for role in step.roles}


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
    said = taught(step.teacher, batch)
    for m, out in outputs.items():
        losses[f"teacher {step.roles[m]}"] = weight * said[m].loss(out)
    apart_B = torch.zeros_like(batch.trust_B)  # two subjects in one window have no partner
    mixtures = mixed(step.labelled, batch, said)
    for role in step.roles:
        losses[f"mixed {role}"] = torch.zeros_like(batch.trust_B[0])
    for images, targets in mixtures:
        for m, out in step.network(images, apart_B).items():
            losses[f"mixed {step.roles[m]}"] += weight / len(mixtures) * targets[m].loss(out)
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


def _rise(step: Step, ramp: tuple[int, int]) -> float:
    return rise(int(step.share * PARTS), *ramp)
