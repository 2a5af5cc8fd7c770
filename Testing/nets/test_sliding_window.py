"""Sliding windows: they cover everything, weigh fairly, and skip what no scan shows."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from cmcseg.nets import device
from cmcseg.nets.build import build_network
from cmcseg.nets.collaborative_net import Output
from cmcseg.nets.sliding_window import sliding_window
from cmcseg.nets.tiling import gaussian_window, tile
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_card

CPU = torch.device("cpu")
ODD = (29, 17, 11)

axes = st.tuples(
    st.integers(1, 200), st.integers(1, 6), st.sampled_from((1, 2, 4, 16)), st.floats(0, 0.9)
)


def a_network(card):
    torch.manual_seed(0)
    network = build_network(card).eval()
    torch.nn.init.normal_(network.fusion.mix[-1].weight)
    return network


def scans(shape=ODD):
    chance = np.random.default_rng(0)
    return {m: chance.normal(size=shape).astype(np.float32) for m in (0, 1)}


class Constant(torch.nn.Module):
    """Says the same of every voxel, and remembers which scans it was shown."""

    def __init__(self, p):
        super().__init__()
        self.log_p = torch.tensor(p).log()
        self.shown = []

    def forward(self, images, _):
        self.shown.append(tuple(images))
        logits = self.log_p.view(1, -1, 1, 1, 1)
        return {
            m: Output(
                logits_BKDHW=logits.expand(1, -1, *x.shape[2:]),
                bottleneck_BCDHW=x,
                decoded_BCDHW=x,
            )
            for m, x in images.items()
        }


def tiled_axis(n, windows, multiple, overlap):
    """Where the windows of one axis start, how long they are and what they cover."""
    tiling = tile((n, 8, 8), (windows * multiple, 8, 8), (multiple, 8, 8), overlap)
    return [start[0] for start in tiling.starts], tiling.window[0], tiling.shape[0]


class TestTiling:
    @given(axes)
    def test_every_voxel_lies_in_a_window_and_every_window_in_the_grid(self, axis):
        starts, size, whole = tiled_axis(*axis)
        assert starts[0] == 0
        assert starts[-1] + size == whole >= axis[0]
        assert all(0 < b - a <= size for a, b in itertools.pairwise(starts))
        assert size % axis[2] == 0

    @given(axes)
    def test_neighbours_overlap_by_the_share_that_was_asked(self, axis):
        starts, size, _ = tiled_axis(*axis)
        widest = size * (1 - axis[3]) + 1  # starts are whole voxels
        assert all(b - a <= widest for a, b in itertools.pairwise(starts))

    def test_an_axis_a_little_longer_than_the_window_gets_one_larger_window(self):
        tiling = tile((20, 16, 16), (16, 16, 16), (4, 4, 4), 0.25)
        assert (tiling.window, len(tiling.starts)) == ((20, 16, 16), 1)

    def test_a_small_grid_is_padded_to_what_the_network_needs(self):
        tiling = tile((5, 16, 9), (16, 16, 16), (4, 4, 4), 0.25)
        assert (tiling.shape, tiling.window) == ((8, 16, 12), (8, 16, 12))


class TestWeights:
    def test_the_middle_counts_fully_and_the_rim_counts_a_little(self):
        weight = gaussian_window((9, 9, 9))
        assert weight[4, 4, 4] == 1
        assert 0 < weight[0, 0, 0] < 0.01
        assert weight.min() >= 1e-3

    def test_it_is_the_formula(self):
        weight = gaussian_window((4, 6, 8))
        slow = math.exp(
            -0.5
            * sum(
                ((i - (n - 1) / 2) / (n / 4)) ** 2
                for i, n in zip((1, 4, 2), (4, 6, 8), strict=True)
            )
        )
        assert weight[1, 4, 2].item() == pytest.approx(slow, rel=1e-5)

    @pytest.mark.parametrize("shape", [ODD, (5, 40, 16), (1, 1, 1), (33, 33, 33)])
    @pytest.mark.parametrize("overlap", [0.0, 0.5])
    def test_windows_are_a_partition_of_unity(self, shape, overlap):
        """A network that says the same everywhere is heard as if there were no windows."""
        p = (0.1, 0.2, 0.3, 0.15, 0.25)
        found = sliding_window(
            Constant(p), {0: np.zeros(shape, np.float32)}, tiny_card(), 0.0, CPU, overlap=overlap
        )
        assert found[0].shape == (5, *shape)
        for k in range(5):
            np.testing.assert_allclose(found[0][k], p[k], atol=1e-6)


def slow_sliding_window(network, images, card, trust, overlap):
    """The weighted mean of all windows, gathered voxel by voxel in double precision."""
    shape = images[0].shape
    tiling = tile(shape, card.grid.window, card.network.multiple, overlap)
    sums = {m: np.zeros((card.table.classes, *shape)) for m in images}
    total = np.zeros(shape)

    def look(first, size, worth):
        voxels = {}  # of the scan, per place in the window
        for place in np.ndindex(size):
            voxel = tuple(s + p for s, p in zip(first, place, strict=True))
            if all(0 <= v < n for v, n in zip(voxel, shape, strict=True)):
                voxels[place] = voxel
        windows = {}
        for m, image in images.items():
            window = np.full(size, image.min(), np.float32)
            for place, voxel in voxels.items():
                window[place] = image[voxel]
            windows[m] = torch.from_numpy(window)[None, None]
        with torch.inference_mode():
            outputs = network(windows, torch.tensor([trust]))
        said = {m: out.logits_BKDHW[0].softmax(0).numpy() for m, out in outputs.items()}
        for place, voxel in voxels.items():
            away = [(p - (n - 1) / 2) / (n / 4) for p, n in zip(place, size, strict=True)]
            weight = worth * max(math.exp(-0.5 * sum(a * a for a in away)), 1e-3)
            total[voxel] += weight
            for m, p in said.items():
                sums[m][(slice(None), *voxel)] += weight * p[(slice(None), *place)]

    for start in tiling.starts:
        look(start, tiling.window, 1.0)
    organs = np.concatenate([np.argwhere(sums[m][0] < 0.5 * total) for m in images])
    low, high = organs.min(axis=0), organs.max(axis=0)  # so few voxels have no strays
    wanted = [
        n if n == seen else min(max(last - first + 7, w), n)
        for first, last, w, n, seen in zip(
            low, high, card.grid.window, tiling.shape, tiling.window, strict=True
        )
    ]
    longest = [min(w * 3 // 2, n) for w, n in zip(card.grid.window, tiling.shape, strict=True)]
    focus = tile(tuple(wanted), card.grid.window, card.network.multiple, overlap, tuple(longest))
    patch = card.network.patch
    for shift in range(card.grid.tta_shifts):
        for start in focus.starts:
            first = []
            for axis, s in enumerate(start):
                aside = patch[axis] // 2
                corner = (low[axis] + high[axis] + 1) / 2 + aside - focus.shape[axis] / 2
                corner = min(max(corner, 0), tiling.shape[axis] - focus.shape[axis])
                begin = int(corner + s) // patch[axis] * patch[axis]
                first.append(begin - aside + shift * aside)
            look(first, focus.window, 3 / card.grid.tta_shifts)
    return {m: sums[m] / total for m in images}


@pytest.mark.parametrize(
    ("trust", "looks", "patch"),
    [(0.0, 1, (2, 2, 2)), (0.7, 1, (2, 2, 2)), (0.7, 2, (2, 2, 2)), (0.7, 2, (2, 4, 1))],
)
def test_it_equals_its_slow_twin_on_odd_sizes(trust, looks, patch, monkeypatch):
    monkeypatch.setattr(device, "computes_bfloat16", lambda: False)  # the twin counts in all digits
    card = tiny_card()
    network = replace(card.network, patch=patch)
    card = replace(card, grid=replace(card.grid, tta_shifts=looks), network=network)
    network, images = a_network(card), scans()
    found = sliding_window(network, images, card, trust, CPU, overlap=0.4)
    expected = slow_sliding_window(network, images, card, trust, 0.4)
    for m in images:
        np.testing.assert_allclose(found[m], expected[m], atol=1e-5)
        np.testing.assert_allclose(found[m].sum(axis=0), 1, atol=1e-5)


class Bright(torch.nn.Module):
    """Calls bright voxels an organ, but only those that lie far enough from a window's rim."""

    rim = 3

    def forward(self, images, _):
        outputs = {}
        for m, x in images.items():
            organ = x > 0.5
            inner = torch.zeros_like(organ)
            inner[..., self.rim : -self.rim, :, :] = True
            p = (organ & inner).float() * 0.9 + 0.05
            p = torch.cat([1 - p, p, *[torch.full_like(p, 1e-6)] * 3], dim=1)
            outputs[m] = Output(logits_BKDHW=p.log(), bottleneck_BCDHW=x, decoded_BCDHW=x)
        return outputs


@pytest.mark.parametrize("place", range(5, 52, 6))
def test_an_organ_is_found_whole_wherever_it_lies_between_the_windows(place):
    image = np.zeros((64, 32, 32), np.float32)
    image[place : place + 8, 12:20, 12:20] = 1
    found = sliding_window(Bright(), {0: image}, tiny_card(), 0.0, CPU)[0].argmax(axis=0)
    assert (found != image).sum() <= 2  # of 512 voxels


def test_strays_do_not_draw_the_windows_away_from_the_organs():
    image = np.zeros((64, 32, 32), np.float32)
    image[28:36, 12:20, 12:20] = 1
    image[5, 5, 5] = 1
    network = Constant((0.2,) * 5)
    bright = Bright()
    network.forward = lambda x, t: (network.shown.append(x[0][0, 0]), bright(x, t))[1]
    sliding_window(network, {0: image}, tiny_card(), 0.0, CPU)
    middle = [np.mean(np.nonzero(np.asarray(network.shown[-1]) > 0.5), axis=1)]
    np.testing.assert_allclose(middle[0], 7.5, atol=1)


def test_where_nothing_is_found_nothing_is_looked_at_again():
    network = Constant((0.9, 0.025, 0.025, 0.025, 0.025))
    sliding_window(network, {0: np.zeros((40, 16, 16), np.float32)}, tiny_card(), 0.0, CPU)
    tiling = tile((40, 16, 16), (16, 16, 16), tiny_card().network.multiple, 0.25)
    assert len(network.shown) == len(tiling.starts)


def test_without_trust_the_partner_changes_nothing_to_the_bit():
    card = tiny_card()
    network, images = a_network(card), scans()
    beside = sliding_window(network, images, card, 0.0, CPU)[0]
    alone = sliding_window(network, {0: images[0]}, card, 0.0, CPU)[0]
    np.testing.assert_array_equal(beside, alone)


class TestSeen:
    def test_a_window_that_sees_nothing_of_a_scan_is_not_run_for_it(self):
        network = Constant((0.8, 0.05, 0.05, 0.05, 0.05))
        images = {m: np.zeros((48, 16, 16), np.float32) for m in (0, 1)}
        seen = {0: np.ones((48, 16, 16), bool), 1: np.zeros((48, 16, 16), bool)}
        seen[1][:4] = True
        sliding_window(network, images, tiny_card(), 1.0, CPU, seen=seen, overlap=0.0)
        assert network.shown == [(0, 1), (0,), (0,)]

    def test_a_second_shift_looks_at_the_organs_once_more_and_gives_the_same_of_a_constant(self):
        card = tiny_card()
        twice = replace(card, grid=replace(card.grid, tta_shifts=2))
        seen = {0: np.zeros((48, 16, 16), bool)}
        seen[0][24:] = True
        image = {0: np.zeros((48, 16, 16), np.float32)}
        found = []
        for one in (card, twice):
            network = Constant((0.1, 0.6, 0.1, 0.1, 0.1))
            found.append(sliding_window(network, image, one, 0.0, CPU, seen=seen, overlap=0.0)[0])
            found.append(len(network.shown))
        assert found[3] - found[1] in (1, 2)  # windows on what was found
        np.testing.assert_allclose(found[2][:, 24:], found[0][:, 24:], atol=1e-6)

    def test_what_no_window_saw_is_background(self):
        seen = {0: np.zeros((48, 16, 16), bool)}
        seen[0][:4] = True
        network = Constant((0.1, 0.6, 0.1, 0.1, 0.1))
        image = {0: np.zeros((48, 16, 16), np.float32)}
        found = sliding_window(network, image, tiny_card(), 0.0, CPU, seen=seen, overlap=0.0)[0]
        assert (found[:, :4].argmax(axis=0) == 1).all()
        assert (found[0, -16:] == 1).all()
        assert (found[1:, -16:] == 0).all()

    def test_a_scan_that_sees_nothing_at_all_is_background_and_never_run(self):
        network = Constant((0.1, 0.6, 0.1, 0.1, 0.1))
        found = sliding_window(
            network,
            {0: np.zeros((16, 16, 16), np.float32)},
            tiny_card(),
            0.0,
            CPU,
            seen={0: np.zeros((16, 16, 16), bool)},
        )[0]
        assert network.shown == []
        assert (found[0] == 1).all()


def reported(p):
    heard = []
    sliding_window(
        Constant(p),
        {0: np.zeros((48, 16, 16), np.float32)},
        tiny_card(),
        0.0,
        CPU,
        seen={0: np.zeros((48, 16, 16), bool) if p[0] == 1 else np.ones((48, 16, 16), bool)},
        overlap=0.0,
        report=heard.append,
    )
    return [p.done / p.total for p in heard]


def test_every_window_is_reported_skipped_ones_too():
    skipped, organs = reported((1, 0, 0, 0, 0)), reported((0.2, 0.2, 0.2, 0.2, 0.2))
    assert skipped[:3] == organs[:3] == [1 / 4, 2 / 4, 3 / 4]
    assert skipped[-1] == organs[-1] == 1
    assert organs == sorted(organs)


def test_the_window_of_the_card_may_be_overruled():
    network = Constant((0.8, 0.05, 0.05, 0.05, 0.05))
    card = tiny_card()
    wide = replace(card, grid=replace(card.grid, window=(32, 16, 16)))
    image = {0: np.zeros((32, 16, 16), np.float32)}
    sliding_window(network, image, wide, 0.0, CPU)
    assert len(network.shown) == 1
    sliding_window(network, image, wide, 0.0, CPU, window=(16, 16, 16), overlap=0.0)
    assert len(network.shown) == 3


class TestCoarseLook:
    """A look at means over 2 x 2 x 2 voxels says where to look."""

    SHAPE = (128, 64, 64)

    def looked(self, image, coarse=(2, 2, 2)):
        """What is found, and the windows that it took: how many voxels in all."""
        card, bright, seen = tiny_card(), Bright(), []
        network = Constant((0.2,) * 5)
        network.forward = lambda x, t: (seen.append(x[0].numel()), bright(x, t))[1]
        card = replace(card, grid=replace(card.grid, coarse=coarse))
        found = sliding_window(network, {0: image}, card, 0.0, CPU)[0]
        return found.argmax(axis=0), sum(seen)

    @pytest.mark.parametrize("place", [(20, 10, 8), (61, 30, 33), (114, 50, 50)])
    def test_an_organ_is_found_whole_with_a_fraction_of_the_windows(self, place):
        image = np.zeros(self.SHAPE, np.float32)
        image[tuple(slice(p, p + 10) for p in place)] = 1
        found, voxels = self.looked(image)
        everything, all_voxels = self.looked(image, (1, 1, 1))
        assert (found != image).sum() <= (everything != image).sum() + 4
        assert voxels < 0.4 * all_voxels

    def test_what_a_coarse_look_cannot_see_is_looked_for_everywhere(self):
        image = np.zeros(self.SHAPE, np.float32)
        image[40:60:2, 20:40:2, 20:40:2] = 1  # one voxel in eight: no mean is bright
        found, voxels = self.looked(image)
        everything, all_voxels = self.looked(image, (1, 1, 1))
        np.testing.assert_array_equal(found, everything)
        assert voxels > all_voxels

    def test_an_organ_that_goes_on_beyond_the_first_window_is_followed(self):
        image = np.zeros(self.SHAPE, np.float32)
        image[30:70, 20:30, 20:30] = 1
        image[30:56:2, 20:30, 20:30] = 0.3  # half of it is too dim for the coarse look
        expected = image > 0.5
        found, _ = self.looked(image)
        rows = expected.any(axis=(1, 2))
        assert found.any(axis=(1, 2))[rows].mean() > 0.9  # this network is blind at each rim
        assert (found > expected).sum() == 0

    def test_where_there_is_nothing_the_answer_is_nothing(self):
        found, _ = self.looked(np.zeros(self.SHAPE, np.float32))
        assert not found.any()

    def test_a_grid_of_few_windows_is_looked_at_as_a_whole(self):
        image = np.zeros((20, 16, 16), np.float32)
        image[8:14, 4:10, 4:10] = 1
        assert self.looked(image)[1] == self.looked(image, (1, 1, 1))[1]
