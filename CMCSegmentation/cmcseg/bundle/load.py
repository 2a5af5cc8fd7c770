"""From a model's folder to a network that is ready to look at scans."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from torch import Tensor, nn

from cmcseg.bundle.folders import recover
from cmcseg.bundle.quantize import SCALE, dequantized, scale_keys
from cmcseg.bundle.verify import WEIGHTS, read_folder, verify
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.nets.build import build_network
from cmcseg.nets.device import pick_device


@dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """A model in memory.

    Attributes:
        card: what it promises.
        network: in evaluation mode, float32.
        folder: where it was loaded from.
    """

    card: ModelCard
    network: nn.Module
    folder: Path


def load_bundle(folder: Path, device: str | torch.device = "cpu") -> Bundle:
    """Read a model and check everything it promises, every time.

    Args:
        folder: of the model.
        device: where the network goes; a name that ``pick_device`` knows.

    Raises:
        BadInput: when a file is missing, altered or damaged, or weights and card do not fit each
            other.
    """
    folder = Path(folder)
    place = pick_device(str(device))
    recover(folder)
    files = read_folder(folder)
    card = verify(files, str(folder))
    network = network_from(card, files[WEIGHTS], str(folder))
    return Bundle(card=card, network=network.to(place), folder=folder)


def network_from(card: ModelCard, weights: bytes, where: str) -> nn.Module:
    """The card's network with these weights, in evaluation mode, float32, on the CPU.

    The network is first built without memory, so a card that asks for a giant is refused before
    it takes any.

    Args:
        card: says how the network is built.
        weights: the content of a ``.safetensors`` file.
        where: what the errors call the model.

    Raises:
        BadInput: when the weights cannot be read, are not finite, or are not exactly those of the
            card's network.
    """
    try:
        stored = tensors_from_bytes(weights)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{WEIGHTS} in {where} cannot be read: {error}.") from error
    network = network_without_memory(card, where)
    _check_shapes(stored, network.state_dict(), where)
    try:
        state = dequantized(stored)
    except ValueError as error:
        raise BadInput(f"{WEIGHTS} in {where} cannot be read: {error}.") from error
    network.load_state_dict({k: _full_precision(v) for k, v in state.items()}, assign=True)
    if broken := [key for key, value in network.state_dict().items() if not _is_finite(value)]:
        raise BadInput(f"The weights {broken[0]} in {where} are not finite; get the model again.")
    return network.eval()


def network_without_memory(card: ModelCard, where: str) -> nn.Module:
    """The card's network with shapes and no numbers, whatever its size.

    Args:
        card: says how the network is built.
        where: what the errors call the model.

    Raises:
        BadInput: when there is no such network.
    """
    try:
        with torch.device("meta"):
            return build_network(card)
    except BadInput as error:
        raise BadInput(f"The network of {where} cannot be built: {error}") from error
    except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise BadInput(f"The network of {where} cannot be built: {reason}.") from error


def _check_shapes(stored: dict[str, Tensor], wanted: dict[str, Tensor], where: str) -> None:
    scales = scale_keys(stored)
    state = {key: value for key, value in stored.items() if key not in scales}
    wrong = [f"{key} is missing" for key in wanted if key not in state]
    wrong += [f"{key} is not expected" for key in state if key not in wanted]
    wrong += [
        f"{key} has shape {tuple(state[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    wrong += [
        f"{key} holds {state[key].dtype}"
        for key in wanted
        if key in state
        and (key + SCALE in scales or state[key].is_floating_point())
        != wanted[key].is_floating_point()
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise BadInput(
            f"The weights in {where} do not fit the network of its card: {wrong[0]}{more}."
        )


def _full_precision(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def _is_finite(value: Tensor) -> bool:
    return bool(torch.isfinite(value).all())
