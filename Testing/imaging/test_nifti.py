"""NIfTI bytes: nibabel and SimpleITK are the independent twins."""

import gzip
import itertools

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.imaging import nifti
from cmcseg.imaging.resample import grid_of

SHAPE = (5, 6, 7)
TYPES = ("u1", "i2", "i4", "f4", "f8", "i1", "u2", "u4", "i8", "u8")


def turned(*degrees):
    """A rotation about z, y and x."""
    (a, b, c) = np.radians(degrees)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    return about_z @ about_y @ about_x


def placed(axes, spacing=(0.7, 0.8, 2.5), origin=(100.123, -200.3, 33.0), shape=SHAPE):
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(axes) * spacing
    affine[:3, 3] = origin
    return Grid(shape=shape, affine=affine)


def all_orientations():
    """The 48 ways in which axes can be permuted and flipped, half of them left-handed."""
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            yield np.eye(3)[:, order] * signs


def some_voxels(dtype="i2", shape=SHAPE):
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


def test_every_orientation_comes_back_and_both_twins_agree(tmp_path):
    path = tmp_path / "a.nii"
    voxels = some_voxels()
    for axes in all_orientations():
        grid = placed(axes)
        nifti.write(voxels, grid, path)
        array, back, facts = nifti.read(path)
        assert np.array_equal(array, voxels)
        assert back.agrees_with(grid, tolerance_mm=1e-4)
        assert facts == {}
        twin = nibabel.load(path)
        assert np.allclose(twin.get_sform(), grid.affine, atol=1e-4)
        assert np.allclose(twin.get_qform(), grid.affine, atol=1e-4)
        assert np.array_equal(twin.dataobj, voxels)
        assert grid_of(sitk.ReadImage(str(path))).agrees_with(grid, tolerance_mm=1e-3)


@pytest.mark.parametrize("degrees", [(20, 0, 0), (11, -25, 63), (180, 0, 0), (90, 90, 179.9)])
@pytest.mark.parametrize("handed", [1, -1])
def test_oblique_grids_come_back_through_sform_and_qform_alike(tmp_path, degrees, handed):
    path = tmp_path / "a.nii.gz"
    grid = placed(turned(*degrees) * (1, 1, handed))
    nifti.write(some_voxels(), grid, path)
    assert nifti.read(path)[1].agrees_with(grid, tolerance_mm=1e-4)
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[254:256] = bytes(2)  # the sform's code: now only the quaternion is left
    path.write_bytes(gzip.compress(bytes(data)))
    assert nifti.read(path)[1].agrees_with(grid, tolerance_mm=1e-3)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("order", "<>")
def test_every_type_is_read_as_nibabel_reads_it_in_both_byte_orders(tmp_path, kind, order):
    path = tmp_path / "a.nii"
    voxels = some_voxels(kind)
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(np.dtype(order + kind))
    big = nibabel.Nifti1Image(voxels, placed(turned(1, 2, 3)).affine, header)
    nibabel.save(big, path)
    assert path.read_bytes()[:4] == np.array(348, dtype=order + "i4").tobytes()
    array, grid, _ = nifti.read(path)
    assert array.dtype == np.dtype(kind)
    assert array.flags.f_contiguous
    assert np.array_equal(array, np.asanyarray(nibabel.load(path).dataobj))
    assert np.allclose(grid.affine, nibabel.load(path).affine, atol=1e-4)


def test_nifti_2_is_read(tmp_path):
    grid = placed(turned(10, 20, 30))
    nibabel.save(nibabel.Nifti2Image(some_voxels(), grid.affine), tmp_path / "a.nii.gz")
    array, back, _ = nifti.read(tmp_path / "a.nii.gz")
    assert np.array_equal(array, some_voxels())
    assert back.agrees_with(grid, tolerance_mm=1e-9)


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_is_written_as_nibabel_expects_it(tmp_path, kind):
    nifti.write(some_voxels(kind), placed(np.eye(3)), tmp_path / "a.nii.gz")
    twin = nibabel.load(tmp_path / "a.nii.gz")
    assert twin.get_data_dtype() == np.dtype(kind)
    assert np.array_equal(np.asanyarray(twin.dataobj), some_voxels(kind))


def test_slope_and_intercept_are_applied_and_a_plain_file_stays_integer(tmp_path):
    image = nibabel.Nifti1Image(some_voxels(), np.eye(4))
    image.header.set_slope_inter(2.5, -1000)
    nibabel.save(image, tmp_path / "scaled.nii")
    array, _, _ = nifti.read(tmp_path / "scaled.nii")
    assert array.dtype == np.float32
    assert np.allclose(array, nibabel.load(tmp_path / "scaled.nii").get_fdata(), atol=1e-3)
    nibabel.save(nibabel.Nifti1Image(some_voxels(), np.eye(4)), tmp_path / "plain.nii")
    assert nifti.read(tmp_path / "plain.nii")[0].dtype == np.int16


def test_units_of_metres_become_millimetres(tmp_path):
    affine = np.diag([0.001, 0.002, 0.003, 1.0])
    image = nibabel.Nifti1Image(some_voxels(), affine)
    image.header.set_xyzt_units("meter")
    nibabel.save(image, tmp_path / "a.nii")
    assert np.allclose(nifti.read(tmp_path / "a.nii")[1].spacing, (1, 2, 3))


def test_of_two_positions_the_one_that_itk_takes_is_taken_and_told(tmp_path):
    path = tmp_path / "a.nii"
    there, elsewhere = (
        placed(turned(5, 0, 0)),
        placed(turned(5, 0, 0), origin=(130.123, -200.3, 33)),
    )
    for s_code, q_code in itertools.product((0, 1, 2, 4), (0, 1, 2)):
        if not (s_code or q_code):
            continue
        image = nibabel.Nifti1Image(some_voxels(), None)
        image.set_sform(there.affine, s_code)
        image.set_qform(elsewhere.affine, q_code)
        nibabel.save(image, path)
        _, grid, facts = nifti.read(path)
        assert grid.agrees_with(grid_of(sitk.ReadImage(str(path))), tolerance_mm=1e-3)
        told = "The file gives two positions that lie up to 30 mm apart."
        assert facts == ({"note": told} if s_code and q_code else {})


def test_a_file_without_a_position_is_read_as_itk_does_and_told(tmp_path):
    image = nibabel.Nifti1Image(some_voxels(), None)
    image.header["pixdim"][1:4] = (0.7, 0.8, 2.5)
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nibabel.save(image, tmp_path / "a.nii")
    _, grid, facts = nifti.read(tmp_path / "a.nii")
    assert grid.agrees_with(grid_of(sitk.ReadImage(str(tmp_path / "a.nii"))), tolerance_mm=1e-4)
    assert facts == {"note": "The file does not say where in the patient it lies."}


def test_the_same_input_gives_the_same_bytes(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        nifti.write(some_voxels(), placed(np.eye(3)), tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_a_damaged_header_is_refused_in_words_or_read_but_nothing_else_happens(tmp_path):
    path = tmp_path / "a.nii"
    nifti.write(some_voxels(), placed(turned(10, 20, 30)), path)
    good = path.read_bytes()
    dice = np.random.default_rng(1)
    read, refused = 0, []
    for _ in range(300):
        data = bytearray(good)
        for position in dice.integers(0, 352, dice.integers(1, 5)):
            data[position] = dice.choice([0, 1, 127, 128, 255, dice.integers(0, 256)])
        path.write_bytes(bytes(data))
        try:
            array, grid, _ = nifti.read(path)
            assert array.shape == grid.shape
            read += 1
        except BadInput as error:
            refused.append(str(error))
    assert min(read, len(refused)) > 30
    assert all(words.startswith(("a.nii", "The header of a.nii")) for words in refused)
