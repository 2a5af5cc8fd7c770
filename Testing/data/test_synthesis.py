from dataclasses import asdict

import numpy as np
import pytest
import SimpleITK as sitk
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Label, LabelTable
from cmcseg.data.phantoms.build import draw_build
from cmcseg.data.phantoms.solids import (
    Block,
    band,
    ellipsoid,
    pipe,
    smooth_max,
    smooth_min,
    smooth_noise,
)
from cmcseg.data.synthesis import KINDS, _warp_field, make_pair, true_motion
from cmcseg.imaging.resample import resample_labels
from cmcseg.imaging.role_checks import looks_like_ct

MOTION = {
    "abdomen": {"seed": 3, "shift_mm": 12.0, "angle_deg": 6.0},
    "heart": {"seed": 5, "shift_mm": 9.0, "angle_deg": 7.0},
}


def table_of(task):
    labels = [Label(value=k, name=n, color="#808080") for k, n in enumerate(KINDS[task].organs, 1)]
    return LabelTable(labels=tuple(labels))


@pytest.fixture(scope="module")
def abdomen():
    return make_pair("abdomen", table_of("abdomen"), **MOTION["abdomen"])


@pytest.fixture(scope="module")
def heart():
    return make_pair("heart", table_of("heart"), **MOTION["heart"])


@pytest.fixture(scope="module")
def orbit():
    return make_pair("orbit", table_of("orbit"), seed=4, shift_mm=3.0)


@pytest.fixture(scope="module")
def pairs(abdomen, heart, orbit):
    return {"abdomen": abdomen, "heart": heart, "orbit": orbit}


def centroid(scan, organ):
    """RAS position of an organ's middle in mm."""
    value = scan.truth.table.named(organ).value
    return scan.truth.grid.world(np.argwhere(scan.truth.array == value).mean(axis=0))


def brightness(scan, organ):
    value = scan.truth.table.named(organ).value
    return float(np.median(scan.volume.array[scan.truth.array == value]))


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def gap_mm(scan, one, other):
    """Shortest distance between the voxels of two organs."""
    one, other = (scan.truth.array == scan.truth.table.named(name).value for name in (one, other))
    places = np.argwhere(other)
    box = tuple(slice(a, b) for a, b in zip(places.min(0), places.max(0) + 1, strict=True))
    inside = sitk.GetImageFromArray(one[box].transpose(2, 1, 0).astype(np.uint8))
    inside.SetSpacing(scan.truth.grid.spacing)
    far = sitk.SignedMaurerDistanceMap(inside, squaredDistance=False, useImageSpacing=True)
    return float(sitk.GetArrayFromImage(far).transpose(2, 1, 0)[other[box]].min())


def small_grid(shape=(40, 36, 30), step=2.0):
    return Grid(shape=shape, affine=np.diag([step, step, step, 1.0]))


class TestPair:
    def test_the_same_arguments_give_the_same_bytes(self, heart):
        again = make_pair("heart", table_of("heart"), **MOTION["heart"])
        for role, scan in heart.items():
            assert scan.volume.array.tobytes() == again[role].volume.array.tobytes()
            assert scan.truth.array.tobytes() == again[role].truth.array.tobytes()
            assert scan.volume.grid.affine.tobytes() == again[role].volume.grid.affine.tobytes()

    def test_motion_changes_the_second_scan_only(self, heart):
        warped = make_pair("heart", table_of("heart"), **MOTION["heart"], elastic_mm=4.0)
        assert np.array_equal(warped["bssfp"].volume.array, heart["bssfp"].volume.array)
        assert np.array_equal(warped["bssfp"].truth.array, heart["bssfp"].truth.array)
        overlap = dice(heart["lge"].truth.array > 0, warped["lge"].truth.array > 0)
        assert 0.6 < overlap < 0.97

    def test_another_seed_gives_another_person(self):
        one, other = (asdict(draw_build(np.random.default_rng(seed))) for seed in (1, 2))
        same = {key for key in one if one[key] == other[key]}
        assert same <= {"gallbladder", "lesions", "scar"}  # these may be missing in both

    @pytest.mark.parametrize(
        ("task", "organ", "low", "high"),
        [  # nearly all of 34 abdomens and 39 hearts of adults lie within
            ("abdomen", "liver", 900, 2700),
            ("abdomen", "right kidney", 75, 300),
            ("abdomen", "left kidney", 75, 300),
            ("abdomen", "spleen", 60, 600),
            ("heart", "right ventricle", 60, 220),
            ("heart", "myocardium", 85, 190),
            ("heart", "left ventricle", 75, 240),
            # Both sides together.
            ("orbit", "eye muscles", 3, 14),
            ("orbit", "globe", 11, 18),
            ("orbit", "orbital fat", 15, 45),
        ],
    )
    def test_organs_are_as_large_as_in_real_adults(self, pairs, task, organ, low, high):
        volumes = [scan.truth.volumes_ml()[organ] for scan in pairs[task].values()]
        assert all(low < volume < high for volume in volumes)
        # Slices may miss the ends of a heart.
        assert volumes[0] == pytest.approx(volumes[1], rel=0.03 if task == "abdomen" else 0.4)

    def test_the_known_motion_brings_every_centroid_back(self, abdomen):
        motion = true_motion("abdomen", *MOTION["abdomen"].values())
        for organ in KINDS["abdomen"].organs:
            still, moved = (centroid(scan, organ) for scan in abdomen.values())
            assert np.linalg.norm(moved - still) > 5.0, organ
            assert np.linalg.norm(motion[:3, :3] @ moved + motion[:3, 3] - still) < 2.0, organ

    def test_the_known_motion_lays_the_heart_on_itself(self, heart):
        still, moved = heart["bssfp"].truth, heart["lge"].truth
        there = np.linalg.inv(true_motion("heart", *MOTION["heart"].values()))
        known = resample_labels(still, moved.grid, matrix=there)
        naive = resample_labels(still, moved.grid)
        for label, slack in zip(moved.table, (0.06, 0.12, 0.05), strict=True):
            assert dice(known == label.value, moved.array == label.value) > 1 - slack, label.name
            assert dice(naive == label.value, moved.array == label.value) < 0.9, label.name

    def test_every_organ_lies_on_its_side_of_the_body(self, abdomen):
        for scan in abdomen.values():
            liver, right, left, spleen = (
                centroid(scan, organ) for organ in KINDS["abdomen"].organs
            )
            middle = (right[0] + left[0]) / 2
            assert liver[0] > middle + 30  # RAS: the patient's right is positive
            assert spleen[0] < middle - 50
            assert 90 < right[0] - left[0] < 190
            assert liver[1] > right[1] + 15  # in front of the kidney
            assert min(liver[2], spleen[2]) > max(right[2], left[2]) + 20  # above both

    def test_neighbours_touch(self, abdomen, heart):
        assert gap_mm(abdomen["ct"], "liver", "right kidney") < 5
        assert gap_mm(abdomen["ct"], "spleen", "left kidney") < 6
        assert gap_mm(heart["bssfp"], "left ventricle", "myocardium") < 1.3
        assert gap_mm(heart["bssfp"], "right ventricle", "myocardium") < 2.6

    def test_muscle_surrounds_the_left_ventricle_in_the_middle_slices(self, heart):
        for scan in heart.values():
            truth = scan.truth.array
            slices = np.flatnonzero((truth == 3).any(axis=(0, 1)))
            for k in slices[len(slices) // 3 : len(slices) // 2]:
                blood = np.pad(truth[:, :, k] == 3, 1)
                rim = sum(np.roll(blood, s, a) for s in (-1, 1) for a in (0, 1)) > 0
                rim = (rim & ~blood)[1:-1, 1:-1]
                assert (truth[:, :, k][rim] == 2).all()

    def test_an_orbit_has_its_globe_in_front_and_its_nerve_behind(self, orbit):
        for scan in orbit.values():
            globe, nerve = centroid(scan, "globe"), centroid(scan, "optic nerve")
            assert 15 < globe[1] - nerve[1] < 40
            places = scan.truth.grid.world(np.argwhere(scan.truth.array == 3))
            left, right = np.sort(places[:, 0])[[0, -1]]
            assert 75 < right - left < 105  # from the outside of one globe to that of the other

    def test_fat_shines_in_t1_and_is_dark_where_it_is_suppressed(self, orbit):
        t1, t2 = orbit["t1"], orbit["t2"]
        assert brightness(t1, "orbital fat") > 1.5 * brightness(t1, "eye muscles")
        assert brightness(t2, "orbital fat") < 0.8 * brightness(t2, "eye muscles")

    def test_scanners_see_what_they_are_known_for(self, abdomen, heart):
        ct, mr = abdomen["ct"], abdomen["mr"]
        assert looks_like_ct(ct.volume)
        assert not looks_like_ct(mr.volume)
        assert brightness(ct, "left kidney") > brightness(ct, "liver") + 10
        assert brightness(mr, "right kidney") > 1.4 * brightness(mr, "liver")
        assert brightness(mr, "spleen") > 1.3 * brightness(mr, "liver")
        for scan, contrast in ((heart["bssfp"], 1.6), (heart["lge"], 2.0)):
            for chamber in ("left ventricle", "right ventricle"):
                assert brightness(scan, chamber) > contrast * brightness(scan, "myocardium")

    def test_files_lie_in_space_as_scanners_write_them(self, abdomen, heart):
        ct, mr = abdomen["ct"].volume.grid, abdomen["mr"].volume.grid
        assert 1.2 <= ct.spacing[0] == ct.spacing[1] <= 1.6
        assert 3 <= ct.spacing[2] <= 5
        assert mr.spacing == pytest.approx((1.25, 1.25, 7.7))
        assert mr.shape[:2] == (256, 256)
        assert np.array_equal(mr.direction, np.diag([-1.0, 1.0, 1.0]))
        bssfp, lge = heart["bssfp"].volume.grid, heart["lge"].volume.grid
        assert bssfp.spacing == pytest.approx((1.25, 1.25, 8.0))
        assert lge.spacing == pytest.approx((0.75, 0.75, 5.0), abs=0.03)
        assert bssfp.direction[:, 2] @ (0.65, -0.67, 0.35) > 0.9
        assert bssfp.direction == pytest.approx(lge.direction, abs=1e-6)
        assert np.linalg.norm(bssfp.center) < 200

    def test_an_unknown_task_is_refused(self):
        with pytest.raises(
            BadInput, match="no phantom for 'knee'; there are abdomen, heart, orbit"
        ):
            make_pair("knee", table_of("heart"), seed=0)

    def test_an_organ_the_phantom_lacks_is_refused(self):
        wanted = "The heart phantom has no 'liver'; it has right ventricle, myocardium, left"
        with pytest.raises(BadInput, match=wanted):
            make_pair("heart", table_of("abdomen"), seed=0)

    def test_a_negative_seed_is_refused(self):
        with pytest.raises(BadInput, match="seed is a whole number from 0 on, not -1"):
            true_motion("heart", -1, 0.0, 0.0)


class TestMotion:
    def test_no_motion_is_the_identity(self):
        assert true_motion("abdomen", 7, 0.0, 0.0) == pytest.approx(np.eye(4), abs=1e-12)

    @pytest.mark.parametrize("task", ["abdomen", "heart"])
    def test_it_is_rigid_and_as_large_as_asked(self, task):
        moved = true_motion(task, 2, 11.0, 0.0)
        assert np.linalg.norm(moved[:3, 3]) == pytest.approx(11.0)
        turned = true_motion(task, 2, 0.0, 25.0)[:3, :3]
        assert turned @ turned.T == pytest.approx(np.eye(3), abs=1e-12)
        assert np.degrees(np.arccos((np.trace(turned) - 1) / 2)) == pytest.approx(25.0)

    def test_the_warp_has_the_root_mean_square_that_was_asked_for(self):
        field = _warp_field(small_grid((90, 80, 70)), 3.0, np.random.default_rng(0))
        squares = (sitk.GetArrayFromImage(field) ** 2).sum(axis=-1)
        assert np.sqrt(squares.mean()) == pytest.approx(3.0, rel=1e-5)


class TestSolids:
    def test_an_ellipsoid_is_zero_on_its_surface_and_positive_inside(self):
        solid = ellipsoid((1, 2, 3), (10, 20, 30))
        x, y, z = np.array([[11, 2, 3], [1, 22, 3], [1, 2, 33], [1, 2, 4], [1, 2, 43]], float).T
        assert solid(x, y, z)[:3] == pytest.approx(0, abs=1e-4)
        assert solid(x, y, z)[3] > 5
        assert solid(x, y, z)[4] < -8

    def test_a_pipe_measures_exact_distances(self):
        solid = pipe((0, 0, 0), (0, 0, 10), 3, 5)
        x, y, z = np.array([[0, 0, 0], [5, 0, 5], [0, 0, 18]], float).T
        assert solid(x, y, z) == pytest.approx([3, -1, -3])

    def test_smooth_joints_agree_with_sharp_ones_away_from_the_seam(self):
        a, b = np.array([10.0, -3.0, 1.0]), np.array([2.0, 9.0, 1.0])
        assert smooth_min(a, b, 4)[:2] == pytest.approx([2, -3])
        assert smooth_max(a, b, 4)[:2] == pytest.approx([10, 9])
        assert smooth_min(a, b, 4)[2] == pytest.approx(0.0)

    def test_bands_measure_to_the_nearest_plane(self):
        assert band(np.array([0.0, 3.0, 9.0, 11.0]), 10.0, 0.0) == pytest.approx([0, 3, 1, 1])

    def test_smooth_noise_has_unit_deviation_and_no_steps(self):
        noise = smooth_noise(np.random.default_rng(1), small_grid((100, 90, 80)), scale_mm=8.0)
        assert noise.dtype == np.float32
        assert noise.std() == pytest.approx(1.0, abs=0.08)
        assert np.abs(np.diff(noise, axis=0)).max() < 1.6

    def test_a_layer_keeps_only_the_voxels_that_it_fills(self):
        block = Block(small_grid(), np.zeros(3), np.random.default_rng(2), bend_mm=0.0)
        layer = block.add("liver", ellipsoid((40, 36, 30), (9, 9, 9)), block.everywhere())
        assert layer.share.shape == tuple(s.stop - s.start for s in layer.box)
        assert layer.share.shape <= (11, 11, 11)
        volume = layer.share.sum() / 255 * 8
        assert volume == pytest.approx(4 / 3 * np.pi * 9**3, rel=0.03)

    def test_a_mask_cuts_a_layer_off(self):
        block = Block(small_grid(), np.zeros(3), np.random.default_rng(2), bend_mm=0.0)
        room = block.mask(ellipsoid((40, 36, 30), (9, 9, 9)), block.everywhere())
        far = block.add("vein", ellipsoid((70, 36, 30), (5, 5, 5)), block.everywhere(), within=room)
        near = block.add(
            "vein", ellipsoid((40, 36, 30), (5, 5, 5)), block.everywhere(), within=room
        )
        assert far.share.size == 0
        assert near.share.max() == 255
        assert len(block.layers) == 2
