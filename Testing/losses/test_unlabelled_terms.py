"""What every unlabelled loss owes: it alone moves both encoders, and bears misalignment."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import shipped_folder
from cmcseg.core.card import NetworkSpec
from cmcseg.data.synthesis import make_pair
from cmcseg.imaging.intensity import normalise
from cmcseg.imaging.resample import resample, working_grid
from cmcseg.losses.anatomical_contrast import overlap_contrast, prototype_contrast
from cmcseg.losses.semantic_consistency import semantic_consistency
from cmcseg.nets.build import build_network
from tiny import tiny_card

SHIFTS = ((7, 0, 0), (4, -4, 4))  # voxels of 3 mm: each about 20 mm
CANVAS = (128, 112, 128)


def pooled(a, b):
    return semantic_consistency(a.bottleneck_BCDHW, b.bottleneck_BCDHW)


def spatial(a, b):
    return semantic_consistency(a.bottleneck_BCDHW, b.bottleneck_BCDHW, descriptor="spatial")


def prototypes(a, b):
    return prototype_contrast(a.decoded_BCDHW, a.logits_BKDHW, b.decoded_BCDHW, b.logits_BKDHW)


def overlap(a, b):
    return overlap_contrast(a.logits_BKDHW, b.logits_BKDHW)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("term", [pooled, spatial, prototypes, overlap])
def test_the_term_alone_moves_both_encoders(term, shared):
    torch.manual_seed(0)
    card = tiny_card()
    spec = NetworkSpec(widths=(4, 8), patch=(2, 2, 2), strides=((2, 2, 2),), shared_kernels=shared)
    network = build_network(replace(card, network=spec))
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-2)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    outputs = network({m: torch.randn(1, 1, 16, 16, 16) for m in (0, 1)}, torch.ones(1))
    term(outputs[0], outputs[1]).backward()
    optimizer.step()
    moved = {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}
    for m in (0, 1):
        encoder, stem = (0, m) if shared else (m, 0)
        assert f"encoders.{encoder}.stems.{stem}.weight" in moved
        assert f"encoders.{encoder}.levels.1.first.conv.weight" in moved


@pytest.fixture(scope="module")
def a_pair():
    """What the shipped network says of a phantom's CT, and of its MR here and 20 mm away."""
    network = load_bundle(shipped_folder() / "abdomen-ct-mr")
    card = network.card
    volumes = {role: scan.volume for role, scan in make_pair("abdomen", card.table, seed=0).items()}
    grid = working_grid(card.grid, [volume.grid for volume in volumes.values()])
    ct, mr = (
        resample(
            normalise(volume, card.input(role)), volume.grid, grid, fill=air(volume, card, role)
        )
        for role, volume in volumes.items()
    )
    with torch.inference_mode():
        first = network.network({0: on_canvas(ct, (0, 0, 0))}, torch.zeros(1))[0]
        second = [
            network.network({1: on_canvas(mr, shift)}, torch.zeros(1))[1]
            for shift in ((0, 0, 0), *SHIFTS)
        ]
    return first, second


def air(volume, card, role):
    return float(normalise(volume, card.input(role)).min())


def on_canvas(array, shift):
    """The scan somewhere in a field of view that is always the same."""
    wide = np.pad(array, [(24, 24 + max(0, n)) for n in CANVAS], constant_values=array.min())
    start = [
        24 + (have - n) // 2 - s for have, n, s in zip(array.shape, CANVAS, shift, strict=True)
    ]
    place = tuple(slice(s, s + n) for s, n in zip(start, CANVAS, strict=True))
    return torch.from_numpy(np.ascontiguousarray(wide[place]))[None, None]


@pytest.mark.parametrize("term", [pooled, prototypes])
def test_a_shift_of_20_mm_changes_it_by_less_than_5_percent(a_pair, term):
    first, (here, *elsewhere) = a_pair
    loss = float(term(first, here))
    assert max(abs(float(term(first, away)) / loss - 1) for away in elsewhere) < 0.05


@pytest.mark.parametrize("term", [spatial, overlap])
def test_terms_that_need_alignment_do_notice_the_shift(a_pair, term):
    """Else the test above would prove nothing."""
    first, (here, *elsewhere) = a_pair
    loss = float(term(first, here))
    assert max(abs(float(term(first, away)) / loss - 1) for away in elsewhere) > 0.1
