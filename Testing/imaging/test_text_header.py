"""Headers of NRRD and MetaImage that were made to do harm never reach a library."""

import os
import re
import sys

import numpy as np
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging import itk_files
from cmcseg.imaging.files import read_volume, write_volume

SHAPE = (5, 6, 7)


@pytest.fixture
def no_library(monkeypatch):
    """SimpleITK must not be asked."""

    def asked(*_told):
        raise AssertionError("a library saw the header")

    monkeypatch.setattr(itk_files, "_opened", asked)


@pytest.fixture
def a_volume():
    voxels = np.random.default_rng(0).integers(-1000, 2000, SHAPE).astype(np.int16)
    return Volume(array=voxels, grid=Grid(shape=SHAPE, affine=np.diag([-1.0, -1.0, 2.0, 1.0])))


def changed(path, a_volume, *swaps):
    write_volume(a_volume, path)
    data = path.read_bytes()
    for old, new in swaps:
        data, count = re.subn(old, new, data, count=1)
        assert count == 1
    path.write_bytes(data)
    return path


def refusal(path):
    with pytest.raises(BadInput) as caught:
        read_volume(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("suffix", "swap"),
    [
        (".mha", (rb"NDims = 3", b"NDims = 1000000")),
        (".nrrd", (rb"dimension: 3", b"dimension: 16")),
    ],
)
@pytest.mark.usefixtures("no_library")
def test_more_axes_than_an_image_has_are_refused(tmp_path, a_volume, suffix, swap):
    path = changed(tmp_path / f"a{suffix}", a_volume, swap)
    axes = {".mha": 1000000, ".nrrd": 16}[suffix]
    assert refusal(path) == f"a{suffix} has {axes} axes; a scan has 3, so export it again."


@pytest.mark.usefixtures("no_library")
def test_sizes_must_be_as_many_as_axes(tmp_path, a_volume):
    path = changed(tmp_path / "a.nrrd", a_volume, (rb"sizes: 5 6 7", b"sizes: 5 6 7 8"))
    assert refusal(path) == "a.nrrd speaks of 3 axes and gives the sizes of 4; export it again."


@pytest.mark.parametrize(
    ("suffix", "swap", "told"),
    [
        (".mha", (rb"NDims = 3", b"NDims = 3\nNDims = 3"), "gives NDims twice"),
        (".nrrd", (rb"dimension: 3", b"dimension: 3\nDimension: 3"), "gives dimension twice"),
        (".nrrd", (rb"encoding: gzip", b"encoding: zstd"), "header is damaged"),
        (".nrrd", (rb"type: short", b"type: block"), "header is damaged"),
        (".mha", (rb"MET_SHORT", b"MET_OTHER"), "header is damaged"),
        (".mha", (rb"NDims = 3", b"NDims = 3\nName = " + b"x" * 300), "header is damaged"),
        (".mha", (rb"NDims = 3", b"NDims = 3\nCompressedDataSize = 9999999999"), "twice|damaged"),
        (".mha", (rb"NDims = 3", b"NDims = 3\0"), "header is damaged"),
        (".nrrd", (rb"dimension: 3", b"dimension: 3\rdimension: 16"), "header is damaged"),
    ],
)
@pytest.mark.usefixtures("no_library")
def test_headers_that_libraries_stumble_over_are_refused(tmp_path, a_volume, suffix, swap, told):
    assert re.search(told, refusal(changed(tmp_path / f"a{suffix}", a_volume, swap)))


OUTSIDE = (
    " keeps its voxels outside its own folder, in a file that you did not give; put the data file "
    "beside it and name it in the header without a folder."
)
SEVERAL = " keeps its voxels in several files; save it as one .nrrd, .mha or .nii.gz."


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("{secret}", OUTSIDE),
        ("../secret/a.raw", OUTSIDE),
        ("sub/a.raw", OUTSIDE),
        ("..\\secret\\a.raw", OUTSIDE),
        ("LIST", SEVERAL),
        ("a%03d.raw 1 7 1", SEVERAL),
    ],
)
@pytest.mark.parametrize("suffix", [".mhd", ".mha", ".nhdr", ".nrrd"])
@pytest.mark.usefixtures("no_library")
def test_voxels_outside_the_folder_of_a_header_are_never_read(tmp_path, place, told, suffix):
    secret = tmp_path / "secret" / "a.raw"
    for folder in (secret.parent, tmp_path / "here" / "sub"):
        folder.mkdir(parents=True)
        (folder / "a.raw").write_bytes(bytes(2 * 5 * 6 * 7))
    path = tmp_path / "here" / f"a{suffix}"
    place = place.format(secret=secret)
    if suffix in (".mhd", ".mha"):
        path.write_text(
            f"NDims = 3\nDimSize = 5 6 7\nElementType = MET_SHORT\nElementDataFile = {place}\n"
        )
    else:
        path.write_text(
            "NRRD0004\ntype: short\ndimension: 3\nsizes: 5 6 7\nencoding: raw\nendian: little\n"
            f"data file: {place}\n"
        )
    assert refusal(path) == path.name + told


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links are POSIX")
@pytest.mark.parametrize("kind", ["pipe", "outwards", "itself"])
@pytest.mark.usefixtures("no_library")
def test_pipes_and_links_are_no_voxels(tmp_path, kind):
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "secret.raw").write_bytes(bytes(420))
    if kind == "pipe":
        os.mkfifo(here / "a.raw")
    else:
        (here / "a.raw").symlink_to(tmp_path / "secret.raw" if kind == "outwards" else "a.raw")
    (here / "a.mhd").write_text(
        "NDims = 3\nDimSize = 5 6 7\nElementType = MET_SHORT\nElementDataFile = a.raw\n"
    )
    assert refusal(here / "a.mhd") == (
        "a.mhd keeps its voxels in a.raw, which is no file of its folder; copy both files into one "
        "folder."
    )


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links are POSIX")
@pytest.mark.parametrize("suffix", [".nii", ".mhd", ".dcm"])
def test_a_pipe_or_a_link_to_itself_is_no_scan(tmp_path, suffix):
    pipe, link = tmp_path / f"pipe{suffix}", tmp_path / f"link{suffix}"
    os.mkfifo(pipe)
    link.symlink_to(link.name)
    assert "is not a file" in refusal(pipe)
    assert "There is no file" in refusal(link)
