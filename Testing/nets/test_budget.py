"""What a segmentation may cost: arithmetic and size, from the shipped models' own cards."""

import numpy as np
import pytest
import torch
from cmcseg.bundle.store import shipped_folder
from cmcseg.bundle.verify import read_card
from cmcseg.core.grid import Grid
from cmcseg.core.settings import SegmentSettings
from cmcseg.imaging.resample import working_grid
from cmcseg.nets.build import build_network
from cmcseg.nets.sliding_window import tile
from torch.utils.flop_counter import FlopCounterMode

MODELS = sorted(path.parent for path in shipped_folder().glob("*/card.json"))


def flops_of(card, window):
    """Both scans of a window through the network, counted without computing anything."""
    with torch.device("meta"):
        network = build_network(card).eval()
        images = {m: torch.empty(1, 1, *window) for m in range(len(card.inputs))}
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(images, torch.ones(1))
    return counter.get_total_flops()


def test_a_whole_abdominal_pair_takes_at_most_1_2_tflop():
    card = read_card(shipped_folder() / "abdomen-ct-mr")
    ct = Grid(shape=(257, 257, 150), affine=np.diag([1.4, 1.4, 3.0, 1.0]))
    affine = np.diag([1.25, 1.25, 7.7, 1.0])
    affine[:3, 3] = ct.center - affine[:3, :3] @ (np.array([256, 256, 37]) - 1) / 2
    mr = Grid(shape=(256, 256, 37), affine=affine)
    grid = working_grid(card.grid, [ct, mr])
    overlap = SegmentSettings().overlap
    # Windows grow a little where that saves a further one.
    tiling = tile(grid.shape, card.grid.window, card.network.multiple, overlap)
    assert card.grid.tta_shifts * len(tiling.starts) * flops_of(card, tiling.window) < 1.2e12


@pytest.mark.parametrize("folder", MODELS, ids=lambda p: p.name)
def test_the_weights_of_a_shipped_model_take_at_most_16_mb(folder):
    assert (folder / "model.safetensors").stat().st_size < 16e6
