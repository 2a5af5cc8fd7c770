"""Label maps mean what their file says, whatever numbers and whatever grid it chose."""

import gzip
import re

import nibabel
import numpy as np
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Code, Label, LabelMap, LabelTable
from cmcseg.imaging.files import read_label_map, write_label_map
from cmcseg.imaging.seg_nrrd import write_seg_nrrd

SHAPE = (5, 6, 7)
GRID = Grid(shape=SHAPE, affine=np.diag([-0.7, -0.8, 2.5, 1.0]))
TABLE = LabelTable(
    labels=(
        Label(value=1, name="liver", color="#aa0000", code=Code(value="10200004", meaning="Liver")),
        Label(value=2, name="spleen", color="#00aa00", code=Code(value="78961009", meaning="S")),
    )
)


@pytest.fixture
def a_label_map():
    array = np.random.default_rng(1).choice([0, 1, 2], SHAPE).astype(np.uint8)
    return LabelMap(array=array, grid=GRID, table=TABLE)


def segmentation(path, label_map, *swaps, voxels=None):
    """A file as Slicer writes it, spoilt by exchanging words of its header."""
    write_seg_nrrd(label_map, path, "a")
    head, packed = path.read_bytes().split(b"\n\n", 1)
    for old, new in swaps:
        head, count = re.subn(old.encode(), new.encode(), head)
        assert count
    if voxels is not None:
        packed = gzip.compress(np.asarray(voxels, np.uint8).tobytes(order="F"))
    path.write_bytes(head + b"\n\n" + packed)
    return path


def refusal(path, **options):
    with pytest.raises(BadInput) as caught:
        read_label_map(path, TABLE, **options)
    return str(caught.value)


def test_what_was_written_comes_back(tmp_path, a_label_map):
    back = read_label_map(segmentation(tmp_path / "a.seg.nrrd", a_label_map), TABLE)
    assert np.array_equal(back.array, a_label_map.array)
    assert back.grid.agrees_with(GRID)


RENUMBERED = (("Segment0_LabelValue:=1", "Segment0_LabelValue:=9"),
              ("Segment1_LabelValue:=2", "Segment1_LabelValue:=1"))  # fmt: skip


@pytest.mark.parametrize(
    "rename",
    [
        (),
        [("_Name:=liver", "_Name:=Leber")],
        [("_Name:=spleen", "_Name:=SPLEEN"), ("Tags:=.*", "Tags:=")],
    ],
)
def test_names_count_and_where_they_are_others_the_codes(tmp_path, a_label_map, rename):
    if rename and rename[0][0] != "_Name:=liver":
        rename = [*rename, ("_Name:=liver", "_Name:= Liver")]
    voxels = np.choose(a_label_map.array, [0, 9, 1])
    path = segmentation(tmp_path / "a.seg.nrrd", a_label_map, *RENUMBERED, *rename, voxels=voxels)
    assert np.array_equal(read_label_map(path, TABLE).array, a_label_map.array)


def test_a_segment_that_nobody_knows_is_named(tmp_path, a_label_map):
    swaps = [("_Name:=liver", "_Name:=tumour"), ("Tags:=.*", "Tags:=")]
    path = segmentation(tmp_path / "a.seg.nrrd", a_label_map, *swaps)
    assert refusal(path) == (
        "a.seg.nrrd calls the value 1 'tumour', which the label table does not know; it knows "
        "liver, spleen. Rename it, or take it out."
    )


def test_a_segment_named_as_one_organ_and_coded_as_another_is_refused(tmp_path, a_label_map):
    path = segmentation(
        tmp_path / "a.seg.nrrd", a_label_map, ("Segment0_Name:=liver", "Segment0_Name:=spleen")
    )
    assert refusal(path) == (
        "In a.seg.nrrd the segment spleen carries the code of liver; correct one of them, and save "
        "it again."
    )


def test_voxels_of_no_segment_are_refused(tmp_path, a_label_map):
    voxels = a_label_map.array.copy()
    voxels[0, 0, 0] = 77
    path = segmentation(tmp_path / "a.seg.nrrd", a_label_map, voxels=voxels)
    assert refusal(path).startswith("a.seg.nrrd holds the value 77, which belongs to none of its")


def test_segments_without_a_name_keep_their_number(tmp_path, a_label_map):
    swaps = [("_Name:=liver", "_Name:=Segment_1"), ("_Name:=spleen", "_Name:=Segment_2")]
    swaps.append(("Tags:=.*", "Tags:="))
    path = segmentation(tmp_path / "a.seg.nrrd", a_label_map, *swaps)
    assert np.array_equal(read_label_map(path, TABLE).array, a_label_map.array)


def test_voxels_that_slicer_cropped_come_back_on_the_whole_scan(tmp_path, a_label_map):
    inner = a_label_map.array[1:4, 2:5, 3:6]
    whole = np.zeros_like(a_label_map.array)
    whole[1:4, 2:5, 3:6] = inner
    origin = (GRID.affine @ (1, 2, 3, 1))[:3] * (-1, -1, 1)
    path = segmentation(
        tmp_path / "a.seg.nrrd",
        a_label_map,
        ("sizes: 5 6 7", "sizes: 3 3 3"),
        ("space origin: .*", f"space origin: ({','.join(map(str, origin.tolist()))})"),
        voxels=inner,
    )
    back = read_label_map(path, TABLE)
    assert np.array_equal(back.array, whole)
    assert back.grid.agrees_with(GRID)


def test_a_scan_that_cannot_be_is_never_made_room_for(tmp_path, a_label_map):
    huge = ("0;4;0;5;0;6;", "0;4;0;99999999999;0;6;")
    path = segmentation(tmp_path / "a.seg.nrrd", a_label_map, huge)
    assert refusal(path).startswith(
        "The header of a.seg.nrrd promises 5 x 100000000000 x 7 voxels; reading it needs 7 TB"
    )
    other = segmentation(tmp_path / "b.seg.nrrd", a_label_map, ("0;4;0;5;0;6;", "0;4;0;399;0;6;"))
    back = read_label_map(other, TABLE, on=GRID)
    assert np.array_equal(back.array, a_label_map.array)


@pytest.mark.parametrize("overlap", [False, True])
def test_layers_are_laid_together_unless_they_overlap(tmp_path, a_label_map, overlap):
    layers = np.stack([a_label_map.array == 1, a_label_map.array == 2]).astype(np.uint8)
    if overlap:
        layers[1] |= layers[0]
    path = segmentation(
        tmp_path / "a.seg.nrrd",
        a_label_map,
        ("dimension: 3", "dimension: 4"),
        ("sizes: 5", "sizes: 2 5"),
        ("space directions: ", "space directions: none "),
        ("kinds: domain", "kinds: list domain"),
        ("Segment1_LabelValue:=2", "Segment1_LabelValue:=1"),
        ("Segment1_Layer:=0", "Segment1_Layer:=1"),
        voxels=layers,
    )
    if overlap:
        assert "to two segments at once" in refusal(path)
    else:
        assert np.array_equal(read_label_map(path, TABLE).array, a_label_map.array)


def test_a_datalists_own_numbers_are_turned_into_the_tables(tmp_path, a_label_map):
    other = np.choose(a_label_map.array, [0, 7, 1]).astype(np.uint8)
    other[0, 0, 0] = 200
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(other, GRID.affine), path)
    names = {1: "Spleen", 7: "liver", 200: "ignore"}
    back = read_label_map(path, TABLE, names=names).array
    assert back[0, 0, 0] == 255
    assert np.array_equal(back.ravel()[1:], a_label_map.array.ravel()[1:])
    assert "'pancreas', which the label table does not know" in refusal(
        path, names={**names, 7: "pancreas"}
    )
    assert "holds the value 7, which the table of the datalist does not name" in refusal(
        path, names={1: "spleen", 200: "ignore"}
    )


# The same voxels on another grid


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flip", [(), (0,), (1, 2)])
def test_labels_in_another_order_of_axes_are_those_of_the_scan(tmp_path, a_label_map, order, flip):
    image = nibabel.Nifti1Image(a_label_map.array, GRID.affine)
    turned = np.array([[axis, -1 if axis in flip else 1] for axis in order])
    affine = image.as_reoriented(turned).affine
    affine[:3, 3] += 0.02  # and a hair's breadth off
    nibabel.save(
        nibabel.Nifti1Image(image.as_reoriented(turned).get_fdata().astype(np.uint8), affine),
        tmp_path / "a.nii.gz",
    )
    back = read_label_map(tmp_path / "a.nii.gz", TABLE, on=GRID)
    assert np.array_equal(back.array, a_label_map.array)
    assert back.grid is GRID


@pytest.mark.parametrize("spoil", ["moved", "turned", "cropped"])
def test_labels_on_other_voxels_are_refused(tmp_path, spoil):
    affine, shape = GRID.affine.copy(), SHAPE
    if spoil == "moved":
        affine[0, 3] += 0.3
    elif spoil == "turned":
        turn = np.array([[np.cos(0.2), np.sin(0.2)], [-np.sin(0.2), np.cos(0.2)]])
        affine[:2, :2] = turn @ affine[:2, :2]
    else:
        shape = (5, 6, 6)
    grid = Grid(shape=shape, affine=affine)
    array = np.ones(shape, np.uint8)
    write_label_map(LabelMap(array=array, grid=grid, table=TABLE), tmp_path / "a.nrrd")
    with pytest.raises(BadInput, match="lies on another grid than its scan"):
        read_label_map(tmp_path / "a.nrrd", TABLE, on=GRID)
