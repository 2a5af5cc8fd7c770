"""DICOM Segmentation, read back by highdicom and laid over the scan it came from."""

import highdicom as hd
import numpy as np
import pydicom
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Code, Label, LabelMap, LabelTable
from cmcseg.imaging.dicom import read_series, series_files
from cmcseg.imaging.dicom_seg import seg_obstacle, write_dicom_seg
from dicom_phantom import LPS, write_series
from pydicom.uid import SegmentationStorage

SHAPE = (14, 12, 6)
AXIAL = np.diag([-0.7, -0.8, 2.5, 1.0])


@pytest.fixture
def a_table():
    left = Code(value="7771000", meaning="Left")
    liver, kidney = (
        Code(value="10200004", meaning="Liver"),
        Code(value="64033007", meaning="Kidney"),
    )
    return LabelTable(
        labels=(
            Label(value=1, name="liver", color="#d55e00", code=liver),
            Label(value=2, name="left kidney", color="#0072b2", code=kidney, side=left),
        )
    )


def oblique(seed, handed=1):
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    turn = turn if np.sign(np.linalg.det(turn)) == handed else turn[:, [1, 0, 2]]
    affine = np.eye(4)
    affine[:3, :3] = turn * (0.7, 0.8, 2.5)
    affine[:3, 3] = (100.5, -20.25, 33)
    return affine


def scan_and_labels(folder, affine, table, **oddities):
    stored = np.random.default_rng(0).integers(0, 2000, SHAPE).astype(np.int16)
    write_series(folder, stored, affine, **oddities)
    volume = read_series(folder)
    array = np.random.default_rng(1).choice([0, 1, 2], volume.grid.shape, p=(0.6, 0.3, 0.1))
    array[:, :, 1] = 0
    return LabelMap(array=array.astype(np.uint8), grid=volume.grid, table=table)


def written(label_map, folder, path):
    write_dicom_seg(
        label_map, series_files(folder), path, algorithm="abdomen-ct-mr", version="1.2.0"
    )
    return hd.seg.segread(path)


def labels_at(segmentation, points):
    """The labels that a reader of the file finds at ``(..., 3)`` RAS positions."""
    volume = segmentation.get_volume(combine_segments=True)
    index = (
        np.linalg.inv(LPS @ volume.affine)
        @ np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)[..., None]
    )
    index = index[..., :3, 0]
    assert np.abs(index - np.rint(index)).max() < 1e-3
    nearest = np.rint(index).astype(int)
    inside = ((nearest >= 0) & (nearest < volume.shape[:3])).all(axis=-1)
    clipped = nearest.clip(0, np.array(volume.shape[:3]) - 1)
    return np.where(inside, volume.array[tuple(np.moveaxis(clipped, -1, 0))], 0)


def everywhere(grid):
    return grid.world(np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1))


@pytest.mark.parametrize("affine", [AXIAL, oblique(1), oblique(2), oblique(3, handed=-1)])
def test_every_label_lies_where_the_label_map_says(tmp_path, a_table, affine):
    order = np.random.default_rng(4).permutation(SHAPE[2])
    label_map = scan_and_labels(tmp_path / "scan", affine, a_table, order=order)
    segmentation = written(label_map, tmp_path / "scan", tmp_path / "seg.dcm")
    assert np.array_equal(labels_at(segmentation, everywhere(label_map.grid)), label_map.array)


def test_labels_of_a_straightened_scan_go_back_to_the_tilted_slices(tmp_path, a_table):
    tilted = AXIAL.copy()
    tilted[:3, 2] = 2.5 * np.array([0, np.sin(0.2), np.cos(0.2)])
    label_map = scan_and_labels(tmp_path / "scan", tilted, a_table)
    center = label_map.grid.center
    array = (np.linalg.norm(everywhere(label_map.grid) - center, axis=-1) < 4).astype(np.uint8)
    label_map = LabelMap(array=array, grid=label_map.grid, table=a_table)
    files = series_files(tmp_path / "scan")
    segmentation = written(label_map, tmp_path / "scan", tmp_path / "seg.dcm")
    for k, file in enumerate(files):
        frames = segmentation.get_pixels_by_source_instance(
            [pydicom.dcmread(file).SOPInstanceUID], combine_segments=True
        )
        here = everywhere(Grid(shape=SHAPE, affine=tilted))[:, :, k]
        distance = np.linalg.norm(here - center, axis=-1)
        differing = (frames[0].T == 1) != (distance < 4)
        # half a voxel's diagonal at the ball's surface, and nothing else
        assert np.abs(distance[differing] - 4).max(initial=0) < 0.54


def test_segments_carry_codes_sides_colours_and_their_maker(tmp_path, a_table):
    label_map = scan_and_labels(tmp_path / "scan", AXIAL, a_table)
    segmentation = written(label_map, tmp_path / "scan", tmp_path / "seg.dcm")
    assert segmentation.SOPClassUID == SegmentationStorage
    assert segmentation.number_of_segments == 2
    liver, kidney = (segmentation.get_segment_description(number) for number in (1, 2))
    assert liver.segment_label == "liver"
    assert liver.segmented_property_category.value == "123037004"
    assert liver.segmented_property_type.value == "10200004"
    assert liver.segmented_property_type.scheme_designator == "SCT"
    side = kidney.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence[0]
    assert (side.CodeValue, side.CodeMeaning) == ("7771000", "Left")
    maker = liver.algorithm_identification
    assert (maker.name, maker.version) == ("abdomen-ct-mr", "1.2.0")
    red, green, blue = hd.color.CIELabColor.from_dicom_value(
        liver.RecommendedDisplayCIELabValue
    ).to_rgb()
    assert np.allclose((red, green, blue), (0xD5, 0x5E, 0x00), atol=2)


def test_the_segmentation_belongs_to_the_patient_and_study_of_its_scan(tmp_path, a_table):
    label_map = scan_and_labels(tmp_path / "scan", AXIAL, a_table)
    segmentation = written(label_map, tmp_path / "scan", tmp_path / "seg.dcm")
    source = pydicom.dcmread(series_files(tmp_path / "scan")[0])
    for tag in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert segmentation[tag].value == source[tag].value
    assert segmentation.SeriesInstanceUID != source.SeriesInstanceUID
    assert segmentation.SeriesNumber == 201


def test_voxels_that_nobody_annotated_are_background(tmp_path, a_table):
    label_map = scan_and_labels(tmp_path / "scan", AXIAL, a_table)
    array = label_map.array.copy()
    array[array == 0] = 255
    spared = LabelMap(array=array, grid=label_map.grid, table=a_table)
    segmentation = written(spared, tmp_path / "scan", tmp_path / "seg.dcm")
    assert np.array_equal(labels_at(segmentation, everywhere(label_map.grid)), label_map.array)


def test_a_map_without_any_organ_can_be_written(tmp_path, a_table):
    label_map = scan_and_labels(tmp_path / "scan", AXIAL, a_table)
    nothing = LabelMap(array=np.zeros_like(label_map.array), grid=label_map.grid, table=a_table)
    segmentation = written(nothing, tmp_path / "scan", tmp_path / "seg.dcm")
    assert segmentation.number_of_segments == 2
    assert not segmentation.pixel_array.any()


def refused(tmp_path, label_map, files):
    with pytest.raises(BadInput) as caught:
        write_dicom_seg(label_map, files, tmp_path / "seg.dcm", algorithm="a", version="1")
    assert not (tmp_path / "seg.dcm").exists()
    return str(caught.value)


def test_slices_of_another_scan_are_refused(tmp_path, a_table):
    label_map = scan_and_labels(tmp_path / "scan", AXIAL, a_table)
    away = AXIAL.copy()
    away[2, 3] = 500
    scan_and_labels(tmp_path / "other", away, a_table)
    assert refused(tmp_path, label_map, series_files(tmp_path / "other")) == (
        "The label map does not lie on the DICOM slices that seg.dcm should point to; give the "
        "slices of the scan that was segmented."
    )


def test_an_organ_without_a_code_is_named(tmp_path, a_table):
    label_map = scan_and_labels(tmp_path / "scan", AXIAL, a_table)
    table = LabelTable(
        labels=(a_table.labels[0], Label(value=2, name="left kidney", color="#000000"))
    )
    plain = LabelMap(array=label_map.array, grid=label_map.grid, table=table)
    assert refused(tmp_path, plain, series_files(tmp_path / "scan")) == (
        "DICOM SEG needs a SNOMED code for every organ, and left kidney has none; add the code to "
        "the model card."
    )


def test_without_slices_there_is_nothing_to_point_to(tmp_path, a_table):
    label_map = scan_and_labels(tmp_path / "scan", AXIAL, a_table)
    assert refused(tmp_path, label_map, []) == (
        "DICOM SEG needs the scan's own DICOM slices; segment a DICOM series."
    )
    (tmp_path / "text.dcm").write_text("no")
    assert "text.dcm is not a readable DICOM slice" in refused(
        tmp_path, label_map, [tmp_path / "text.dcm"]
    )


def drop(*keys):
    def change(_k, one):
        for key in keys:
            del one[key]

    return change


def put(**values):
    def change(_k, one):
        for key, value in values.items():
            setattr(one, key, value)

    return change


def tremble(k, one):
    one.ImageOrientationPatient = [1, 0, 0, 0, 1, -1e-6 * (k % 2)]


EVERYTHING = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate"),
    *("StudyTime", "AccessionNumber", "ReferringPhysicianName", "FrameOfReferenceUID"),
    *("SliceThickness", "SOPClassUID", "SeriesNumber"),
)


@pytest.mark.filterwarnings("ignore")  # pydicom tells that these values are odd
@pytest.mark.parametrize(
    "change",
    [
        drop(*EVERYTHING),
        put(StudyDate="***", PatientBirthDate="00000000", StudyTime="12:00:00"),
        put(PatientSex="U", PatientName="MUSTERFRAU ERIKA", SpecificCharacterSet=""),
        put(PatientSex="m", PatientName="YAMADA^TARO", SpecificCharacterSet=["", "ISO 2022 IR 87"]),
        put(SpecificCharacterSet="ISO_IR 6", AccessionNumber="x" * 40, PatientID="12\\34"),
        tremble,
    ],
)
def test_odd_headers_carry_a_segmentation_all_the_same(
    tmp_path, a_table, change, monkeypatch, capfd
):
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
    label_map = scan_and_labels(tmp_path / "scan", AXIAL, a_table, change=change)
    segmentation = written(label_map, tmp_path / "scan", tmp_path / "seg.dcm")
    assert np.array_equal(labels_at(segmentation, everywhere(label_map.grid)), label_map.array)
    assert segmentation.PatientSex in ("", "M", "F", "O")
    shown = capfd.readouterr()
    assert "ERIKA" not in shown.out + shown.err


@pytest.mark.parametrize("name", ["Müller^Jörg", "YAMADA^TARO=山田^太郎=やまだ^たろう"])
def test_a_name_survives_whatever_characters_it_was_written_in(tmp_path, a_table, name):
    change = put(SpecificCharacterSet="ISO_IR 192", PatientName=name)
    label_map = scan_and_labels(tmp_path / "scan", AXIAL, a_table, change=change)
    assert written(label_map, tmp_path / "scan", tmp_path / "seg.dcm").PatientName == name


def test_a_segmentation_that_cannot_be_written_is_known_beforehand(tmp_path, a_table):
    scan_and_labels(tmp_path / "scan", AXIAL, a_table, change=put(SOPInstanceUID="1.2.3"))
    assert seg_obstacle(a_table, series_files(tmp_path / "scan")) == (
        "No DICOM SEG can point to the slices: several of them share one SOPInstanceUID."
    )
    scan_and_labels(tmp_path / "fine", AXIAL, a_table)
    assert seg_obstacle(a_table, series_files(tmp_path / "fine")) == ""


def test_slices_that_lack_what_the_standard_wants_are_told(tmp_path, a_table):
    def spoil(_k, one):
        del one.StudyInstanceUID

    label_map = scan_and_labels(tmp_path / "scan", AXIAL, a_table, change=spoil)
    words = refused(tmp_path, label_map, series_files(tmp_path / "scan"))
    assert words == ("No DICOM SEG can point to the slices: they have no valid StudyInstanceUID.")
