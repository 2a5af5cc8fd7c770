"""The only loop: step, update, average, check; read it from top to bottom."""

import csv
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.errors import BadInput, CMCSegError
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.core.settings import TrainSettings
from cmcseg.data.batches import Batch, Batches, labelled_batches, unlabelled_batches
from cmcseg.data.cache import Cache
from cmcseg.learn.checkpoint import TrainState, load_checkpoint, save_checkpoint
from cmcseg.learn.distributed import ProcessGroup
from cmcseg.learn.muon import Muon
from cmcseg.learn.recipes import RECIPES, TAUGHT, UNLABELLED, Step
from cmcseg.learn.validate import validate
from cmcseg.nets.build import build_network
from cmcseg.nets.device import pick_device, reduced, training_type

OPTIMIZERS = {"adamw": torch.optim.AdamW, "muon": Muon}
Validated = Callable[[TrainState, dict[str, float]], None]
LOSSES = "losses.csv"
SCORES = "scores.csv"
INTERVALS = ("check_every", "check_minutes", "validate_every", "validate_minutes")
# Settings that may differ between the two halves of an interrupted run.
FREE = ("device", "workers", *INTERVALS)


def fit(
    cache: Cache,
    settings: TrainSettings,
    folder: Path,
    *,
    initial: dict[str, Tensor] | None = None,
    validate_every: int | None = None,
    report: Report = ignore,
    checked: Callable[[Path], None] = lambda folder: None,  # noqa: ARG005
    validated: Validated = lambda state, scores: None,  # noqa: ARG005
    processes: ProcessGroup | None = None,
) -> TrainState:
    """Train, or go on training, until the steps are done or the time is used up.

    ``folder`` receives the checkpoint, ``losses.csv`` (one row a step) and ``scores.csv``
    (validation Dice of the averaged weights). Of several processes the first one writes them, and
    all return the same state.

    Args:
        cache: a prepared cohort.
        settings: how to train.
        folder: of this run; a checkpoint in it is continued.
        initial: weights to start from instead of random ones.
        validate_every: in place of the settings' own.
        report: told after every step.
        checked: told after every checkpoint, to draw a plot, say.
        validated: told after every look at the validation cases, to keep the best weights, say.
        processes: the processes that share every batch; this one alone when left out.

    Raises:
        BadInput: when the cache lacks labelled scans, the folder holds another run, or the batch
            cannot be shared by the processes.
        CMCSegError: when a loss is no longer finite; the last good checkpoint stays.
    """
    processes = processes or ProcessGroup(device=pick_device(settings.device))
    state = _start(cache, settings, processes.device, initial)
    load_checkpoint(state, folder)
    if processes.first:
        _forget_rows_after(folder / LOSSES, state.step)
        _forget_rows_after(folder / SCORES, state.step)
    every = settings.validate_every if validate_every is None else validate_every
    check_due = _Due(settings.check_every, settings.check_minutes)
    look_due = _Due(every, settings.validate_minutes)
    batches = _Steps(
        labelled_batches(cache, settings),
        unlabelled_batches(cache, settings) if settings.recipe in UNLABELLED else None,
    )
    teacher = averaged(state, cache) if settings.recipe in TAUGHT else None
    folder.mkdir(parents=True, exist_ok=True)
    started, first, before = time.monotonic(), state.step, state.spent
    if _share(state, settings) >= 1:
        return state
    for batch, other in _from_step(batches, state.step, settings.workers):
        if teacher is not None:
            teacher.load_state_dict(state.average)
        losses = _update(
            state,
            Step(
                network=state.network,
                teacher=teacher,
                labelled=processes.share(batch),
                unlabelled=other and processes.share(other),
                roles=cache.card.roles,
                share=_share(state, settings),
                settings=settings,
            ),
            processes,
        )
        state.step += 1
        state.spent = before + processes.agree(time.monotonic() - started)
        done = _share(state, settings) >= 1
        if processes.first:
            _write_row(folder / LOSSES, {"step": state.step, **losses})
            pace = (state.spent - before) / (state.step - first)
            report(_progress(state, settings, losses, pace))
            if look_due(state.step) or done:
                scores = validate(averaged(state, cache), cache, processes.device)
                _write_row(folder / SCORES, {"step": state.step, **scores})
                validated(state, scores)
            if check_due(state.step) or done:
                save_checkpoint(state, folder)
                checked(folder)
        if done:
            break
    return state


def averaged(state: TrainState, cache: Cache) -> nn.Module:
    """A network in evaluation mode that holds the averaged weights."""
    network = build_network(cache.card)
    network.load_state_dict(state.average)
    return network.to(next(state.network.parameters()).device).eval()


def _start(
    cache: Cache, settings: TrainSettings, device: torch.device, initial: dict | None
) -> TrainState:
    torch.manual_seed(settings.seed)
    network = build_network(cache.card)
    if initial is not None:
        try:
            network.load_state_dict(initial)
        except RuntimeError as error:
            raise BadInput(
                "The weights to start from belong to another network than the cache's card "
                f"({cache.card.name}); start from a model of the same make."
            ) from error
    network = network.to(device).train()
    for name, weight in network.named_parameters():
        weight.requires_grad_(settings.moves == "all" or not name.startswith("fusion."))
    facts = {k: v for k, v in asdict(settings).items() if k not in FREE}
    return TrainState(
        network=network,
        average={k: v.detach().clone() for k, v in network.state_dict().items()},
        optimizer=OPTIMIZERS[settings.optimizer](
            network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay
        ),
        step=0,
        facts={
            "model": cache.card.name,
            "network": json.dumps(asdict(cache.card.network)),
            **facts,
        },
    )


class _Due:
    """Whether it is time again: after so many steps, or so many minutes, whichever comes first."""

    def __init__(self, steps: int, minutes: float | None) -> None:
        self.steps, self.seconds = steps, math.inf if minutes is None else 60 * minutes
        self.last = time.monotonic()

    def __call__(self, step: int) -> bool:
        late = time.monotonic() - self.last >= self.seconds
        due = late or bool(self.steps and step % self.steps == 0)
        if due:
            self.last = time.monotonic()
        return due


class _Steps(Dataset):
    """Step number to a labelled batch and, where the recipe wants one, an unlabelled one."""

    def __init__(self, labelled: Batches, unlabelled: Batches | None) -> None:
        self.labelled, self.unlabelled = labelled, unlabelled

    def __len__(self) -> int:
        return len(self.labelled)

    def __getitem__(self, step: int) -> tuple[Batch, Batch | None]:
        return self.labelled[step], self.unlabelled and self.unlabelled[step]


def _from_step(batches: _Steps, step: int, workers: int) -> DataLoader:
    rest = Subset(batches, range(step, len(batches)))
    return DataLoader(rest, batch_size=None, num_workers=workers, persistent_workers=workers > 0)


def _update(state: TrainState, step: Step, processes: ProcessGroup) -> dict[str, float]:
    settings = step.settings
    for group in state.optimizer.param_groups:
        group["lr"] = _rate(state, settings)
    device = step.labelled.trust_B.device
    with reduced(device, training_type(device)):
        losses = RECIPES[settings.recipe](step)
    parts = torch.stack(list(losses.values()))
    state.optimizer.zero_grad(set_to_none=True)
    parts.sum().backward()
    parts = processes.mean(parts.detach())
    processes.mean_gradients(state.network)
    norm = nn.utils.clip_grad_norm_(state.network.parameters(), 12.0)
    # A finite loss may have a gradient that is not, and one such update ruins all weights.
    if not (torch.isfinite(parts).all() and torch.isfinite(norm)):
        batches = (step.labelled, step.unlabelled)
        cases = ", ".join(case for batch in batches if batch for case in batch.cases)
        raise CMCSegError(
            f"The loss is no longer a number at step {state.step + 1} ({cases}); the last "
            "checkpoint is kept. A lower learning rate usually helps."
        )
    state.optimizer.step()
    _average(state, settings.average)
    values = dict(zip(losses, parts.tolist(), strict=True))
    return {**values, "gradient": float(norm)}


def _share(state: TrainState, settings: TrainSettings) -> float:
    """How much of the run is done: of its steps or of its time, whichever is more."""
    steps = state.step / settings.steps
    return steps if settings.minutes is None else max(steps, state.spent / (60 * settings.minutes))


def _rate(state: TrainState, settings: TrainSettings) -> float:
    """Linear rise, then the polynomial decay (1 - t)^0.9 of Chen et al., DeepLab, 2017."""
    rise = min(1.0, (state.step + 1) / max(settings.warmup, 1))
    return settings.rate * rise * max(0.0, 1 - _share(state, settings)) ** 0.9


def _average(state: TrainState, decay: float) -> None:
    """Exponential moving average, quicker at the start so that early weights are forgotten."""
    keep = min(decay, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        for key, value in state.network.state_dict().items():
            state.average[key].lerp_(value, 1 - keep)


def _progress(
    state: TrainState, settings: TrainSettings, losses: dict[str, float], pace: float
) -> Progress:
    shown = ", ".join(f"{k} {v:.3f}" for k, v in losses.items() if k != "gradient")
    share = min(1.0, _share(state, settings))
    return Progress(
        stage=f"step {state.step}: {shown}, {pace:.2f} s a step",
        done=share,
        total=1.0,
        measures={k: v for k, v in losses.items() if k != "gradient"},
    )


def _write_row(path: Path, row: dict[str, float]) -> None:
    values = {k: v if k == "step" or math.isnan(v) else f"{v:.6g}" for k, v in row.items()}
    try:
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, fieldnames=list(row))
            if new:
                writer.writeheader()
            writer.writerow(values)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written: {error.strerror}. The last checkpoint is kept; make room "
            "and start the same command again."
        ) from error


def _forget_rows_after(path: Path, step: int) -> None:
    """Rows that a killed run wrote after its last checkpoint will be written again."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [
        line
        for line in lines[1:]
        if line.split(",")[0].isdigit() and int(line.split(",")[0]) <= step
    ]
    write_whole(path, "\n".join([*lines[:1], *kept]) + "\n")
