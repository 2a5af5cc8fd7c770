"""Alignment: conventions, the header's right of way, words of refusal."""

from pathlib import Path

import numpy as np
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging.align import align, describe
from cmcseg.imaging.files import read_volume
from cmcseg.imaging.resample import resample

SCANS = Path(__file__).resolve().parents[2].parent / "shared" / "data"
GRID = Grid(shape=(48, 44, 40), affine=np.diag([4.0, 4.0, 4.0, 1.0]))


@pytest.fixture
def a_scan():
    x, y, z = (GRID.world(np.stack(np.indices(GRID.shape), -1))[..., a] for a in range(3))
    body = ((x - 94) / 80) ** 2 + ((y - 86) / 70) ** 2 + ((z - 78) / 70) ** 2 < 1
    lump = ((x - 60) / 30) ** 2 + ((y - 70) / 20) ** 2 + ((z - 90) / 25) ** 2 < 1
    dot = ((x - 120) / 18) ** 2 + ((y - 100) / 25) ** 2 + ((z - 60) / 15) ** 2 < 1
    noise = np.random.default_rng(0).normal(size=GRID.shape) * 0.02
    return Volume(array=(body * 0.4 + lump * 0.5 + dot * 0.25 + noise).astype("f4"), grid=GRID)


def moved(scan, matrix):
    """The same body in another contrast, moved in the world by ``matrix``."""
    array = resample(scan.array, GRID, GRID, matrix=matrix, smooth=False)
    return Volume(array=np.abs(array - 0.6).astype("f4"), grid=GRID)


def cut(grid, low, shape):
    affine = grid.affine.copy()
    affine[:3, 3] = grid.world(low)
    return Grid(shape=shape, affine=affine)


def run(fixed, moving, method):
    return align(fixed, moving, method=method, fixed_role="ct", moving_role="mr")


def test_a_known_shift_is_found_and_undone(a_scan):
    motion = np.eye(4)
    motion[:3, 3] = (10.0, -6.0, 0.0)
    found = run(a_scan, moved(a_scan, motion), "rigid")
    residual = (found.matrix @ motion @ np.append(GRID.center, 1))[:3] - GRID.center
    assert np.linalg.norm(residual) < 3.0
    assert found.method == "rigid"


def test_auto_keeps_the_header_when_it_is_right(a_scan):
    found = run(a_scan, moved(a_scan, np.eye(4)), "auto")
    assert found.method == "header"
    assert np.array_equal(found.matrix, np.eye(4))


def test_what_was_placed_by_hand_stays_there_and_is_trusted(a_scan):
    motion = np.eye(4)
    motion[:3, 3] = (500.0, 0.0, 0.0)  # where the files show no common place at all
    far = Volume(array=a_scan.array, grid=GRID.moved(motion))
    back = np.linalg.inv(motion)
    roles = {"fixed_role": "ct", "moving_role": "mr"}
    found = align(a_scan, far, method="auto", by_hand=back, **roles)
    assert np.array_equal(found.matrix, back)
    assert (found.method, found.trust) == ("hand", 1.0)
    assert found.sentence().startswith("Placed by hand: moved 500.0 mm, turned 0.0 degrees (")


def test_noise_gets_no_confidence(a_scan):
    noise = np.random.default_rng(3).normal(size=GRID.shape).astype("f4")
    assert run(a_scan, Volume(array=noise, grid=GRID), "none").confidence < 0.05
    assert run(a_scan, Volume(array=noise, grid=GRID), "rigid").confidence < 0.05


def test_it_does_not_matter_which_scan_is_the_smaller_one(a_scan):
    motion = np.eye(4)
    motion[:3, 3] = (8.0, 5.0, -4.0)
    other = moved(a_scan, motion)
    part = Volume(
        array=other.array[4:44, 4:40, 3:37].copy(), grid=cut(GRID, (4, 4, 3), (40, 36, 34))
    )
    there, back = run(a_scan, part, "rigid"), run(part, a_scan, "rigid")
    center = np.append(GRID.center, 1)
    assert np.linalg.norm((there.matrix @ motion @ center - center)[:3]) < 3.0
    assert np.linalg.norm((back.matrix @ center - motion @ center)[:3]) < 3.0


@pytest.mark.skipif(not SCANS.exists(), reason="the folder of real scans is not here")
def test_two_different_people_get_no_confidence():
    ct, mr = (read_volume(SCANS / "smoke" / f"{role}.nii.gz") for role in ("ct", "mr"))
    assert run(ct, mr, "auto").confidence < 0.2


@pytest.mark.skipif(not SCANS.exists(), reason="the folder of real scans is not here")
def test_one_heart_in_two_sequences_gets_confidence():
    images = SCANS / "heart" / "images"
    lge, cine = (read_volume(images / f"01_{role}.nii.gz") for role in ("lge", "bssfp"))
    assert run(lge, cine, "auto").confidence > 0.8


def few_slices(scan, mm=16.0, count=3):
    """Some slices of a scan, far apart."""
    affine = np.diag([4.0, 4.0, mm, 1.0])
    affine[:3, 3] = GRID.world((0, 0, 12))
    stack = Grid(shape=(48, 44, count), affine=affine)
    return Volume(array=resample(scan.array, GRID, stack, smooth=False), grid=stack)


def test_three_slices_that_lie_right_are_trusted_and_slices_of_another_place_are_not(a_scan):
    other = moved(a_scan, np.eye(4))
    stack = few_slices(a_scan)
    assert run(stack, few_slices(other), "none").confidence > 0.9
    aside = np.eye(4)
    aside[:3, 3] = (24.0, -16.0, 0.0)
    assert run(stack, few_slices(moved(a_scan, aside)), "none").confidence < 0.1


@pytest.mark.skipif(not SCANS.is_dir(), reason="the real scans are not at hand")
@pytest.mark.parametrize("case", ["09", "16"])  # three and four slices, 15 mm apart
def test_a_real_pair_of_few_slices_is_trusted_and_a_stranger_is_not(case):
    folder = SCANS / "heart" / "myops" / "images"
    first = read_volume(folder / f"{case}_bssfp.nii.gz")
    assert run(first, read_volume(folder / f"{case}_lge.nii.gz"), "none").confidence > 0.1
    stranger = read_volume(folder / "39_lge.nii.gz")
    affine = first.grid.affine.copy()
    middle = (np.array(stranger.grid.shape) - 1) / 2
    affine[:3, 3] = first.grid.center - affine[:3, :3] @ middle
    laid = Volume(array=stranger.array, grid=Grid(shape=stranger.grid.shape, affine=affine))
    assert run(first, laid, "none").confidence < 0.1


def test_the_tilt_is_that_of_the_slices_and_cubes_have_none():
    def stack(spacing, degrees):
        a = np.radians(degrees)
        affine = np.diag([*spacing, 1.0])
        turn = [[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]
        affine[:3, :3] = np.array(turn) @ affine[:3, :3]
        return Grid(shape=(20, 20, 20), affine=affine)

    axial = stack((1, 1, 6), 0)
    assert describe(axial, stack((1, 1, 8), 30)).tilt_deg == pytest.approx(30)
    assert describe(axial, stack((1, 6, 1), 0)).tilt_deg == pytest.approx(90)  # a coronal stack
    assert describe(axial, stack((2, 2, 2), 0)).tilt_deg == pytest.approx(0)


def test_scans_far_apart_are_refused_in_plain_words(a_scan):
    away = np.eye(4)
    away[2, 3] = 812.0
    far = Volume(array=a_scan.array, grid=GRID.moved(away))
    with pytest.raises(
        BadInput, match=r"^The MR does not overlap the CT \(centres 812 mm apart\)\."
    ):
        run(a_scan, far, "auto")
