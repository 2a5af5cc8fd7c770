"""Several processes that train one network together: started by ``torchrun``, led by Fabric.

Each process takes its share of every batch; gradients and losses are averaged over all of them,
so every process holds the same weights, and the first one alone writes files.
"""

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cmcseg.core.errors import BadInput
from cmcseg.data.batches import Batch
from cmcseg.nets.device import pick_device

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True, kw_only=True, eq=False)
class ProcessGroup:
    """The processes of a run; usually there is one.

    Attributes:
        device: where this process computes.
        fabric: speaks with the others; None when there is no other.
    """

    device: torch.device
    fabric: "Fabric | None" = None

    @property
    def count(self) -> int:
        """How many processes there are."""
        return self.fabric.world_size if self.fabric else 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks to the user."""
        return self.fabric is None or self.fabric.is_global_zero

    def share(self, batch: Batch) -> Batch:
        """This process's cases of a batch, on its device.

        Raises:
            BadInput: when the batch cannot be divided evenly.
        """
        if self.fabric is None:
            return batch.to(self.device)
        cases = len(batch.trust_B)
        if cases % self.count:
            raise BadInput(
                f"A batch of {cases} cannot be shared evenly by {self.count} processes; give "
                f"--batch {self.count} or a multiple of it."
            )
        return _rows(batch, slice(self.fabric.global_rank, None, self.count)).to(self.device)

    def mean(self, values: Tensor) -> Tensor:
        """The mean of every element over the processes."""
        return self.fabric.all_reduce(values, reduce_op="mean") if self.fabric else values

    def agree(self, number: float) -> float:
        """The mean of a number over the processes, so that all decide alike."""
        if self.fabric is None:
            return number
        return float(self.mean(torch.tensor(number, dtype=torch.float64, device=self.device)))

    def mean_gradients(self, network: nn.Module) -> None:
        """Replace every gradient by its mean over the processes, in one message."""
        if self.fabric is None:
            return
        weights = [p for p in network.parameters() if p.requires_grad]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in weights]
        flat = self.mean(torch.cat([part.flatten() for part in parts]))
        for weight, part in zip(weights, flat.split([p.numel() for p in weights]), strict=True):
            weight.grad = part.view_as(weight)


def gather(device: str = "auto") -> ProcessGroup:
    """The processes that ``torchrun`` started this process in, or this process alone.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; on CUDA each process takes a GPU of its own.

    Raises:
        BadInput: when there are several processes and Lightning Fabric is not installed.
    """
    if not torch.distributed.is_torchelastic_launched():
        return ProcessGroup(device=pick_device(device))
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise BadInput(
            "Training in several processes needs Lightning Fabric; install it with "
            "pip install 'cmcseg[multi]'."
        ) from error
    here = int(os.environ["LOCAL_WORLD_SIZE"])  # torchrun says so in no other way
    nodes = int(os.environ["WORLD_SIZE"]) // here
    kind = pick_device(device).type
    fabric = Fabric(accelerator=kind, devices=here, num_nodes=nodes, strategy="ddp")
    fabric.launch()
    return ProcessGroup(device=fabric.device, fabric=fabric)


def _rows(batch: Batch, rows: slice) -> Batch:
    def cut(by_modality: dict[int, Tensor]) -> dict[int, Tensor]:
        return {m: x[rows] for m, x in by_modality.items()}

    return replace(
        batch,
        images=cut(batch.images),
        plain=cut(batch.plain),
        labels=cut(batch.labels),
        known=cut(batch.known),
        trust_B=batch.trust_B[rows],
    )
