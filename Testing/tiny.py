"""A model of a few thousand weights, made on the spot: real in every respect but its skill."""

from dataclasses import replace
from pathlib import Path

import torch
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import task_card
from cmcseg.core.card import ModelCard, NetworkSpec
from cmcseg.nets.build import build_network


def tiny_card(task: str = "abdomen") -> ModelCard:
    """A task's card with two narrow levels and windows of 16 x 16 x 16."""
    card = task_card(task)
    return replace(
        card,
        network=NetworkSpec(widths=(4, 8), patch=(2, 2, 2), strides=((2, 2, 2),)),
        grid=replace(card.grid, window=(16, 16, 16)),
    )


def tiny_state(card: ModelCard, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights for the card; the same seed gives the same weights, and nobody else's dice move."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(card).state_dict()


def tiny_bundle(folder: Path, task: str = "abdomen", seed: int = 0) -> Path:
    """Save a tiny model as ``folder``; returns the folder."""
    card = tiny_card(task)
    save_bundle(tiny_state(card, seed), card, folder)
    return folder
