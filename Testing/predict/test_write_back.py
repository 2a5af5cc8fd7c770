"""Back on the scan's own grid only where an organ may be says the same as back everywhere."""

import itertools
import mmap
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from cmcseg.core.grid import Grid
from cmcseg.imaging.resample import LPS, to_array, to_image
from cmcseg.predict import write_back as module
from cmcseg.predict.write_back import write_back
from properties import rotation

STEP = 1 / 255  # of the file in which doubt is kept
WORKING = Grid(shape=(40, 36, 30), affine=np.diag([3.0, 3.0, 3.0, 1.0]))


def turned():
    """A turn by 6 degrees about the working grid's middle, and a shift."""
    matrix, angle = np.eye(4), np.radians(6)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = WORKING.center - matrix[:3, :3] @ WORKING.center + (4, -2, 3)
    return matrix


def everywhere(scores, grid, target, matrix, gap=None, trust=0.0):
    """The slow twin: SimpleITK takes every class to every voxel."""
    back = LPS @ np.linalg.inv(matrix) @ LPS
    transform = sitk.AffineTransform(back[:3, :3].ravel().tolist(), back[:3, 3].tolist())

    def taken(array, fill):
        image, like = to_image(array, grid), to_image(np.zeros(target.shape, np.uint8), target)
        return to_array(sitk.Resample(image, like, transform, sitk.sitkLinear, fill))

    shares = np.stack([taken(score, float(k == 0)) for k, score in enumerate(scores)])
    doubt = -(shares * np.log(np.maximum(shares, 1e-6))).sum(axis=0) / np.log(len(scores))
    doubt = doubt.clip(0, 1)
    if gap is None:
        return shares.argmax(axis=0), doubt, None
    apart = trust * taken(gap, 0.0)
    return shares.argmax(axis=0), np.maximum(doubt, apart), apart


def organs(classes=4, seed=0, haze=3e-6):
    """Probabilities of soft balls in a background that is nearly sure."""
    chance, places = np.random.default_rng(seed), np.indices(WORKING.shape)
    logits = np.zeros((classes, *WORKING.shape))
    for k in range(1, classes):
        middle = chance.uniform(8, 26, size=3)[:, None, None, None]
        logits[k] = 2.0 * (chance.uniform(3, 6) - np.sqrt(((places - middle) ** 2).sum(axis=0)))
        logits[k] = np.maximum(logits[k], np.log(haze))
    logits[1:] += chance.normal(scale=0.3, size=logits[1:].shape)
    scores = np.exp(logits)
    return (scores / scores.sum(axis=0)).astype(np.float32)


def beside(spacing, shape, turn=None, flipped=(1, 1, 1)):
    """A scan around the middle of the working grid."""
    axes = np.diag(np.array(spacing) * flipped).astype(float)
    affine = np.eye(4)
    affine[:3, :3] = axes if turn is None else turn @ axes
    affine[:3, 3] = WORKING.center - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape=shape, affine=affine)


SCANS = {
    "finer": beside((0.9, 1.1, 2.3), (110, 100, 41)),
    "flipped": beside((0.9, 1.1, 2.3), (110, 100, 41), flipped=(-1, 1, -1)),
    "larger than what the network saw": beside((2.6, 2.6, 2.1), (50, 46, 50)),
    "other order of axes": beside((1, 1, 1), (50, 60, 70), turn=np.eye(3)[[2, 0, 1]]),
    "oblique": beside((1.3, 1.3, 4.0), (90, 80, 25), turn=rotation(5)),
}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", SCANS)
def test_labels_are_the_same_to_the_voxel_and_doubt_to_less_than_its_file_tells(name, order):
    scores, target = organs(), SCANS[name]
    labels, doubt, apart = write_back(scores, WORKING, target, matrix=np.eye(4), order=order)
    assert labels.flags[f"{order}_CONTIGUOUS"]
    slow_labels, slow_doubt, _ = everywhere(scores, WORKING, target, np.eye(4))
    assert np.array_equal(labels, slow_labels)
    assert len(np.unique(labels)) == 4
    assert np.abs(doubt - slow_doubt).max() < STEP / 2
    assert apart is None


@pytest.mark.parametrize("name", ["finer", "oblique"])
@pytest.mark.parametrize("trust", [1.0, 0.4])
def test_so_it_is_of_two_scans_that_contradict_each_other_after_a_registration(name, trust):
    scores, target = organs(), SCANS[name]
    gap = np.zeros(WORKING.shape, np.float32)
    gap[12:17, 10:15, 8:13] = 0.9  # the other scan alone sees something there
    found = write_back(scores, WORKING, target, matrix=turned(), gap=gap, trust=trust)
    slow = everywhere(scores, WORKING, target, turned(), gap, trust)
    assert np.array_equal(found[0], slow[0])
    assert slow[2].max() > 0.5 * trust
    for fast, plain in zip(found[1:], slow[1:], strict=True):
        assert np.abs(fast - plain).max() < STEP / 2


def test_a_block_of_a_coarse_or_tilted_scan_is_worth_its_overhead():
    thick = Grid(shape=(256, 256, 38), affine=np.diag([1.25, 1.25, 7.7, 1.0]))
    for least, most in ((module.LEAST, 200), (module.LEAST_OBLIQUE, 40)):
        boxes = list(itertools.product(*module.cuts(thick, least)))
        assert len(boxes) <= most
        sizes = [np.prod([cut.stop - cut.start for cut in box]) for box in boxes]
        assert sum(sizes) == thick.size


def test_the_cost_follows_the_organs_and_not_the_scan(monkeypatch):
    monkeypatch.setattr(module, "LEAST", 2**12)  # the scan is small, too
    seen = []
    decided = module._decided
    monkeypatch.setattr(module, "_decided", lambda s, k: seen.append(s[0].size) or decided(s, k))
    scores = organs()
    write_back(scores, WORKING, SCANS["finer"], matrix=np.eye(4))
    assert 0 < sum(seen) < 0.7 * SCANS["finer"].size
    seen.clear()
    scores[0], scores[1:] = 1, 0
    labels, doubt, _ = write_back(scores, WORKING, SCANS["finer"], matrix=np.eye(4))
    assert not seen
    assert not labels.any()
    assert not doubt.any()


def test_it_is_the_argmax_and_the_entropy_of_the_shares():
    scores = np.random.default_rng(0).dirichlet(np.ones(4), WORKING.shape).astype(np.float32)
    scores = np.moveaxis(scores, -1, 0)
    labels, entropy, _ = write_back(scores, WORKING, WORKING, matrix=np.eye(4))
    assert np.array_equal(labels, scores.argmax(axis=0))
    expected = -(scores * np.log(scores)).sum(axis=0) / np.log(4)
    np.testing.assert_allclose(entropy, expected, atol=1e-3)


def test_beyond_the_working_grid_all_is_background_without_doubt():
    scores = np.zeros((3, *WORKING.shape), np.float32)
    scores[2] = 1
    shift = np.eye(4)
    shift[0, 3] = 200
    labels, entropy, _ = write_back(scores, WORKING, WORKING.moved(shift), matrix=np.eye(4))
    assert not labels.any()
    assert not entropy.any()


@pytest.mark.skipif(not hasattr(mmap, "MADV_NOHUGEPAGE"), reason="Linux tells of its memory")
def test_a_large_scan_takes_memory_where_organs_are_only():
    scores = organs()
    fine = Grid(shape=(1000, 900, 150), affine=np.diag([0.6, 0.6, 3.0, 1.0]))
    page = os.sysconf("SC_PAGE_SIZE")

    def taken():
        return int(Path("/proc/self/statm").read_text().split()[1]) * page

    write_back(scores, WORKING, fine, matrix=np.eye(4), order="F")  # what a first time takes
    before = taken()
    labels, doubt, _ = write_back(scores, WORKING, fine, matrix=np.eye(4), order="F")
    assert labels.any()
    assert taken() - before < 0.2 * (labels.nbytes + doubt.nbytes)
