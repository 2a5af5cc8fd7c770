"""From a trained network to a model's folder."""

import json
from dataclasses import replace as replaced
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save as bytes_from_tensors
from torch import Tensor

from cmcseg import __version__
from cmcseg.bundle.folders import write_folder
from cmcseg.bundle.load import network_from
from cmcseg.bundle.quantize import quantized
from cmcseg.bundle.verify import (
    CARD,
    METADATA,
    SCHEMA,
    SUMS,
    WEIGHTS,
    read_folder,
    sha256,
    sums,
    verify,
)
from cmcseg.core.card import InputSpec, ModelCard
from cmcseg.core.errors import BadInput

PAPER = (
    "Zhou et al. Robust Semi-supervised Multimodal Medical Image Segmentation via Cross Modality "
    "Collaboration. MICCAI 2024."
)


def save_bundle(
    network_state: dict[str, Tensor],
    card: ModelCard,
    folder: Path,
    *,
    replace: bool = False,
    bits: int | None = None,
) -> ModelCard:
    """Write a model; whole under a temporary name beside ``folder``, then renamed.

    The same weights and card give the same bytes, so saving a model twice changes nothing.

    Args:
        network_state: weights by name, as ``state_dict`` gives them; stored in half precision.
        card: its ``sha256`` is filled in here.
        folder: where the model goes; its parent is made when it is not there.
        replace: whether another model in ``folder`` may make room for this one.
        bits: per weight of a large kernel, 3 to 8, instead of half precision (``quantize``).

    Returns:
        The card as it was written.

    Raises:
        BadInput: when the weights do not survive half precision or do not fit the card, the card
            cannot be written, the folder holds something else, or the disk refuses.
    """
    state = {key: _half(key, value) for key, value in network_state.items()}
    if bits is not None:
        state = {key: _half(key, value) for key, value in quantized(state, bits).items()}
    weights = bytes_from_tensors(dict(sorted(state.items())), metadata={"format": "pt"})
    card = replaced(card, sha256=sha256(weights))
    files = {
        WEIGHTS: weights,
        CARD: _json(card.to_dict(), card.name),
        METADATA: _json(monai_metadata(card), card.name),
    }
    files[SUMS] = sums(files)
    network_from(verify(files, card.name), weights, card.name)
    write_folder(files, Path(folder), replace=replace)
    return card


def write_measured(folder: Path, measured: dict) -> ModelCard:
    """Put measured values on the card of a model in a folder; the weights stay as they are.

    Raises:
        BadInput: when the folder is no whole model, or the disk refuses.
    """
    files = read_folder(folder)
    card = replaced(verify(files, str(folder)), measured=measured)
    files |= {CARD: _json(card.to_dict(), card.name)}
    files |= {METADATA: _json(monai_metadata(card), card.name)}
    files[SUMS] = sums(files)
    write_folder(files, folder, replace=True)
    return card


def monai_metadata(card: ModelCard) -> dict:
    """The card in the words of a MONAI bundle's ``metadata.json``.

    The keys are those of MONAI's schema of 25 July 2024 (``SCHEMA``). The metadata of both task
    cards was checked with ``monai.bundle.verify_metadata`` of MONAI 1.6.1 against that file; the
    tests repeat the check against a small schema that requires the same keys and types, since
    MONAI would download the original. MONAI bundles keep pickled weights in ``models/model.pt``;
    ours have none on purpose.
    """
    channels = {str(label.value): label.name for label in card.table}
    return {
        "schema": SCHEMA,
        "version": card.version,
        "monai_version": version("monai"),
        "pytorch_version": torch.__version__.partition("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"cmcseg": __version__, "safetensors": version("safetensors")},
        "name": card.title,
        "task": card.title,
        "description": card.description,
        "authors": f"Trained with CMCSeg {__version__}",
        "copyright": card.licence or "Not stated",
        "intended_use": card.intended_use,
        "data_source": card.trained_on or "Not stated",
        "eval_metrics": card.measured,
        "references": [PAPER],
        "network_data_format": {
            "inputs": {
                spec.role: {
                    "format": "magnitude",
                    "num_channels": 1,
                    "value_range": _value_range(spec),
                    "channel_def": {"0": spec.title},
                    **_tensor(card, spec),
                }
                for spec in card.inputs
            },
            "outputs": {
                spec.role: {
                    "format": "labels",
                    "num_channels": card.table.classes,
                    "value_range": [],
                    "channel_def": {"0": "background", **channels},
                    **_tensor(card, spec),
                }
                for spec in card.inputs
            },
        },
    }


def _tensor(card: ModelCard, spec: InputSpec) -> dict:
    return {
        "type": "image",
        "modality": spec.modality,
        "spatial_shape": list(card.grid.window),
        "dtype": "float32",
        "is_patch_data": True,
    }


def _value_range(spec: InputSpec) -> list[float]:
    """A window becomes -1 to 1; MONAI writes an empty list where limits are not fixed."""
    return [-1.0, 1.0] if spec.intensity == "window" else []


def _half(key: str, value: Tensor) -> Tensor:
    value = value.detach().cpu()
    if not value.is_floating_point():
        return value.clone().contiguous()
    half = value.to(torch.float16, copy=True).contiguous()
    if not torch.isfinite(half).all():
        raise BadInput(
            f"The weights {key} are not finite in half precision (largest "
            f"{float(value.abs().max()):.3g}); the training diverged, take an earlier checkpoint."
        )
    return half


def _json(value: dict, name: str) -> bytes:
    try:
        return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise BadInput(f"The card of {name} cannot be written as JSON: {error}.") from error
