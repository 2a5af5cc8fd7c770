"""What one step learns from: named losses, so that every term can be logged and switched off."""

from torch import Tensor, nn

from cmcseg.data.batches import Batch
from cmcseg.losses.overlap import overlap_loss


def supervised_step(network: nn.Module, batch: Batch, roles: tuple[str, ...]) -> dict[str, Tensor]:
    """Dice and cross-entropy of every modality against its annotation.

    Args:
        network: a ``CollaborativeNet``.
        batch: labelled windows.
        roles: names of the modalities, for the losses' names.

    Returns:
        ``{"overlap ROLE": scalar}`` per modality.
    """
    outputs = network(batch.images, batch.trust_B)
    return {
        f"overlap {roles[m]}": overlap_loss(out.logits_BKDHW, batch.labels[m], batch.known[m])
        for m, out in outputs.items()
    }
