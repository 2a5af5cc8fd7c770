"""A .seg.nrrd as 3D Slicer wants it; SimpleITK's NRRD reader is the independent twin."""

import re

import numpy as np
import pytest
import SimpleITK as sitk
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Code, Label, LabelMap, LabelTable
from cmcseg.imaging.resample import grid_of, to_array
from cmcseg.imaging.seg_nrrd import write_seg_nrrd

SHAPE = (6, 7, 8)
KIDNEY = Code(value="64033007", meaning="Kidney")


@pytest.fixture
def a_table():
    left = Code(value="7771000", meaning="Left")
    return LabelTable(
        labels=(
            Label(
                value=1,
                name="liver",
                color="#d55e00",
                code=Code(value="10200004", meaning="Liver"),
            ),
            Label(value=2, name="left kidney", color="#0072b2", code=KIDNEY, side=left),
            Label(value=3, name="Läsion", color="#ffffff"),
            Label(value=4, name="spleen", color="#000000"),
        )
    )


@pytest.fixture
def a_label_map(a_table):
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = turn * (0.7, 0.8, 2.5)
    affine[:3, 3] = (100.123, -200.3, 1 / 3)
    array = np.zeros(SHAPE, np.uint8)
    array[1:4, 2:5, 3:7] = 1
    array[4, 6, 0] = 2
    array[5, 1:3, 7] = 3
    array[0] = 255
    return LabelMap(array=array, grid=Grid(shape=SHAPE, affine=affine), table=a_table)


@pytest.fixture
def a_file(tmp_path, a_label_map):
    path = tmp_path / "Müller organs.seg.nrrd"
    write_seg_nrrd(a_label_map, path, "CT organs")
    return path


def keys_of(path):
    header = path.read_bytes().split(b"\n\n")[0].decode()
    return dict(re.findall(r"^([^:\n]+):=(.*)$", header, re.M))


def test_voxels_and_places_are_those_of_the_label_map(a_file, a_label_map):
    image = sitk.ReadImage(str(a_file))
    assert np.array_equal(to_array(image), np.where(a_label_map.array == 255, 0, a_label_map.array))
    assert image.GetPixelID() == sitk.sitkUInt8
    assert grid_of(image).agrees_with(a_label_map.grid, tolerance_mm=1e-9)


def test_the_other_reader_finds_the_keys_too(a_file):
    image = sitk.ReadImage(str(a_file))
    for key, value in keys_of(a_file).items():
        assert image.GetMetaData(key) == value


def test_segments_carry_names_colours_values_and_extents(a_file):
    keys = keys_of(a_file)
    assert [keys[f"Segment{i}_Name"] for i in range(4)] == [
        "liver",
        "left kidney",
        "Läsion",
        "spleen",
    ]
    assert [keys[f"Segment{i}_LabelValue"] for i in range(4)] == ["1", "2", "3", "4"]
    assert [keys[f"Segment{i}_ID"] for i in range(4)] == [f"Segment_{v}" for v in (1, 2, 3, 4)]
    assert {keys[f"Segment{i}_Layer"] for i in range(4)} == {"0"}
    assert keys["Segment0_Color"] == "0.835294 0.368627 0.000000"
    assert keys["Segment0_Extent"] == "1 3 2 4 3 6"
    assert keys["Segment1_Extent"] == "4 4 6 6 0 0"
    assert keys["Segment3_Extent"] == "0 -1 0 -1 0 -1"  # nothing of it was found
    assert "Segment4_ID" not in keys


def test_terminology_is_in_slicers_words(a_file):
    keys = keys_of(a_file)
    assert keys["Segment0_Tags"] == (
        "TerminologyEntry:Segmentation category and type - DICOM master list"
        "~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^"
        "~Anatomic codes - DICOM master list~^^~^^|"
    )
    assert "~SCT^64033007^Kidney~SCT^7771000^Left~" in keys["Segment1_Tags"]
    assert keys["Segment2_Tags"] == ""


def test_slicer_learns_the_size_of_the_whole_scan(a_file, a_label_map):
    keys = keys_of(a_file)
    assert keys["Segmentation_MasterRepresentation"] == "Binary labelmap"
    assert keys["Segmentation_ContainedRepresentationNames"] == "Binary labelmap|"
    assert keys["Segmentation_ReferenceImageExtentOffset"] == "0 0 0"
    name, geometry, rest = keys["Segmentation_ConversionParameters"].split("|")
    assert name == "Reference image geometry"
    assert rest.endswith("&")
    numbers = [float(number) for number in geometry.removesuffix(";").split(";")]
    assert np.array_equal(np.reshape(numbers[:16], (4, 4)), a_label_map.grid.affine)
    assert numbers[16:] == [0, 5, 0, 6, 0, 7]


def test_words_cannot_break_the_format(tmp_path, a_label_map):
    code = Code(value="1", meaning="a~b^c|d\ne")
    table = LabelTable(labels=(Label(value=1, name="two\nlines", color="#000000", code=code),))
    array = (a_label_map.array == 1).astype(np.uint8)
    path = tmp_path / "a.seg.nrrd"
    write_seg_nrrd(LabelMap(array=array, grid=a_label_map.grid, table=table), path, "x\n\ny")
    assert np.array_equal(to_array(sitk.ReadImage(str(path))), array)
    keys = keys_of(path)
    assert keys["Segment0_Name"] == "two lines"
    assert keys["Segment0_Tags"].count("~") == 6
    assert "~SCT^1^a b c d e~" in keys["Segment0_Tags"]


def test_the_same_input_gives_the_same_bytes(tmp_path, a_label_map, a_file):
    write_seg_nrrd(a_label_map, tmp_path / "b.seg.nrrd", "CT organs")
    assert (tmp_path / "b.seg.nrrd").read_bytes() == a_file.read_bytes()


def test_another_ending_is_refused(tmp_path, a_label_map):
    with pytest.raises(BadInput) as caught:
        write_seg_nrrd(a_label_map, tmp_path / "a.nrrd", "x")
    assert str(caught.value) == (
        "a.nrrd does not end in .seg.nrrd, by which 3D Slicer knows the kind."
    )
    assert not list(tmp_path.iterdir())


def test_a_folder_that_does_not_exist_is_told(tmp_path, a_label_map):
    with pytest.raises(BadInput, match=r"cannot be written \(No such file or directory\)"):
        write_seg_nrrd(a_label_map, tmp_path / "nowhere" / "a.seg.nrrd", "x")
