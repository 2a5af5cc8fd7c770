"""How many pairs of windows a second training gets through, and what bounds it.

    python bench/training_speed.py --cache CACHE --steps 10

A pair is one window of each modality. Every step is taken apart: drawing the windows (data),
copying them to the device, the losses (forward), their gradients (backward), and the update
(optimiser, with the clipping of gradients and the moving average). Runs on the CPU and, where
there is one, on CUDA. The operators that take the most time are named after each table, since a
slow kernel is not seen in the sums.
"""

import argparse
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch
from cmcseg.core.settings import TrainSettings
from cmcseg.data.batches import labelled_batches, unlabelled_batches
from cmcseg.data.cache import open_cache
from cmcseg.learn.recipes import RECIPES, TAUGHT, UNLABELLED, Step
from cmcseg.nets.build import build_network
from torch.profiler import ProfilerActivity, profile

STAGES = ("data", "copy", "forward", "backward", "optimiser")
WARM = 2  # steps that are not counted: the first ones read files and choose kernels


class Trainer:
    """One step of training, told stage by stage."""

    def __init__(self, cache, settings, device):
        self.cache, self.settings, self.device = cache, settings, device
        torch.manual_seed(0)
        self.network = build_network(cache.card).to(device).train()
        self.teacher = build_network(cache.card).to(device).eval()
        self.average = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-4)
        self.labelled = labelled_batches(cache, settings)
        self.unlabelled = unlabelled_batches(cache, settings)

    def step(self, number):
        """Seconds per stage."""
        recipe = self.settings.recipe
        marks = [self.now()]
        batch = self.labelled[number]
        other = self.unlabelled[number] if recipe in UNLABELLED else None
        marks.append(self.now())
        batch, other = batch.to(self.device), other and other.to(self.device)
        marks.append(self.now())
        step = Step(
            network=self.network,
            teacher=self.teacher if recipe in TAUGHT else None,
            labelled=batch,
            unlabelled=other,
            roles=self.cache.card.roles,
            share=0.9,  # all ramps are up
            settings=self.settings,
        )
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            total = torch.stack(list(RECIPES[recipe](step).values())).sum()
        marks.append(self.now())
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        marks.append(self.now())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 12.0)
        self.optimizer.step()
        with torch.no_grad():
            for key, value in self.network.state_dict().items():
                self.average[key].lerp_(value, 0.01)
        marks.append(self.now())
        return [after - before for before, after in pairwise(marks)]

    def now(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.monotonic()


def measured(trainer, steps):
    """One line of the table: medians, since other programs disturb single steps."""
    times = torch.tensor([trainer.step(i) for i in range(WARM + steps)])[WARM:]
    middle = times.median(dim=0).values.tolist()
    batch, recipe = trainer.settings.batch, trainer.settings.recipe
    longest = STAGES[middle.index(max(middle))]
    shares = " | ".join(f"{1000 * seconds:.0f}" for seconds in middle)
    print(f"| {recipe} | {batch} | {batch / sum(middle):.2f} | {shares} | {longest} |", flush=True)


def dearest(trainer):
    """The operators that take the most time of their own in two steps."""
    on_cuda = trainer.device.type == "cuda"
    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_cuda
    with profile(activities=kinds) as found:
        for number in range(2):
            trainer.step(number)
    key = "self_device_time_total" if on_cuda else "self_cpu_time_total"
    rows = sorted(found.key_averages(), key=lambda row: -getattr(row, key))
    total = sum(getattr(row, key) for row in rows)
    return ", ".join(f"{row.key} {100 * getattr(row, key) / total:.0f} %" for row in rows[:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 2])
    options = parser.parse_args()
    cache = open_cache(options.cache)
    for name in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        device = torch.device(name)
        where = torch.cuda.get_device_name() if name == "cuda" else "CPU"
        window = " x ".join(map(str, cache.card.grid.window))
        print(f"\n{where}, {torch.get_num_threads()} thread(s), windows {window}, milliseconds:\n")
        print("| recipe | batch | pairs/s | " + " | ".join(STAGES) + " | longest |")
        print("|---" * (len(STAGES) + 4) + "|")
        notes = []
        for batch in options.batches:
            for recipe in options.recipes:
                settings = TrainSettings(recipe=recipe, batch=batch, labelled=0.2)
                trainer = Trainer(cache, replace(settings, steps=1000), device)
                measured(trainer, options.steps)
            notes.append(f"batch {batch}: {dearest(trainer)}")
        print("\n" + "\n".join(notes))


if __name__ == "__main__":
    main()
