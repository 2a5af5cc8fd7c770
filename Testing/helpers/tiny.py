"""A model of a few thousand weights, made on the spot: real in every respect but its skill."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import task_card
from cmcseg.core.card import ModelCard, NetworkSpec
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.volume import Volume
from cmcseg.data.cohort import read_cohort
from cmcseg.data.prepare import prepare
from cmcseg.imaging.files import write_label_map, write_volume
from cmcseg.nets.build import build_network

CORNERS = ((24, 8, 8), (26, 20, 5), (8, 20, 5), (6, 8, 9))  # of the boxes that stand for organs


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


def tiny_pairs(folder: Path, count: int, task: str = "abdomen") -> list[dict]:
    """Cases of a datalist: boxes for organs, brighter than the rest, on a coarse grid.

    The boxes of right and left kidney lie on their sides; every case is a little different.
    """
    card = tiny_card(task)
    grid = Grid(shape=(40, 36, 20), affine=np.diag([6.0, 6.0, 6.0, 1.0]))
    cases = []
    for number in range(count):
        rng = np.random.default_rng(number)
        labels = np.zeros(grid.shape, dtype=np.uint8)
        for value, corner in enumerate(CORNERS, 1):
            x, y, z = (np.array(corner) + rng.integers(-2, 3, size=3)).tolist()
            labels[x : x + 9, y : y + 9, z : z + 8] = value
        case = {"id": f"case{number}"}
        for role, low in zip(card.roles, (-1000, 0), strict=True):
            image = np.where(labels > 0, 60 + 60 * labels.astype(int), low)
            image = (image + rng.normal(0, 8, grid.shape)).astype(np.int16)
            write_volume(Volume(array=image, grid=grid), folder / f"{number}_{role}.nii.gz")
            drawn = LabelMap(array=labels, grid=grid, table=card.table)
            write_label_map(drawn, folder / f"{number}_{role}_labels.nii.gz")
            case[role] = f"{number}_{role}.nii.gz"
            case[f"{role}_labels"] = f"{number}_{role}_labels.nii.gz"
        cases.append(case)
    return cases


def tiny_cache(folder: Path, train: int = 2, validation: int = 1, task: str = "abdomen"):
    """A prepared cache of such cases, for a tiny network."""
    files = folder / "files"
    files.mkdir(parents=True)
    cases = tiny_pairs(files, train + validation, task)
    content = {"training": cases[:train], "validation": cases[train:]}
    (files / "cohort.json").write_text(json.dumps(content))
    card = replace(tiny_card(task), grid=replace(tiny_card(task).grid, spacing=(6.0, 6.0, 6.0)))
    return prepare(read_cohort(files / "cohort.json", card), card, folder / "cache")
