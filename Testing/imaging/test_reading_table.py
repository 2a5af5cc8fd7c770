"""The tables of docs/reading.md, row by row: what is read, what is refused, in which words."""

import gzip
import os
import re
import sys
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Code, Label, LabelMap, LabelTable
from cmcseg.core.messages import Message
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import read_label_map, read_volume, write_label_map, write_volume
from cmcseg.imaging.seg_nrrd import write_seg_nrrd
from cmcseg.worker.reading_verbs import read_scan
from dicom_phantom import write_series
from pydicom.uid import generate_uid

DOCUMENT = Path(__file__).parents[2] / "docs" / "reading.md"
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in DOCUMENT.read_text(encoding="utf-8").partition("## Beside dcm2niix")[0].splitlines()
    if line.startswith("| ") and not line.startswith(("| input", "|---"))
]
SHAPE = (12, 10, 8)
AFFINE = np.diag([-0.7, -0.8, 2.5, 1.0])
GRID = Grid(shape=SHAPE, affine=AFFINE)
STORED = np.random.default_rng(0).integers(0, 2000, SHAPE).astype(np.int16)
TABLE = LabelTable(
    labels=(
        Label(value=1, name="liver", color="#aa0000", code=Code(value="10200004", meaning="Liver")),
        Label(value=2, name="spleen", color="#00aa00", code=Code(value="78961009", meaning="S")),
    )
)
MAKERS = {}


def makes(row):
    """The function below writes the input of a row and returns the path that is read."""

    def known(maker):
        MAKERS[row] = maker
        return maker

    return known


def together(folder, count, change, **options):
    """A series that shows every place several times; ``change(number, k, dataset)``."""
    uid = generate_uid()

    def one(number):
        def spoil(k, dataset):
            dataset.SeriesInstanceUID, dataset.SeriesNumber = uid, 5
            dataset.InstanceNumber = 100 * number + k + 1
            change(number, k, dataset)

        return spoil

    for number in range(count):
        write_series(folder, STORED + number, AFFINE, number=number, change=one(number), **options)
    return folder


def spoilt(folder, **values):
    """A series with these values in every slice, whether the standard allows them or not."""

    def change(_k, one):
        for key, value in values.items():
            if value is None:
                del one[key]
            else:
                setattr(one, key, value)

    write_series(folder, STORED, AFFINE, change=change)
    return folder


@makes("a plain series")
@makes("MONOCHROME1")
def _(folder):
    return spoilt(folder, PhotometricInterpretation="MONOCHROME1")


@makes("several series in one folder")
def _(folder):
    write_series(folder, STORED, AFFINE, description="thin", number=3)
    write_series(folder, STORED[:, :, :5], AFFINE, description="thick", number=4)
    return folder


@makes("`FOLDER#2`")
def _(folder):
    return Path(f"{MAKERS['several series in one folder'](folder)}#2")


@makes("two echoes in one series")
def _(folder):
    def change(number, _k, one):
        one.EchoTime = 2.3 * (number + 1)

    return together(folder, 2, change, modality="MR")


@makes("magnitude and phase at two echoes")
def _(folder):
    def change(number, _k, one):
        one.EchoTime = 2.3 * (number // 2 + 1)
        one.ImageType = ["ORIGINAL", "PRIMARY", "MP"[number % 2]]

    return together(folder, 4, change, modality="MR")


@makes("phases whose trigger times differ from slice to slice")
def _(folder):
    def change(number, k, one):
        one.TriggerTime, one.AcquisitionNumber = round(number * (180 + 1.3 * k), 1), k + 1
        one.InstanceNumber = 4 * k + number + 1

    return together(folder, 4, change, modality="MR")


@makes("two acquisitions half a step apart")
def _(folder):
    def change(number, _k, one):
        one.AcquisitionNumber = number + 1
        one.ImagePositionPatient[2] += 1.25 * number

    return together(folder, 2, change)


@makes("two acquisitions that overlap")
def _(folder):
    def change(number, _k, one):
        one.AcquisitionNumber = number + 1
        one.ImagePositionPatient[2] += 11.3 * number

    return together(folder, 2, change)


@makes("acquisition numbers that change within one even stack")
def _(folder):
    def change(k, one):
        one.AcquisitionNumber, one.SliceThickness = k % 2 + 1, 2.5

    write_series(folder, STORED, AFFINE, change=change)
    return folder


@makes("a tilted gantry")
def _(folder):
    affine, angle = AFFINE.copy(), np.radians(14)
    affine[:3, 2] = 2.5 * np.array([0, np.sin(angle), np.cos(angle)])
    write_series(folder, STORED, affine)
    return folder


@makes("slightly uneven steps")
def _(folder):
    def change(k, one):
        one.ImagePositionPatient[2] += 0.3 * (k % 2)

    write_series(folder, STORED, AFFINE, change=change)
    return folder


@makes("missing slices")
def _(folder):
    write_series(folder, STORED, AFFINE)[3].unlink()
    return folder


@makes("slices sent twice under new ids")
def _(folder):
    uid = generate_uid()

    def same(_k, one):
        one.SeriesInstanceUID = uid

    for number in (3, 4):
        write_series(folder, STORED, AFFINE, number=number, change=same)
    return folder


@makes("images of one place that nothing tells apart")
def _(folder):
    def change(_number, _k, one):
        one.InstanceNumber = 1

    return together(folder, 2, change)


@makes("no mark and no 128 bytes before the data")
def _(folder):
    for path in write_series(folder, STORED, AFFINE):
        one = pydicom.dcmread(path)
        del one.file_meta
        pydicom.dcmwrite(path, one, implicit_vr=True, little_endian=True, enforce_file_format=False)
    return folder


@makes("blank or equal UIDs")
def _(folder):
    return spoilt(folder, SOPInstanceUID="1.2.3", SeriesInstanceUID="")


@makes("a damaged file of nobody knows which series")
def _(folder):
    data = write_series(folder, STORED, AFFINE)[0].read_bytes()
    (folder / "broken.dcm").write_bytes(data[: data.index(b"Abdomen")])
    return folder


@makes("a multi-frame file beside a series")
def _(folder):
    write_series(folder, STORED, AFFINE)
    path = MAKERS["multi-frame (enhanced) files alone"](folder / "other")
    next(path.iterdir()).rename(folder / "frames.dcm")
    return folder


@makes("multi-frame (enhanced) files alone")
def _(folder):
    def change(_k, one):
        one.NumberOfFrames = 2

    write_series(folder, STORED[:, :, :1], AFFINE, number=9, change=change)
    return folder


@makes("mosaics")
def _(folder):
    return spoilt(folder, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])


@makes("positions that are missing")
def _(folder):
    return spoilt(folder, ImagePositionPatient=None)


@makes("a comma in the pixel spacing")
def _(folder):
    for path in write_series(folder, STORED, AFFINE):
        data = path.read_bytes()
        start = data.index(b"\x28\x00\x30\x00DS") + 8
        length = int.from_bytes(data[start - 2 : start], "little")
        value = b"0,8\\0,7".ljust(length)
        path.write_bytes(data[:start] + value + data[start + length :])
    return folder


@makes("a word as the number of the series")
def _(folder):
    number = b"\x20\x00\x11\x00IS\x02\x00"
    for path in write_series(folder, STORED, AFFINE):
        path.write_bytes(path.read_bytes().replace(number + b"2 ", number + b"ab"))
    return folder


@makes("two patients in one folder")
def _(folder):
    for number, patient in enumerate(("A17", "B23"), 3):
        write_series(folder, STORED, AFFINE, patient=patient, number=number)
    return folder


# Files


def saved(path, array, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


@makes("a file that was cut short")
def _(folder):
    path = saved(folder / "a.nii", STORED)
    path.write_bytes(path.read_bytes()[:-50])
    return path


@makes("a film")
def _(folder):
    return saved(folder / "a.nii", np.stack([STORED] * 3, axis=-1))


@makes("colour")
def _(folder):
    dtype = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    return saved(folder / "a.nii", np.zeros(SHAPE, dtype))


@makes("sheared axes")
def _(folder):
    affine = AFFINE.copy()
    affine[0, 2] = 1
    image = nibabel.Nifti1Image(STORED, None)
    image.set_sform(affine, 1)
    image.header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
    nibabel.save(image, folder / "a.nii")
    return folder / "a.nii"


@makes("millimetres called metres")
def _(folder):
    image = nibabel.Nifti1Image(STORED, AFFINE)
    image.header.set_xyzt_units("meter")
    nibabel.save(image, folder / "a.nii")
    return folder / "a.nii"


@makes("a voxel size that is ten times too large")
def _(folder):
    image = nibabel.Nifti1Image(np.zeros((300, 300, 2), np.int16), np.diag([7.0, 7.0, 25.0, 1.0]))
    nibabel.save(image, folder / "a.nii")
    return folder / "a.nii"


@makes("a voxel size that is ten times too small")
def _(folder):
    nibabel.save(nibabel.Nifti1Image(STORED, np.diag([0.07, 0.08, 0.25, 1.0])), folder / "a.nii")
    return folder / "a.nii"


@makes("a NRRD of 16 axes")
def _(folder):
    path = folder / "a.nrrd"
    write_volume(Volume(array=STORED, grid=GRID), path)
    path.write_bytes(path.read_bytes().replace(b"dimension: 3", b"dimension: 16"))
    return path


@makes("a header whose voxels lie in another folder")
def _(folder):
    (folder / "a.mhd").write_text(
        "NDims = 3\nDimSize = 12 10 8\nElementType = MET_SHORT\nElementDataFile = ../b.raw\n"
    )
    return folder / "a.mhd"


@makes("a header with its voxels beside it")
def _(folder):
    (folder / "b.raw").write_bytes(STORED.tobytes(order="F"))
    (folder / "a.mhd").write_text(
        "NDims = 3\nDimSize = 12 10 8\nElementSpacing = 1 1 2\nElementType = MET_SHORT\n"
        "ElementByteOrderMSB = False\nElementDataFile = b.raw\n"
    )
    return folder / "a.mhd"


@makes("a pipe")
def _(folder):
    if sys.platform == "win32":
        pytest.skip("Windows has no such pipes")
    os.mkfifo(folder / "a.nii")
    return folder / "a.nii"


@makes("no position")
def _(folder):
    return saved(folder / "a.nii", STORED, None)


# Label maps


def segmentation(folder, *swaps, first=None):
    array = (np.arange(np.prod(SHAPE)) % 3).reshape(SHAPE).astype(np.uint8)
    path = folder / "a.seg.nrrd"
    write_seg_nrrd(LabelMap(array=array, grid=GRID, table=first or TABLE), path, "a")
    head, packed = path.read_bytes().split(b"\n\n", 1)
    for old, new in swaps:
        head = re.sub(old, new, head)
    path.write_bytes(head + b"\n\n" + packed)
    return path


@makes("segments with other numbers")
def _(folder):
    return segmentation(
        folder,
        (rb"Segment0_LabelValue:=1", rb"Segment0_LabelValue:=0x"),
        (rb"Segment1_LabelValue:=2", rb"Segment1_LabelValue:=1"),
        (rb"0x", rb"2"),
    )


@makes("a segment that the model does not know")
def _(folder):
    return segmentation(folder, (rb"_Name:=liver", rb"_Name:=tumour"), (rb"Tags:=.*", rb"Tags:="))


@makes("a segment named as one organ and coded as another")
def _(folder):
    return segmentation(folder, (rb"Segment0_Name:=liver", rb"Segment0_Name:=spleen"))


@makes("two segments in one voxel")
def _(folder):
    path = segmentation(
        folder,
        (rb"dimension: 3", rb"dimension: 4"),
        (rb"sizes: ", rb"sizes: 2 "),
        (rb"space directions: ", rb"space directions: none "),
        (rb"kinds: ", rb"kinds: list "),
        (rb"Segment1_Layer:=0", rb"Segment1_Layer:=1"),
    )
    head, _, packed = path.read_bytes().partition(b"\n\n")
    array = np.frombuffer(gzip.decompress(packed), np.uint8)
    layers = np.stack([np.minimum(array, 1), 2 * (array > 0)]).astype(np.uint8)
    path.write_bytes(head + b"\n\n" + gzip.compress(layers.tobytes(order="F")))
    return path


@makes("labels on other voxels than the scan's")
def _(folder):
    path = folder / "a.seg.nrrd"
    grid = Grid(shape=SHAPE, affine=AFFINE @ np.diag([2.0, 2, 2, 1]))
    array = np.ones(SHAPE, np.uint8)
    write_label_map(LabelMap(array=array, grid=grid, table=TABLE), path)
    return path


def test_the_document_and_the_test_have_the_same_rows():
    assert [row[0] for row in ROWS] == list(dict.fromkeys(row[0] for row in ROWS))
    assert {row[0] for row in ROWS} == set(MAKERS)


@pytest.mark.filterwarnings("ignore")  # pydicom tells of the odd values that are written here
@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_is_true(tmp_path, row):
    name, outcome, words = row
    folder = tmp_path / "in"
    folder.mkdir()
    path = MAKERS[name](folder)
    try:
        if path.name.endswith(".seg.nrrd"):
            read_label_map(path, TABLE, on=GRID)
            told, said = "read", ""
        else:
            said = read_volume(path).facts.get("note", "")
            told = "read"
    except BadInput as error:
        told, said = "refused", str(error)
    assert outcome.split(",")[0].split()[0] == told, said
    assert words in said
    if not words and outcome == "read":
        assert said == ""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_browser_reads_and_refuses_the_same(tmp_path, row):
    folder = tmp_path / "in"
    folder.mkdir()
    path = MAKERS[row[0]](folder)
    if path.name.endswith(".seg.nrrd"):
        pytest.skip("the browser takes no label maps")
    values = {"path": str(path), "within": str(tmp_path)}

    def by_the_worker():
        request = Message(verb="read-scan", values=values)
        return read_scan(request, None, lambda _progress: None).volumes["scan"]

    (volume, words), (shown, said) = (outcome(lambda: read_volume(path)), outcome(by_the_worker))
    assert said == words
    if volume is not None:
        assert np.array_equal(shown.array, volume.array)
        assert np.array_equal(shown.grid.affine, volume.grid.affine)


def outcome(read):
    """A volume, or the sentence that refuses it."""
    try:
        return read(), ""
    except BadInput as error:
        return None, str(error)
