"""What a training costs on this machine, by trying one step."""

import time
from dataclasses import dataclass

import torch

from cmcseg.core.card import ModelCard
from cmcseg.nets.build import build_network
from cmcseg.nets.device import pick_device, reduced, training_type


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """One step of the recipe ``supervised``.

    Attributes:
        seconds: of a step.
        parameters: weights of the network.
        device: where it was tried.
    """

    seconds: float
    parameters: int
    device: str

    def minutes(self, steps: int) -> float:
        """Of a training of so many steps; ``best`` takes three to five times as long."""
        return steps * self.seconds / 60


def step_cost(card: ModelCard, device: str = "auto") -> StepCost:
    """Run one window of every role forward and back, once to warm up and once to measure."""
    place = pick_device(device)
    network = build_network(card).to(place)
    images = {m: torch.zeros(1, 1, *card.grid.window, device=place) for m in range(len(card.roles))}
    seconds = 0.0
    for _ in range(2):
        began = time.monotonic()
        with reduced(place, training_type(place)):
            outputs = network(images, torch.zeros(1, device=place))
            loss = sum(out.logits_BKDHW.float().square().mean() for out in outputs.values())
        loss.backward()
        if place.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.monotonic() - began
    count = sum(weight.numel() for weight in network.parameters())
    return StepCost(seconds=seconds, parameters=count, device=str(place))
