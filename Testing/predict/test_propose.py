"""One stroke corrects a border in three dimensions, and keeps its promises."""

import numpy as np
import pytest
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.core.grid import Grid
from cmcseg.core.mark import Mark
from cmcseg.core.volume import Volume
from cmcseg.predict.propose import propose
from cmcseg.predict.scan_memory import look
from marked import GRID, MIDDLE, a_memory, ball, stroke_beyond
from tiny import tiny_bundle


def proposed(memory, labels, mark, earlier=()):
    box = mark.box(GRID)
    out = labels.copy()
    out[box] = propose(memory, labels[box], box, mark, earlier)
    return out


@pytest.fixture(scope="module")
def a_scan():
    return a_memory()


def wrong(labels, truth):
    return int(((labels == 1) != truth).sum())


def test_a_stroke_in_one_plane_mends_the_planes_beside_it(a_scan):
    memory, labels, truth = a_scan
    after = proposed(memory, labels, stroke_beyond())
    assert wrong(after, truth) < 0.7 * wrong(labels, truth)
    for plane in (6, 7, 8):
        before, now = (wrong(x[:, :, plane], truth[:, :, plane]) for x in (labels, after))
        assert now < before


def test_another_gap_of_the_same_border_is_mended_with_the_one_that_was_marked():
    memory, _small, truth = a_memory()
    i, j = np.indices(GRID.shape[:2]) - np.array(MIDDLE[:2])[:, None, None]
    angle, outer = np.arctan2(j, i)[:, :, None], ~ball(17.0)
    marked, other = (truth & outer & (abs(angle - at) < 0.25) for at in (0.0, 1.1))
    labels = (truth & ~marked & ~other).astype(np.uint8)
    stroke = stroke_beyond()
    here = abs(np.arctan2(*(stroke.voxels[:, :2] - MIDDLE[:2]).T[::-1])) < 0.2
    after = proposed(memory, labels, Mark(value=1, is_organ=True, voxels=stroke.voxels[here]))
    plane = np.s_[:, :, 7]
    assert (after[plane] == 1)[marked[plane]].mean() > 0.7
    assert (after[plane] == 1)[other[plane]].mean() > 0.5
    assert (after[plane] == 1)[~truth[plane]].mean() < 0.02


def test_this_is_not_takes_a_part_away():
    memory, _small, truth = a_memory()
    large = ball(30.0).astype(np.uint8)
    angles = np.linspace(-0.7, 0.7, 40)
    at = np.stack([27 * np.cos(angles) / 1.5 + 30, 27 * np.sin(angles) / 1.5 + 30], axis=1)
    voxels = np.insert(np.round(at).astype(int), 2, 7, axis=1)
    after = proposed(memory, large, Mark(value=1, is_organ=False, voxels=voxels))
    assert wrong(after, truth) < 0.8 * wrong(large, truth)
    assert not after[tuple(voxels.T)].any()


@pytest.mark.parametrize("is_organ", [True, False])
def test_a_single_voxel_is_obeyed_whatever_the_model_thinks(a_scan, is_organ):
    memory, labels, _ = a_scan
    at = (30, 30, 7) if not is_organ else (3, 3, 2)
    mark = Mark(value=1, is_organ=is_organ, voxels=np.array([at]))
    assert (proposed(memory, labels, mark)[at] == 1) == is_organ


def test_earlier_marks_are_obeyed_as_well(a_scan):
    memory, labels, _ = a_scan
    mark = stroke_beyond()
    plain = proposed(memory, labels, mark)
    joined = np.argwhere((plain == 1) & (labels == 0))
    kept = joined[~(joined[:, None] == mark.voxels[None]).all(-1).any(1)][:20]
    no = Mark(value=1, is_organ=False, voxels=kept)
    after = proposed(memory, labels, mark, (no,))
    assert not (after[tuple(kept.T)] == 1).any()
    assert (after[tuple(mark.voxels.T)] == 1).all()


def test_the_more_is_marked_the_less_is_changed_beyond_the_marks(a_scan):
    memory, labels, _ = a_scan
    corner = Mark(value=1, is_organ=False, voxels=np.array([[0, 0, 0]]))
    other = Mark(value=2, is_organ=False, voxels=np.array([[0, 0, 0]]))
    first, fifth, of_another = (
        int((proposed(memory, labels, stroke_beyond(), earlier) == 1).sum())
        for earlier in ((), (corner,) * 4, (other,) * 4)
    )
    assert fifth < first
    assert of_another == first


def test_the_newest_of_two_marks_on_one_voxel_holds(a_scan):
    memory, labels, _ = a_scan
    mark = stroke_beyond()
    no = Mark(value=1, is_organ=False, voxels=mark.voxels)
    assert (proposed(memory, labels, mark, (no,))[tuple(mark.voxels.T)] == 1).all()


def test_a_neighbour_that_is_not_touched_gives_up_nothing(a_scan):
    memory, labels, _ = a_scan
    beside = labels.copy()
    neighbour = ball(24.0) & ~ball(22.0) & (labels == 0)
    beside[neighbour] = 2
    mark = Mark(value=1, is_organ=True, voxels=np.array([[43, 30, 7]]))
    assert beside[43, 30, 7] == 0
    assert (proposed(memory, beside, mark)[neighbour] == 2).all()


def test_nothing_changes_far_from_the_stroke(a_scan):
    memory, labels, _ = a_scan
    mark = stroke_beyond()
    changed = np.argwhere(proposed(memory, labels, mark) != labels)
    apart = np.abs(changed[:, None, :2] - mark.voxels[None, :, :2]) * 1.5
    assert np.linalg.norm(apart, axis=-1).min(axis=1).max() < 24.0


def test_turned_axes_give_the_same_proposal(a_scan):
    memory, labels, _ = a_scan
    mark = stroke_beyond()
    straight = proposed(memory, labels, mark)
    order = [2, 0, 1]
    turned = type(memory)(
        grid=Grid(shape=(14, 60, 60), affine=np.diag([6.0, 1.5, 1.5, 1.0])),
        image=memory.image.transpose(order),
        probabilities=memory.probabilities.transpose(0, 3, 1, 2),
        features=memory.features.transpose(0, 3, 1, 2),
        to_working=np.eye(4),
        patch=(1, 2, 2),
    )
    other = Mark(value=1, is_organ=True, voxels=mark.voxels[:, order])
    box = other.box(turned.grid)
    out = labels.transpose(order).copy()
    out[box] = propose(turned, out[box], box, other)
    assert (out != straight.transpose(order)).mean() < 1e-4


def test_a_memory_sees_the_scan_where_it_lies(tmp_path):
    bundle = load_bundle(tiny_bundle(tmp_path / "tiny"))
    grid = Grid(shape=(40, 36, 20), affine=np.diag([-5.0, 5.0, 6.0, 1.0]))
    image = np.random.default_rng(0).normal(0, 300, grid.shape).astype(np.int16)
    memory = look(Volume(array=image, grid=grid), "ct", bundle, "cpu")
    box = (slice(10, 20), slice(5, 15), slice(3, 8))
    p = memory.probabilities_in(box)
    assert p.shape == (bundle.card.table.classes, 10, 10, 5)
    assert np.allclose(p.sum(axis=0), 1, atol=0.01)
    with torch.no_grad():
        assert memory.features_in(box).shape == (4, 10, 10, 5)
    nearest = np.einsum("ij,j->i", memory.to_working, [10, 5, 3, 1])[:3].round().astype(int)
    assert np.abs(p[:, 0, 0, 0] - memory.probabilities[(slice(None), *nearest)]).max() < 0.2
