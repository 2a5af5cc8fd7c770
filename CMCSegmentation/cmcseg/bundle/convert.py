"""From an official checkpoint (``.pth``) to safetensors, and from there into a network."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from cmcseg.core.atomic_write import atomic_path
from cmcseg.core.card import NetworkSpec
from cmcseg.core.errors import BadInput
from cmcseg.core.isolation import isolated, isolated_environment
from cmcseg.nets.collaborative_net import ENCODERS, CollaborativeNet
from cmcseg.nets.official import official_weights

# The encoders that others have published weights of, in their published size.
OFFICIAL = {
    "sam_med3d": NetworkSpec(encoder="sam_med3d"),
    "universal_unet": NetworkSpec(
        encoder="universal_unet", widths=(64, 128, 256, 512), patch=(1, 1, 1)
    ),
}


# What reading a checkpoint may take: weights are read, copied and written, beside torch itself.
MEMORY_BESIDE, MEMORY_FOLD = 1 << 30, 4
SECONDS = 600


def convert(source: Path, out: Path, encoder: str) -> int:
    """Write the encoder's weights, under their official names, as safetensors.

    The checkpoint is read by a separate process that takes numbers only, knows no network, and has
    memory for what such a file can honestly hold.

    Args:
        source: ``sam_med3d_turbo.pth``, say.
        out: a new ``.safetensors`` file.
        encoder: ``sam_med3d`` or ``universal_unet``.

    Returns:
        How many weights were written.

    Raises:
        BadInput: when the checkpoint cannot be read safely or is not the encoder's, whole, or the
            file cannot be written.
    """
    if encoder not in OFFICIAL:
        raise BadInput(f"The encoder {encoder!r} is not one of {', '.join(OFFICIAL)}.")
    if out.exists():
        raise BadInput(f"{out} is there already; give another name.")
    with torch.device("meta"):
        wanted: Any = ENCODERS[encoder](OFFICIAL[encoder], modalities=1)
    with tempfile.TemporaryDirectory() as room:
        draft = Path(room, "tensors.safetensors")
        _read_elsewhere(source, draft)
        try:
            found = official_weights(wanted, load_file(draft))
        except BadInput as error:
            raise BadInput(f"{source} cannot be converted. {error}") from error
        _write({wanted.official_names()[k]: v for k, v in found.items()}, out, encoder)
    return len(found)


def start_weights(network: CollaborativeNet, path: Path) -> dict[str, Tensor]:
    """A network's weights, with those of its encoders taken from a converted checkpoint.

    Args:
        network: as built from its card; it is not changed.
        path: what ``convert`` wrote.

    Returns:
        The network's state, complete.

    Raises:
        BadInput: when the file cannot be read or belongs to another encoder.
    """
    try:
        with safe_open(path, framework="pt") as handle:
            made_for = (handle.metadata() or {}).get("encoder")
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path} cannot be read as safetensors: {error}.") from error
    state = dict(network.state_dict())
    for number, encoder in enumerate(network.encoders):
        if made_for not in OFFICIAL or not isinstance(encoder, ENCODERS[made_for]):
            raise BadInput(f"{path} holds weights of {made_for}, which this network does not use.")
        weights = official_weights(encoder, tensors)
        state |= {f"encoders.{number}.{name}": value for name, value in weights.items()}
    return state


def _read_elsewhere(source: Path, draft: Path) -> None:
    if not source.is_file():
        raise BadInput(f"{source} is not a file.")
    memory = MEMORY_BESIDE + MEMORY_FOLD * source.stat().st_size
    reader = isolated([sys.executable], "cmcseg.bundle.legacy")
    try:
        done = subprocess.run(
            [*reader, str(source.resolve()), str(draft), str(memory), str(SECONDS)],
            env=isolated_environment(dict(os.environ)),
            cwd=draft.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BadInput(
            f"{source} cannot be converted: it was not read within {SECONDS} seconds."
        ) from error
    if done.returncode < 0:
        raise BadInput(
            f"{source} cannot be converted: its reader was ended by the system (signal "
            f"{-done.returncode}), as it took more time or memory than a file of its size needs."
        )
    if done.returncode:
        words = done.stderr.strip().rpartition("\n")[2] or f"the reader ended ({done.returncode})"
        raise BadInput(f"{source} cannot be converted: {words}.")


def _write(tensors: dict[str, Tensor], out: Path, encoder: str) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(out) as draft:
            save_file(tensors, draft, metadata={"encoder": encoder})
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{out} could not be written: {error}.") from error
