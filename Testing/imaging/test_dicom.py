"""DICOM series: which is read, in what order, with which numbers and in which place."""

import json
import tracemalloc

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import is_dicom
from cmcseg.core.grid import Grid
from cmcseg.imaging.dicom import read_series, series_files
from cmcseg.imaging.files import read_volume
from cmcseg.imaging.resample import grid_of
from dicom_phantom import write_series
from pydicom.uid import CTImageStorage, generate_uid

SHAPE = (12, 10, 8)


@pytest.fixture
def stored():
    return np.random.default_rng(0).integers(0, 2000, SHAPE).astype(np.int16)


def turned(seed):
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return turn if np.linalg.det(turn) > 0 else turn[:, [1, 0, 2]]


def placed(axes, spacing=(0.7, 0.8, 2.5), origin=(100.125, -200.5, 33.0)):
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(axes) * spacing
    affine[:3, 3] = origin
    return affine


AXIAL = placed(np.diag([-1.0, -1.0, 1.0]))


def refusal(folder):
    with pytest.raises(BadInput) as caught:
        read_series(folder)
    return str(caught.value)


def smooth(points):
    """A field that linear interpolation reproduces: Hounsfield from a plane in RAS mm."""
    return points @ np.array([3.0, -2.0, 4.0]) + 500


# Geometry


@pytest.mark.parametrize("axes", [np.diag([-1.0, -1, 1]), turned(1), turned(2), turned(3)])
def test_every_voxel_lies_where_its_slice_says(tmp_path, stored, axes):
    affine = placed(axes)
    write_series(tmp_path, stored, affine)
    volume = read_series(tmp_path)
    assert volume.array.dtype == np.int16
    assert np.array_equal(volume.array, stored)
    assert volume.grid.agrees_with(Grid(shape=SHAPE, affine=affine), tolerance_mm=1e-4)


@pytest.mark.parametrize("seed", [1, 2])
def test_simpleitk_puts_the_same_series_in_the_same_place(tmp_path, stored, seed):
    files = write_series(tmp_path, stored, placed(turned(seed)))
    image = sitk.ReadImage([str(file) for file in files])
    volume = read_series(tmp_path)
    assert volume.grid.agrees_with(grid_of(image), tolerance_mm=1e-3)
    assert np.array_equal(volume.array, sitk.GetArrayFromImage(image).T)


def test_slices_are_ordered_by_place_not_by_name(tmp_path, stored):
    order = np.random.default_rng(5).permutation(SHAPE[2])
    files = write_series(tmp_path, stored, AXIAL, order=order)
    assert np.array_equal(read_series(tmp_path).array, stored)
    assert series_files(tmp_path) == files


def test_a_stack_that_runs_downwards_is_turned_round(tmp_path, stored):
    down = placed(np.diag([-1.0, -1.0, -1.0]))
    files = write_series(tmp_path, stored, down)
    volume = read_series(tmp_path)
    assert np.array_equal(volume.array, stored[:, :, ::-1])
    assert np.allclose(volume.grid.world((1, 2, 3)), (down @ (1, 2, SHAPE[2] - 1 - 3, 1))[:3])
    assert series_files(tmp_path) == files[::-1]


def test_a_missing_slice_is_told_in_millimetres(tmp_path, stored):
    files = write_series(tmp_path, stored, AXIAL)
    files[3].unlink()
    assert refusal(tmp_path) == (
        f"The DICOM series in {tmp_path} has a gap of 5.0 mm after slice 3 of 7, where 2.5 mm are "
        "usual: 1 slice is missing; export the whole series."
    )
    files[4].unlink()
    assert "a gap of 7.5 mm after slice 3 of 6, where 2.5 mm are usual: 2 slices are" in refusal(
        tmp_path
    )


def test_a_tilted_gantry_is_straightened(tmp_path):
    affine = AXIAL.copy()
    angle = np.radians(14)
    affine[:3, 2] = 2.5 * np.array([0, np.sin(angle), np.cos(angle)])
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    truth = smooth(index @ affine[:3, :3].T + affine[:3, 3])
    write_series(tmp_path, np.round(truth).astype(np.int16), affine)
    volume = read_series(tmp_path)
    assert volume.facts["note"] == "The slices are tilted by 14.0 degrees; they were straightened."
    axes = volume.grid.direction
    assert np.allclose(axes.T @ axes, np.eye(3), atol=1e-6)
    assert volume.grid.spacing == pytest.approx((0.7, 0.8, 2.5 * np.cos(angle)))
    # Wherever the scan saw something, the new voxels show the same at the same place.
    new = np.stack(np.meshgrid(*map(np.arange, volume.array.shape), indexing="ij"), axis=-1)
    points = volume.grid.world(new)
    old = (points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    seen = ((old >= -1e-6) & (old <= np.array(SHAPE) - 1 + 1e-6)).all(axis=-1)
    assert seen.sum() > 0.8 * np.prod(SHAPE)
    assert np.abs(volume.array[seen] - smooth(points[seen])).max() <= 1.5
    # and all of the old field of view is still there
    corners = Grid(shape=SHAPE, affine=affine).world(np.array([(0, 0, 0), (11, 9, 7), (0, 9, 7)]))
    inside = volume.grid.index(corners)
    assert (inside > -0.01).all()
    assert (inside < np.array(volume.grid.shape) - 0.99).all()


def test_slightly_uneven_steps_become_even(tmp_path):
    heights = np.array([0, 2.5, 5.2, 7.5, 9.7, 12.5, 15.0, 17.5])
    voxels = np.broadcast_to(np.round(40 * heights).astype(np.int16), SHAPE)

    def uneven(k, one):
        one.ImagePositionPatient[2] = 33.0 + heights[k]

    write_series(tmp_path, voxels, AXIAL, change=uneven)
    volume = read_series(tmp_path)
    assert volume.facts["note"] == (
        "The slices lie 2.2 to 2.8 mm apart; they were interpolated to even steps."
    )
    assert np.abs(volume.array[0, 0] - 40 * np.linspace(0, 17.5, 8)).max() <= 1


def test_sheared_slices_are_refused(tmp_path, stored):
    def shear(_k, one):
        one.ImageOrientationPatient = [1, 0, 0, 0.2, np.sqrt(1 - 0.04), 0]

    write_series(tmp_path, stored, AXIAL, change=shear)
    assert "axes that are not at right angles" in refusal(tmp_path)


@pytest.mark.parametrize("spacing", [[0, 0.7], [-0.7, 0.7]])
def test_a_pixel_spacing_must_be_above_zero(tmp_path, stored, spacing):
    def spoil(_k, one):
        one.PixelSpacing = spacing

    write_series(tmp_path, stored, AXIAL, change=spoil)
    assert "every spacing must be a number above 0" in refusal(tmp_path)


# Numbers


def test_hounsfield_units_stay_integers(tmp_path, stored):
    def rescale(_k, one):
        one.RescaleSlope, one.RescaleIntercept = 1, -1024

    write_series(tmp_path, stored, AXIAL, change=rescale)
    volume = read_series(tmp_path)
    assert volume.array.dtype == np.int16
    assert np.array_equal(volume.array, stored - 1024)


def test_every_slice_has_its_own_slope(tmp_path, stored):
    def rescale(k, one):
        one.RescaleSlope, one.RescaleIntercept = 0.5 + k, 10 * k

    write_series(tmp_path, stored, AXIAL, modality="MR", change=rescale)
    volume = read_series(tmp_path)
    k = np.arange(SHAPE[2])
    assert volume.array.dtype == np.float32
    assert np.allclose(volume.array, stored * (0.5 + k) + 10 * k)


def test_unsigned_numbers_beyond_16_bits_are_kept(tmp_path, stored):
    def unsigned(_k, one):
        one.PixelRepresentation = 0

    write_series(tmp_path, stored - 1000, AXIAL, change=unsigned)
    assert np.array_equal(read_series(tmp_path).array, (stored - 1000).astype(np.uint16))


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
@pytest.mark.parametrize("pixel", [sitk.sitkInt16, sitk.sitkUInt16])
def test_packed_slices_are_unpacked_without_another_package(tmp_path, stored, kind, pixel):
    folder, pixels = tmp_path / "series", tmp_path / "packed.dcm"
    for k, file in enumerate(write_series(folder, stored, AXIAL)):
        writer = sitk.ImageFileWriter()
        writer.SetFileName(str(pixels))
        writer.SetCompressor(kind)
        writer.UseCompressionOn()
        writer.Execute(sitk.Cast(sitk.ReadImage(str(file)), pixel))
        packed, one = pydicom.dcmread(pixels), pydicom.dcmread(file)
        assert packed.file_meta.TransferSyntaxUID.is_compressed
        for tag in ("BitsStored", "HighBit", "PixelRepresentation", "PixelData"):
            one[tag] = packed[tag]
        one.file_meta.TransferSyntaxUID = packed.file_meta.TransferSyntaxUID
        one.RescaleSlope, one.RescaleIntercept = 1 + k, -1024
        one.save_as(file)
    wanted = stored.astype(np.int32) * (1 + np.arange(SHAPE[2])) - 1024
    assert np.array_equal(read_series(folder).array, wanted)


def test_rle_is_unpacked(tmp_path, stored):
    for file in write_series(tmp_path, stored, AXIAL):
        one = pydicom.dcmread(file)
        one.compress(
            pydicom.uid.RLELossless, encoding_plugin="pydicom", generate_instance_uid=False
        )
        one.save_as(file)
    assert np.array_equal(read_series(tmp_path).array, stored)


def test_a_slice_that_was_cut_short_is_named(tmp_path, stored):
    files = write_series(tmp_path, stored, AXIAL)
    files[4].write_bytes(files[4].read_bytes()[:-60])
    assert refusal(tmp_path) == (
        f"The pixels of {files[4].name} cannot be read: the file is damaged or packed in an "
        "unknown way; export the series again."
    )


# Choosing


def test_facts_name_modality_and_series_and_never_the_patient(tmp_path, stored):
    write_series(tmp_path, stored, AXIAL, description=" T2 SPIR tra ", modality="MR")
    facts = read_series(tmp_path).facts
    assert facts == {"source": "dicom", "modality": "MR", "series": "T2 SPIR tra"}
    text = json.dumps(facts)
    assert not any(word in text for word in ("secret", "Jane", "1970", "2024", "Doe"))


def test_the_largest_series_is_read_and_the_others_are_told(tmp_path, stored):
    write_series(tmp_path, stored[:, :, :5], AXIAL, description="thick", number=3)
    write_series(tmp_path, stored, AXIAL, description="thin", number=7)
    write_series(tmp_path, stored[:, :, :4], AXIAL, description="MR", number=9, modality="MR")
    volume = read_series(tmp_path)
    assert volume.array.shape == SHAPE
    assert volume.facts["series"] == "thin"
    assert volume.facts["note"] == (
        "The folder holds 3 stacks of slices; the one read is #1 'thin' (CT, 8 slices). Left out: "
        "#2 'thick' (CT, 5 slices), #3 'MR' (MR, 4 slices)."
    )


def test_one_slice_leads_to_its_own_series(tmp_path, stored):
    short = write_series(tmp_path, stored[:, :, :5], AXIAL, description="short", number=3)
    write_series(tmp_path, stored, AXIAL, description="long", number=7)
    volume = read_volume(short[2])
    assert volume.facts == {"source": "dicom", "modality": "CT", "series": "short"}
    assert series_files(short[0]) == short


def test_localisers_reports_colour_and_other_files_are_left_out(tmp_path, stored):
    write_series(tmp_path, stored, AXIAL)

    def localiser(_k, one):
        one.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    def report(_k, one):
        one.Modality = "SR"

    def colour(_k, one):
        one.SamplesPerPixel = 3

    many = np.repeat(stored, 2, axis=2)
    for number, change in enumerate((localiser, report, colour), 4):
        write_series(tmp_path, many, AXIAL, number=number, change=change)
    (tmp_path / "DICOMDIR.txt").write_text("not DICOM")
    (tmp_path / "deeper").mkdir()
    volume = read_series(tmp_path)
    assert np.array_equal(volume.array, stored)
    assert "note" not in volume.facts


def test_a_localiser_in_three_planes_does_not_mix_with_the_scan(tmp_path, stored):
    uid = generate_uid()

    def same(_k, one):
        one.SeriesInstanceUID = uid

    write_series(tmp_path, stored, AXIAL, change=same)
    write_series(tmp_path, stored[:, :, :2], placed(turned(1)), number=3, change=same)
    write_series(tmp_path, stored[:, :, :3], placed(turned(2)), number=4, change=same)
    volume = read_series(tmp_path)
    assert np.array_equal(volume.array, stored)
    assert "The folder holds 3 stacks of slices" in volume.facts["note"]


def test_of_two_echoes_in_one_series_the_first_is_read(tmp_path, stored):
    uid = generate_uid()

    def echo(time):
        def change(k, one):
            one.SeriesInstanceUID, one.EchoTime, one.AcquisitionTime = uid, time, f"{k:06d}"
            one.InstanceNumber = int(10 * time + k)

        return change

    late = write_series(tmp_path, stored, AXIAL, modality="MR", number=3, change=echo(4.6))
    first = write_series(tmp_path, stored + 1, AXIAL, modality="MR", number=4, change=echo(2.3))
    volume = read_series(tmp_path)
    assert np.array_equal(volume.array, stored + 1)
    assert volume.facts["note"] == (
        "The folder holds 2 stacks of slices; the one read is #1 'Abdomen venous' (MR, 8 slices, "
        "echo time 2.3 ms). Left out: #2 'Abdomen venous' (MR, 8 slices, echo time 4.6 ms)."
    )
    assert series_files(tmp_path) == first
    assert np.array_equal(read_series(tmp_path, 2).array, stored)
    assert series_files(tmp_path, 2) == late


def test_images_of_one_place_that_nothing_tells_apart_are_refused(tmp_path, stored):
    uid = generate_uid()

    def same(_k, one):
        one.SeriesInstanceUID = uid

    write_series(tmp_path, stored, AXIAL, number=3, change=same)
    write_series(tmp_path, stored + 1, AXIAL, number=4, change=same)
    assert refusal(tmp_path) == (
        f"The DICOM series in {tmp_path} shows the same place more than once, and nothing tells "
        "the images apart; give a folder with one image per place."
    )


def test_slices_that_were_sent_twice_under_new_ids_count_once(tmp_path, stored):
    uid = generate_uid()

    def same(_k, one):
        one.SeriesInstanceUID = uid

    write_series(tmp_path, stored, AXIAL, number=3, change=same)
    write_series(tmp_path, stored, AXIAL, number=4, change=same)
    volume = read_series(tmp_path)
    assert np.array_equal(volume.array, stored)
    assert volume.facts["note"] == "8 slices were there more than once."


def test_a_file_that_was_copied_twice_counts_once(tmp_path, stored):
    files = write_series(tmp_path, stored, AXIAL)
    (tmp_path / "copy.dcm").write_bytes(files[2].read_bytes())
    volume = read_series(tmp_path)
    assert np.array_equal(volume.array, stored)
    assert "note" not in volume.facts


def test_two_patients_in_one_folder_are_refused_without_their_names(tmp_path, stored):
    write_series(tmp_path, stored, AXIAL, patient="A17", number=3)
    write_series(tmp_path, stored, AXIAL, patient="B23", number=4)
    assert refusal(tmp_path) == (
        f"The folder {tmp_path} holds scans of more than one patient; give each its own folder."
    )


@pytest.mark.parametrize("content", [None, "text"])
def test_a_folder_without_slices_is_told(tmp_path, content):
    if content:
        (tmp_path / "readme.txt").write_text(content)
    assert refusal(tmp_path) == (
        f"The folder {tmp_path} holds no DICOM slices of CT, MR, PT; give the folder in which the "
        "slices of one series lie."
    )


@pytest.mark.parametrize(
    ("names", "files"), [(["b.nii.gz"], "b.nii.gz"), (["b.nii.gz", "a.NRRD"], "a.NRRD and 1 more")]
)
def test_a_folder_of_other_scans_is_told_which_file_to_give(tmp_path, names, files):
    for name in (*names, "notes.txt", "._b.nii.gz"):
        (tmp_path / name).touch()
    (tmp_path / "a.nii").mkdir()
    assert refusal(tmp_path) == (
        f"The folder {tmp_path} holds no DICOM slices of CT, MR, PT, but {files}; give the "
        "file instead of its folder."
    )


def test_a_folder_that_does_not_exist_is_told(tmp_path):
    with pytest.raises(BadInput, match=r"^There is no file .*nowhere; check the name"):
        read_volume(tmp_path / "nowhere")


def test_a_single_slice_is_no_scan(tmp_path, stored):
    write_series(tmp_path, stored[:, :, :1], AXIAL)
    assert refusal(tmp_path) == (
        f"The largest DICOM series in {tmp_path} has a single slice; a scan needs at least 2."
    )


def test_multi_frame_files_are_refused_with_a_way_out(tmp_path, stored):
    def frames(_k, one):
        one.NumberOfFrames = 20

    write_series(tmp_path, stored[:, :, :1], AXIAL, change=frames)
    assert refusal(tmp_path) == (
        "IM020000 is a multi-frame (enhanced) DICOM file, which this program does not read; "
        "convert the series to NIfTI, for example with dcm2niix, or export it as single slices."
    )


def test_a_constant_series_is_refused_as_any_constant_image(tmp_path, stored):
    write_series(tmp_path / "series", np.zeros_like(stored), AXIAL)
    with pytest.raises(BadInput, match=r"^series holds the same number \(0\) in every voxel"):
        read_volume(tmp_path / "series")


def test_umlauts_and_spaces_in_a_folder_work(tmp_path, stored):
    folder = tmp_path / "Müller 患者 (copy)"
    write_series(folder, stored, AXIAL)
    assert np.array_equal(read_volume(folder).array, stored)


def test_dicom_is_known_by_its_mark(tmp_path, stored):
    file = write_series(tmp_path, stored, AXIAL)[0]
    (tmp_path / "text.dcm").write_text("text")
    assert pydicom.dcmread(file).SOPClassUID == CTImageStorage
    assert is_dicom(file)
    assert not is_dicom(tmp_path / "text.dcm")
    assert not is_dicom(tmp_path / "nowhere")


def test_an_element_that_claims_more_than_the_file_holds_takes_no_memory(tmp_path, stored):
    file = write_series(tmp_path, stored, AXIAL)[0]
    data = file.read_bytes()
    start = data.index(b"\x28\x00\x02\x00US")  # a private element before the size of the image
    claim = b"\x21\x00\x10\x10OB\x00\x00\xf0\xff\xff\x7f"
    file.write_bytes(data[:start] + claim + data[start:])
    tracemalloc.start()
    try:
        words = refusal(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert words == (
        "IM020000 belongs to the series and cannot be used (damaged); copy the series again, or "
        "take the file out."
    )
    assert peak < 8 << 20
