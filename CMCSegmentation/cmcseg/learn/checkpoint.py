"""The state of a run between two steps: tensors in safetensors, numbers in its JSON header.

Batches and losses depend on seed and step alone, so weights, moving average and the optimiser's
moments are all there is to keep.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from cmcseg.core.atomic_write import atomic_path
from cmcseg.core.errors import BadInput
from cmcseg.core.settings import TrainSettings

FILE = "checkpoint.safetensors"
GROWS = ("steps", "minutes")  # a run may be trained for longer than it was meant to be


@dataclass(kw_only=True, eq=False)
class TrainState:
    """Everything that changes from step to step; the one mutable noun of training.

    Attributes:
        network: the weights that the optimiser moves.
        average: their exponential moving average, by name; this is what ships.
        optimizer: over the network's parameters, always in the same order.
        step: updates done.
        spent: seconds trained so far, over all parts of an interrupted run.
        facts: what must be equal for a resume to make sense (settings, card).
    """

    network: nn.Module
    average: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    step: int
    facts: dict
    spent: float = 0.0


def save_checkpoint(state: TrainState, folder: Path) -> None:
    """Write ``checkpoint.safetensors``: whole under a temporary name, then renamed.

    Raises:
        BadInput: when the disk is full or not writable; the earlier checkpoint stays.
    """
    tensors = {f"network.{k}": v for k, v in state.network.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in state.average.items()}
    for index, parameter in enumerate(_parameters(state.optimizer)):
        for key, value in state.optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{index}.{key}"] = torch.as_tensor(value)
    tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    header = {"step": str(state.step), "spent": repr(state.spent)}
    header |= {"facts": json.dumps(state.facts, sort_keys=True)}
    sentence = "The checkpoint {path} could not be written: {why}."
    try:
        with atomic_path(folder / FILE, sentence) as draft:
            save_file(tensors, draft, metadata=header)
    except SafetensorError as error:
        raise BadInput(f"The checkpoint in {folder} could not be written: {error}.") from error


def load_checkpoint(state: TrainState, folder: Path) -> bool:
    """Continue where ``folder`` stopped; False when there is nothing to continue.

    Raises:
        BadInput: when the checkpoint is damaged or belongs to other settings.
    """
    path = folder / FILE
    if not path.exists():
        return False
    try:
        with safe_open(path, framework="pt") as handle:
            header = handle.metadata()
            tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise BadInput(f"The checkpoint {path} is damaged: {error}.") from error
    _refuse_other_run(json.loads(header["facts"]), state.facts, path)
    state.network.load_state_dict(_under("network.", tensors))
    device = next(state.network.parameters()).device
    state.average = {k: v.to(device) for k, v in _under("average.", tensors).items()}
    for index, parameter in enumerate(_parameters(state.optimizer)):
        moments = _under(f"optimizer.{index}.", tensors)
        if moments:
            state.optimizer.state[parameter] = {
                key: value if key == "step" else value.to(device) for key, value in moments.items()
            }
    state.step, state.spent = int(header["step"]), float(header.get("spent", 0.0))
    return True


def _refuse_other_run(found: dict, wanted: dict, path: Path) -> None:
    usual = asdict(TrainSettings())  # what an older program, which had no such setting, did
    for key in wanted:
        was = found.get(key, usual.get(key))
        if key in GROWS and None not in (was, wanted[key]) and was < wanted[key]:
            continue
        if was != wanted[key]:
            raise BadInput(
                f"{path.parent} holds a run with another {key} ({was!r}, now {wanted[key]!r}); "
                "give another folder or the same settings."
            )


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key[len(prefix) :]: v for key, v in tensors.items() if key.startswith(prefix)}
