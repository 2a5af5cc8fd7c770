"""Reading and writing: what comes back, what is refused and in which words."""

import gzip
import os
import re
import resource
import signal
import stat
from contextlib import contextmanager

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.core.volume import Volume
from cmcseg.imaging import header, nifti
from cmcseg.imaging.files import (
    read_label_map,
    read_volume,
    write_label_map,
    write_volume,
)
from cmcseg.imaging.header import ImageHeader, usable_grid

SHAPE = (5, 6, 7)
FORMATS = (".nii", ".nii.gz", ".nrrd", ".mha")


@pytest.fixture
def an_oblique_grid():
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = turn * (0.7, 0.8, 2.5)
    affine[:3, 3] = (100.123, -200.3, 1 / 3)
    return Grid(shape=SHAPE, affine=affine)


@pytest.fixture
def a_volume(an_oblique_grid):
    voxels = np.random.default_rng(0).integers(-1000, 2000, SHAPE).astype(np.int16)
    return Volume(array=voxels, grid=an_oblique_grid)


@pytest.fixture
def a_table():
    names = ("liver", "spleen")
    return LabelTable(
        labels=tuple(
            Label(value=value, name=name, color="#aabbcc") for value, name in enumerate(names, 1)
        )
    )


@pytest.fixture
def a_label_map(an_oblique_grid, a_table):
    voxels = np.random.default_rng(1).choice([0, 1, 2, 255], SHAPE).astype(np.uint8)
    return LabelMap(array=voxels, grid=an_oblique_grid, table=a_table)


def refusal(path):
    with pytest.raises(BadInput) as caught:
        read_volume(path)
    return str(caught.value)


def saved(path, voxels, affine=None):
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4) if affine is None else affine), path)
    return path


def some_voxels(shape=SHAPE, dtype=np.int16):
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


@contextmanager
def files_of_at_most(count):
    """The disk is full after ``count`` bytes of any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


# What comes back


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_oblique_scan_comes_back_number_by_number_and_place_by_place(tmp_path, a_volume, suffix):
    path = tmp_path / f"scan{suffix}"
    write_volume(a_volume, path)
    back = read_volume(path)
    assert back.array.dtype == np.int16
    assert np.array_equal(back.array, a_volume.array)
    assert back.grid.agrees_with(a_volume.grid, tolerance_mm=1e-3)
    assert back.facts == {"source": "file"}


@pytest.mark.parametrize("suffix", FORMATS)
def test_simpleitk_reads_what_was_written_in_the_same_places(tmp_path, a_volume, suffix):
    path = tmp_path / f"scan{suffix}"
    write_volume(a_volume, path)
    image = sitk.ReadImage(str(path))
    assert image.GetPixel(1, 2, 3) == a_volume.array[1, 2, 3]
    left, back, up = image.TransformIndexToPhysicalPoint((1, 2, 3))
    assert np.allclose((-left, -back, up), a_volume.grid.world((1, 2, 3)), atol=1e-3)


@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
def test_headers_with_their_voxels_in_a_second_file_are_read(tmp_path, a_volume, suffix):
    write_volume(a_volume, tmp_path / "scan.nrrd")
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "scan.nrrd")), str(tmp_path / f"scan{suffix}"))
    back = read_volume(tmp_path / f"scan{suffix}")
    assert np.array_equal(back.array, a_volume.array)
    assert back.grid.agrees_with(a_volume.grid, tolerance_mm=1e-6)


@pytest.mark.parametrize("suffix", FORMATS)
def test_umlauts_spaces_and_other_scripts_in_a_path_work(tmp_path, a_volume, suffix):
    folder = tmp_path / "Müller 患者 (copy)"
    folder.mkdir()
    path = folder / f"Bild nº 1{suffix}"
    write_volume(a_volume, path)
    assert np.array_equal(read_volume(path).array, a_volume.array)


def test_a_label_map_comes_back_as_it_was(tmp_path, a_label_map):
    write_label_map(a_label_map, tmp_path / "labels.nii.gz")
    back = read_label_map(tmp_path / "labels.nii.gz", a_label_map.table)
    assert back.array.dtype == np.uint8
    assert np.array_equal(back.array, a_label_map.array)
    assert back.grid.agrees_with(a_label_map.grid)
    assert nibabel.load(tmp_path / "labels.nii.gz").get_data_dtype() == np.uint8


def test_a_label_map_without_any_organ_is_a_label_map(tmp_path, a_table):
    path = saved(tmp_path / "empty.nii.gz", np.zeros(SHAPE, np.uint8))
    assert not read_label_map(path, a_table).array.any()


def test_scribbles_use_their_own_number_for_not_annotated(tmp_path, a_table):
    voxels = np.random.default_rng(0).integers(0, 4, SHAPE).astype(np.float32)
    back = read_label_map(saved(tmp_path / "s.nii.gz", voxels), a_table, unannotated=3)
    assert np.array_equal(back.array == 255, voxels == 3)
    assert np.array_equal(back.array == 2, voxels == 2)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(np.float64, np.float32), (np.int64, np.int32), (np.uint32, np.int32), (np.uint8, np.uint8)],
)
def test_numbers_take_at_most_32_bits(tmp_path, dtype, expected):
    nifti.write(some_voxels(dtype=dtype), Grid(shape=SHAPE, affine=np.eye(4)), tmp_path / "a.nii")
    back = read_volume(tmp_path / "a.nii")
    assert back.array.dtype == expected
    assert np.array_equal(back.array, some_voxels())


def test_a_fourth_axis_of_one_frame_does_not_count(tmp_path):
    for suffix in (".nii.gz", ".nrrd"):
        image = sitk.JoinSeries([sitk.GetImageFromArray(some_voxels())])
        sitk.WriteImage(image, str(tmp_path / f"a{suffix}"))
        assert read_volume(tmp_path / f"a{suffix}").array.shape == SHAPE[::-1]


def test_the_modality_is_known_where_the_file_says_it(tmp_path, a_volume):
    write_volume(a_volume, tmp_path / "a.nrrd")
    image = sitk.ReadImage(str(tmp_path / "a.nrrd"))
    image.SetMetaData("0008|0060", "MR")
    image.SetMetaData("0010|0010", "Doe^Jane")
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    assert read_volume(tmp_path / "a.nrrd").facts == {"source": "file", "modality": "MR"}


@pytest.mark.parametrize(
    ("stated", "facts"), [("MET_MOD_CT", {"modality": "CT"}), ("MET_MOD_UNKNOWN", {})]
)
def test_metaimage_has_its_own_words_for_modalities(tmp_path, a_volume, stated, facts):
    path = tmp_path / "a.mha"
    write_volume(a_volume, path)
    line = f"ObjectType = Image\nModality = {stated}\n".encode()
    path.write_bytes(path.read_bytes().replace(b"ObjectType = Image\n", line))
    assert read_volume(path).facts == {"source": "file", **facts}


@pytest.mark.parametrize(
    ("suffix", "line"), [(".nrrd", rb"space.*\n"), (".mha", rb"ElementSpacing.*\n")]
)
def test_an_assumed_voxel_size_is_told(tmp_path, a_volume, suffix, line):
    path = tmp_path / f"a{suffix}"
    write_volume(a_volume, path)
    path.write_bytes(re.sub(line, b"", path.read_bytes()))
    back = read_volume(path)
    assert back.grid.spacing == pytest.approx((1, 1, 1))
    assert back.facts["note"] == "The file does not give its voxel size; 1 mm was assumed."


# What is refused, and how


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "nowhere.nii.gz"
    assert refusal(path) == f"There is no file {path}; check the name."


def test_a_pipe_is_not_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.nii")
    assert "pipe.nii is not a file; give NIfTI" in refusal(tmp_path / "pipe.nii")


def test_a_folder_is_not_a_label_map(tmp_path, a_table):
    with pytest.raises(BadInput, match=r"is a folder, not an image file\.$"):
        read_label_map(tmp_path, a_table)


def test_an_empty_file_is_called_empty(tmp_path):
    (tmp_path / "a.nii.gz").touch()
    assert refusal(tmp_path / "a.nii.gz") == (
        "a.nii.gz is empty (0 bytes); copy or export it again."
    )


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("share", [0.95, 0.5])
def test_a_file_that_was_cut_short_is_never_read(tmp_path, a_volume, suffix, share):
    path = tmp_path / f"cut{suffix}"
    write_volume(a_volume, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert re.search("damaged|cut short", refusal(path))


def test_a_gzip_that_ends_early_is_told(tmp_path, a_volume):
    write_volume(a_volume, tmp_path / "cut.nii.gz")
    data = (tmp_path / "cut.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(data[:-100])
    assert refusal(tmp_path / "cut.nii.gz") == (
        "cut.nii.gz is damaged or was cut short (its compressed data end too early or do not fit "
        "together); copy or export it again."
    )


def test_a_flipped_bit_inside_a_gzip_is_noticed(tmp_path, a_volume):
    write_volume(a_volume, tmp_path / "a.nii.gz")
    data = bytearray((tmp_path / "a.nii.gz").read_bytes())
    data[len(data) // 2] ^= 4
    (tmp_path / "a.nii.gz").write_bytes(bytes(data))
    assert "a.nii.gz is damaged or was cut short" in refusal(tmp_path / "a.nii.gz")


def test_a_packed_file_that_holds_too_little_is_told(tmp_path, a_volume):
    write_volume(a_volume, tmp_path / "a.nii")
    data = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "short.nii.gz").write_bytes(gzip.compress(data[:-20]))
    assert "short.nii.gz was cut short: 400 of 420 bytes of voxels" in refusal(
        tmp_path / "short.nii.gz"
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_text_with_an_image_name_is_not_an_image(tmp_path, suffix):
    path = tmp_path / f"letter{suffix}"
    path.write_text("Dear colleague, " * 50)
    assert re.match(rf"letter{suffix} is not an? (NIfTI )?image, ", refusal(path))


@pytest.mark.parametrize("name", ["letter.txt", "picture.png", "noname"])
def test_other_kinds_of_files_are_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"some bytes")
    assert refusal(tmp_path / name) == (
        f"{name} is not an image that this program reads; give NIfTI (.nii, .nii.gz), NRRD "
        "(.nrrd, .nhdr), MetaImage (.mha, .mhd) or a DICOM folder."
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_flat_image_is_not_a_scan(tmp_path, suffix):
    path = tmp_path / f"flat{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(some_voxels((8, 9))), str(path))
    assert refusal(path) == (
        f"flat{suffix} is 2-D (9 x 8), not a 3-D scan; give the whole stack of slices as one file "
        "or as a DICOM folder."
    )


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_film_is_refused_with_its_number_of_frames(tmp_path, suffix):
    path = tmp_path / f"film{suffix}"
    frames = [sitk.GetImageFromArray(some_voxels((7, 6, 5)))] * 4
    sitk.WriteImage(sitk.JoinSeries(frames), str(path))
    assert refusal(path) == (
        f"film{suffix} is 4-D with 4 frames (5 x 6 x 7 x 4); save the frame you want as a 3-D "
        "image and give that."
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_colour_is_refused(tmp_path, suffix):
    path = tmp_path / f"rgb{suffix}"
    colour = sitk.GetImageFromArray(some_voxels((7, 6, 5, 3), np.uint8), isVector=True)
    sitk.WriteImage(colour, str(path))
    assert refusal(path) == (
        f"rgb{suffix} holds 3 values per voxel (colour or vectors), not one; give a greyscale "
        "image."
    )


@pytest.mark.parametrize("suffix", [".nii", ".nrrd"])
def test_complex_numbers_are_refused(tmp_path, suffix):
    path = tmp_path / f"k{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(some_voxels(dtype=np.complex64)), str(path))
    assert "complex" in refusal(path)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_is_refused_along_any_axis(tmp_path, suffix, axis):
    path = tmp_path / f"one{suffix}"
    shape = [5, 6, 7]
    shape[axis] = 1
    sitk.WriteImage(sitk.GetImageFromArray(some_voxels(shape[::-1])), str(path))
    assert refusal(path) == (
        f"one{suffix} has a single slice along axis {'ijk'[axis]} "
        f"({' x '.join(map(str, shape))}); a scan needs at least 2 voxels along every axis."
    )


def test_an_image_of_one_grey_is_refused(tmp_path):
    path = saved(tmp_path / "grey.nii.gz", np.full(SHAPE, 7, np.int16))
    assert refusal(path) == (
        "grey.nii.gz holds the same number (7) in every voxel, so there is nothing to see; export "
        "the scan again."
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_counted(tmp_path, bad):
    voxels = some_voxels(dtype=np.float32)
    voxels[1:3, 2, 4] = bad
    assert refusal(saved(tmp_path / "holes.nii.gz", voxels)) == (
        "holes.nii.gz holds NaN or infinity in 2 of 210 voxels; replace them, for example by the "
        "value of air."
    )


def test_doubles_beyond_32_bits_count_as_infinite(tmp_path):
    voxels = some_voxels(dtype=np.float64)
    voxels[0, 0, 0] = 1e300
    assert "NaN or infinity in 1 of 210 voxels" in refusal(saved(tmp_path / "a.nii", voxels))


@pytest.mark.parametrize(
    ("value", "told"), [(0, "1 x 1 x 0"), (-2, "1 x 1 x -2"), (np.nan, "1 x 1 x nan")]
)
def test_a_nifti_spacing_must_be_a_number_above_zero(tmp_path, value, told):
    path = saved(tmp_path / "a.nii", some_voxels())
    data = bytearray(path.read_bytes())
    data[88:92] = np.array(value, "<f4").tobytes()
    path.write_bytes(bytes(data))
    assert refusal(path) == (
        f"a.nii has the voxel spacing {told} mm; every spacing must be a number above 0, so "
        "repair the header or export the scan again."
    )


@pytest.mark.parametrize("value", ["0", "-2", "nan"])
def test_a_metaimage_spacing_must_be_a_number_above_zero(tmp_path, a_volume, value):
    path = tmp_path / "a.mha"
    write_volume(a_volume, path)
    data = re.sub(
        rb"ElementSpacing = .*", b"ElementSpacing = 1 1 " + value.encode(), path.read_bytes()
    )
    path.write_bytes(data)
    assert "a.mha" in refusal(path)


@pytest.mark.parametrize("value", ["0", "nan"])
def test_an_nrrd_spacing_must_be_a_number_above_zero(tmp_path, a_volume, value):
    path = tmp_path / "a.nrrd"
    write_volume(a_volume, path)
    triple = ",".join([value] * 3).encode()
    data = re.sub(
        rb"space directions: .*",
        b"space directions: (1,0,0) (0,1,0) (%b)" % triple,
        path.read_bytes(),
    )
    path.write_bytes(data)
    assert "a.nrrd" in refusal(path)


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha"])
def test_sheared_axes_are_refused_with_their_angle(tmp_path, suffix):
    path = tmp_path / f"tilted{suffix}"
    axes = np.eye(4)
    axes[:3, 2] = (0, np.sin(np.radians(15)), np.cos(np.radians(15)))
    if suffix == ".nii":
        image = nibabel.Nifti1Image(some_voxels(), axes)
        image.set_sform(axes, 1)
        image.set_qform(np.eye(4), 1)  # SimpleITK would silently take this one instead
        nibabel.save(image, path)
    else:
        image = sitk.GetImageFromArray(some_voxels())
        image.SetDirection(axes[:3, :3].ravel().tolist())
        sitk.WriteImage(image, str(path))
    assert refusal(path) == (
        f"tilted{suffix} has axes that are not at right angles (sheared by 15.0 degrees, as by a "
        "tilted gantry); give the DICOM folder, or resample it onto a straight grid."
    )


def test_two_voxel_sizes_in_one_header_are_refused(tmp_path):
    image = nibabel.Nifti1Image(some_voxels(), None)
    image.set_sform(np.diag([0.7, 0.8, 2.5, 1]), 1)  # and the spacing stays at 1 mm
    nibabel.save(image, tmp_path / "a.nii")
    assert refusal(tmp_path / "a.nii") == (
        "a.nii gives two voxel sizes, 1 x 1 x 1 mm and 0.7 x 0.8 x 2.5 mm; repair the header or "
        "export the scan again."
    )


WRONG = "the unit or the voxel size is probably wrong, so export the scan again."


@pytest.mark.parametrize(("factor", "told"), [(1000.0, "7 m"), (500.0, "3.5 m"), (180.0, "1.26 m")])
def test_a_scan_that_no_patient_fills_is_refused_by_its_header(tmp_path, factor, told):
    path = saved(tmp_path / "far.nii.gz", some_voxels(), np.diag([factor] * 3 + [1]))
    assert refusal(path) == (
        f"far.nii.gz is {told} wide by its header, more than any patient; {WRONG}"
    )


# Whole scans as they come, in voxels and mm: CT and MR of an abdomen, a heart, a head, an eye.
SCANS = [
    ((512, 512, 60), (0.7, 0.7, 3.0)),
    ((256, 256, 30), (1.5, 1.5, 8.0)),
    ((256, 216, 12), (1.25, 1.25, 10.0)),
    ((176, 256, 256), (1.0, 1.0, 1.0)),
    ((512, 512, 300), (0.15, 0.15, 0.3)),
    ((512, 512, 1800), (0.98, 0.98, 1.0)),
]


@pytest.mark.parametrize(("shape", "steps"), SCANS[:4])
@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_a_voxel_size_that_is_wrong_by_ten_is_refused(shape, steps, factor):
    with pytest.raises(BadInput, match=WRONG):
        usable_grid(a_header(shape, [factor * step for step in steps]))


@pytest.mark.parametrize(("shape", "steps"), SCANS)
def test_whole_scans_and_pieces_of_them_have_a_size_that_is_believed(shape, steps):
    assert usable_grid(a_header(shape, steps)).shape == shape
    if min(steps) > 0.2:
        assert usable_grid(a_header((12, 12, 6), steps)).shape == (12, 12, 6)


def a_header(shape, steps):
    return ImageHeader(
        name="a.nii",
        shape=shape,
        components=1,
        itemsize=2,
        spacing=tuple(steps),
        affine=np.diag([*steps, 1.0]),
        stored=None,
        compressed=False,
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_header_that_promises_the_moon_is_refused_before_memory_is_taken(
    tmp_path, a_volume, suffix
):
    path = tmp_path / f"huge{suffix}"
    write_volume(a_volume, path)
    data = path.read_bytes()
    if suffix == ".nii.gz":
        data = gzip.decompress(data)
    if suffix.startswith(".nii"):
        data = data[:42] + np.array([30000] * 3, "<i2").tobytes() + data[48:]
    data = re.sub(rb"(sizes:|DimSize =) 5 6 7", rb"\1 30000 30000 30000", data)
    path.write_bytes(gzip.compress(data) if suffix == ".nii.gz" else data)
    assert re.fullmatch(
        rf"The header of huge{suffix} promises 30000 x 30000 x 30000 voxels \(54 TB\), but the "
        r"file holds only .* (bytes|kB); it is damaged or was cut short, so copy it again\.",
        refusal(path),
    )


def test_a_scan_larger_than_memory_is_refused(tmp_path, a_volume, monkeypatch):
    write_volume(a_volume, tmp_path / "a.nii.gz")
    monkeypatch.setattr(header, "memory_bytes", lambda: 800)
    assert refusal(tmp_path / "a.nii.gz") == (
        "The header of a.nii.gz promises 5 x 6 x 7 voxels; reading it needs 840 bytes, this "
        "computer has 800 bytes; crop or resample the scan first."
    )


def test_a_missing_data_file_is_told(tmp_path, a_volume):
    write_volume(a_volume, tmp_path / "a.mha")
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "a.mha")), str(tmp_path / "b.mhd"))
    (tmp_path / "b.raw").unlink()
    assert refusal(tmp_path / "b.mhd") == (
        "b.mhd keeps its voxels in b.raw, which is not beside it; copy both files into one folder."
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path, a_volume):
    write_volume(a_volume, tmp_path / "a.nii")
    (tmp_path / "a.nii").chmod(0)
    assert "may not be read; ask for permission" in refusal(tmp_path / "a.nii")


def test_values_without_an_organ_are_named(tmp_path, a_table):
    voxels = np.zeros(SHAPE, np.int16)
    voxels[0, 0, :4] = (1, 7, -3, 300)
    with pytest.raises(BadInput) as caught:
        read_label_map(saved(tmp_path / "l.nii.gz", voxels), a_table)
    assert str(caught.value) == (
        "l.nii.gz holds the values -3, 7, 300, which the label table does not know; it knows "
        "0, 1 (liver), 2 (spleen) and 255 (not annotated)."
    )


@pytest.mark.parametrize("value", [0.5, np.nan])
def test_fractions_are_not_labels(tmp_path, a_table, value):
    voxels = np.zeros(SHAPE, np.float32)
    voxels[1, 1, 1] = value
    with pytest.raises(BadInput, match=r"^l.nii holds fractions, so it is not a label map; give"):
        read_label_map(saved(tmp_path / "l.nii", voxels), a_table)


def test_one_number_cannot_mean_two_things(tmp_path, a_table):
    path = saved(tmp_path / "l.nii", np.zeros(SHAPE, np.uint8))
    with pytest.raises(BadInput, match="value 2 cannot mean both spleen and not annotated"):
        read_label_map(path, a_table, unannotated=2)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_damaged_text_header_is_refused_in_words_or_read(tmp_path, a_volume, suffix):
    path = tmp_path / f"a{suffix}"
    write_volume(a_volume, path)
    good = path.read_bytes()
    length = 500 if suffix == ".nrrd" else 350
    dice = np.random.default_rng(2)
    refused = 0
    for _ in range(150):
        data = bytearray(good)
        for position in dice.integers(0, length, dice.integers(1, 4)):
            data[position] = dice.choice(list(b"0 -9n(,:=\n\xff"))
        path.write_bytes(bytes(data))
        try:
            read_volume(path)
        except BadInput:
            refused += 1
    assert 20 < refused < 150


# Writing


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_leaves_the_older_file_and_no_crumbs(tmp_path, suffix):
    path = tmp_path / f"scan{suffix}"
    path.write_bytes(b"the older file")
    noise = np.random.default_rng(0).integers(0, 30000, (40, 40, 40)).astype(np.int16)
    volume = Volume(array=noise, grid=Grid(shape=noise.shape, affine=np.eye(4)))
    with files_of_at_most(20_000), pytest.raises(BadInput, match=r"scan.* cannot be written"):
        write_volume(volume, path)
    assert path.read_bytes() == b"the older file"
    assert os.listdir(tmp_path) == [path.name]  # noqa: PTH208


def test_a_folder_that_does_not_exist_is_told(tmp_path, a_label_map):
    path = tmp_path / "nowhere" / "l.nii.gz"
    with pytest.raises(BadInput) as caught:
        write_label_map(a_label_map, path)
    assert str(caught.value) == (
        f"{path} cannot be written (No such file or directory); choose a folder that exists, has "
        "room and may be written to."
    )


def test_a_folder_in_the_way_is_told(tmp_path, a_label_map):
    (tmp_path / "l.nii.gz").mkdir()
    with pytest.raises(BadInput, match="cannot be written"):
        write_label_map(a_label_map, tmp_path / "l.nii.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["l.nii.gz"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(tmp_path, a_label_map):
    tmp_path.chmod(0o500)
    with pytest.raises(BadInput, match="Permission denied"):
        write_label_map(a_label_map, tmp_path / "l.nii.gz")


@pytest.mark.parametrize(
    ("name", "words"),
    [("l.png", "does not end in one of .nii.gz, .nii"), ("l.mhd", "would need a second file")],
)
def test_only_whole_formats_are_written(tmp_path, a_label_map, name, words):
    with pytest.raises(BadInput, match=words):
        write_label_map(a_label_map, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_others_may_read_a_new_file_as_any_other(tmp_path, a_label_map):
    (tmp_path / "usual").touch()
    write_label_map(a_label_map, tmp_path / "l.nii.gz")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "l.nii.gz")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("name", ["scan.zip", "scan.nii.TAR.GZ"])
def test_an_archive_is_to_be_unpacked_first(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(BadInput) as refused:
        read_volume(tmp_path / name)
    assert str(refused.value) == (
        f"{name} is an archive; unpack it and give the scan that is in it."
    )
