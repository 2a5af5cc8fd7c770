"""What a segmentation may cost: arithmetic and size, from the shipped models' own cards."""

import numpy as np
import pytest
import torch
from cmcseg.bundle.store import shipped_folder
from cmcseg.bundle.verify import read_card
from cmcseg.core.grid import Grid
from cmcseg.core.settings import SegmentSettings
from cmcseg.imaging.resample import field_of_view, working_grid
from cmcseg.nets.build import build_network
from cmcseg.nets.collaborative_net import Output
from cmcseg.nets.sliding_window import sliding_window
from torch.utils.flop_counter import FlopCounterMode

MODELS = sorted(path.parent for path in shipped_folder().glob("*/card.json"))


class Counting(torch.nn.Module):
    """Plays the network: finds organs of the usual extent and adds up what windows would cost."""

    ORGANS = (slice(10, 110), slice(25, 91), slice(60, 136))  # 300 x 198 x 228 mm

    def __init__(self, card):
        super().__init__()
        with torch.device("meta"):
            self.real = build_network(card).eval()
        self.flops = 0

    def forward(self, images, _):
        with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
            self.real({m: torch.empty(x.shape) for m, x in images.items()}, torch.ones(1))
        self.flops += counter.get_total_flops()
        outputs = {}
        for m, x in images.items():
            organ = torch.cat([1 - x, x, *[torch.zeros_like(x)] * 3], dim=1)
            outputs[m] = Output(logits_BKDHW=9 * organ, bottleneck_BCDHW=x, decoded_BCDHW=x)
        return outputs


def test_a_whole_abdominal_pair_takes_at_most_0_42_tflop():
    card = read_card(shipped_folder() / "abdomen-ct-mr")
    ct = Grid(shape=(257, 257, 150), affine=np.diag([1.4, 1.4, 3.0, 1.0]))
    affine = np.diag([1.25, 1.25, 7.7, 1.0])
    affine[:3, 3] = ct.center - affine[:3, :3] @ (np.array([256, 256, 37]) - 1) / 2
    mr = Grid(shape=(256, 256, 37), affine=affine)
    grid = working_grid(card.grid, [ct, mr])
    seen = {m: field_of_view(one, grid) for m, one in enumerate((ct, mr))}
    image = np.zeros(grid.shape, np.float32)
    image[Counting.ORGANS] = 1
    network = Counting(card)
    overlap = SegmentSettings().overlap
    cpu = torch.device("cpu")
    sliding_window(network, dict.fromkeys(seen, image), card, 1.0, cpu, seen=seen, overlap=overlap)
    assert 0.3e12 < network.flops < 0.42e12


@pytest.mark.parametrize("folder", MODELS, ids=lambda p: p.name)
def test_the_weights_of_a_shipped_model_take_at_most_16_mb(folder):
    assert (folder / "model.safetensors").stat().st_size < 16e6
