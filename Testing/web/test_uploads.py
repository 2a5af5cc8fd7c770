"""Uploads: what is kept, and that a refused one leaves nothing."""

import asyncio
import io
import shutil
import zipfile

import numpy as np
import pytest
from aiohttp import ClientSession, FormData, web
from aiohttp.test_utils import TestServer
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import write_volume
from cmcseg.web import uploads
from cmcseg.web.folder import Folder
from cmcseg.web.uploads import receive


@pytest.fixture
def a_folder(tmp_path):
    return Folder(tmp_path / "scans")


@pytest.fixture(scope="module")
def a_scan(tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "ct.nii.gz"
    array = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    write_volume(Volume(array=array, grid=Grid(shape=(4, 5, 6), affine=np.eye(4))), path)
    return path.read_bytes()


def upload(folder, files):
    """What became of a form with files: the path, or the sentence."""

    async def taken(request):
        try:
            path = await receive(request, folder)
        except BadInput as error:
            return web.json_response({"text": str(error)}, status=400)
        return web.json_response({"text": path.name})

    async def run():
        app = web.Application()
        app.add_routes([web.post("/upload", taken)])
        form = FormData(quote_fields=False)
        for name, content in files:
            form.add_field("file", io.BytesIO(content), filename=name)
        async with TestServer(app) as server, ClientSession() as session:
            address = f"http://127.0.0.1:{server.port}/upload"
            async with session.post(address, data=form) as answer:
                return answer.status, (await answer.json())["text"]

    return asyncio.run(run())


def zipped(*rows):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in rows:
            archive.writestr(name, content)
    return out.getvalue()


def kept(folder):
    return sorted(
        str(path.relative_to(folder.root)) for path in folder.root.rglob("*") if path.is_file()
    )


def test_a_pair_becomes_a_case(a_folder, a_scan):
    assert upload(a_folder, [("ct.nii.gz", a_scan), ("mr.nii.gz", a_scan)]) == (200, "ct")
    assert kept(a_folder) == ["ct/ct.nii.gz", "ct/mr.nii.gz"]
    assert [sorted(case.files) for case in a_folder.cases({"ct", "mr"})] == [["ct", "mr"]]


def test_the_same_name_again_is_another_case(a_folder, a_scan):
    upload(a_folder, [("ct.nii.gz", a_scan)])
    assert upload(a_folder, [("ct.nii.gz", a_scan)]) == (200, "ct 2")
    assert kept(a_folder) == ["ct 2/ct.nii.gz", "ct/ct.nii.gz"]


def test_a_zip_is_unfolded(a_folder, a_scan):
    packed = zipped(("ann/ct.nii.gz", a_scan), ("ann/mr.nii.gz", a_scan))
    assert upload(a_folder, [("ann.zip", packed)])[0] == 200
    assert kept(a_folder) == ["ct/ct.nii.gz", "ct/mr.nii.gz"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("holiday.jpg", b"\xff\xd8\xff", "is no scan"),
        ("ct.nii.gz", b"not gzip at all", "is no scan"),
        ("ct.nii", b"\0" * 400, "is no scan"),
        ("ct.nrrd", b"MZ", "is no scan"),
        ("empty.nii.gz", b"", "is no scan"),
        ("run.dcm", b"#!/bin/sh", "is no scan"),
        ("..", b"x", "cannot be a file name"),
        ("up.zip", zipped(("../../etc/cron.d/x", b"x")), "reaches outside"),
        ("up.zip", zipped(("/etc/x.nii", b"x")), "reaches outside"),
        ("bomb.zip", zipped(("ct.nii", b"\0" * 50_000_000)), "far more than it is"),
        ("many.zip", zipped(*((f"{n}.dcm", b"x") for n in range(5001))), "more than the app"),
        ("cut.zip", zipped(("ct.nii", bytes(range(256)) * 99))[:-60] + b"PK\5\6" + b"\0" * 18, ""),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_scan_is_refused_in_words_and_leaves_nothing(a_folder, name, content, words):
    status, text = upload(a_folder, [(name, content)])
    assert status == 400
    assert words in text
    assert kept(a_folder) == []


def test_one_bad_file_refuses_the_whole_upload(a_folder, a_scan):
    status, text = upload(a_folder, [("ct.nii.gz", a_scan), ("notes.txt", b"hello")])
    assert (status, "notes.txt is no scan" in text) == (400, True)
    assert kept(a_folder) == []


def test_more_than_the_limit_is_refused_while_it_comes(a_folder, monkeypatch):
    monkeypatch.setattr(uploads, "LARGEST", 2_000_000)
    status, text = upload(a_folder, [("ct.nii", b"\0" * 3_000_000)])
    assert status == 400
    assert "copy such scans into the app's folder" in text
    assert kept(a_folder) == []


def test_an_archive_that_lies_about_its_size_is_refused(a_folder):
    packed = bytearray(zipped(("ct.nii", bytes(range(256)) * 4000)))
    at = packed.rfind(b"PK\1\2") + 24  # size of the content in the archive's directory
    packed[at : at + 4] = (10).to_bytes(4, "little")
    status, _ = upload(a_folder, [("lie.zip", bytes(packed))])
    assert status == 400
    assert kept(a_folder) == []


def test_a_name_from_outside_stays_inside(a_folder, a_scan):
    assert upload(a_folder, [("../../../up_ct.nii.gz", a_scan)])[0] == 200
    assert kept(a_folder) == ["up_ct/up_ct.nii.gz"]


def test_nothing_is_told_so(a_folder):
    status, text = upload(a_folder, [])
    assert status == 400
    assert text
    assert kept(a_folder) == []


def test_an_upload_into_a_folder_that_was_deleted_is_kept(a_folder, a_scan):
    shutil.rmtree(a_folder.root)
    assert upload(a_folder, [("ct.nii.gz", a_scan)]) == (200, "ct")
    assert kept(a_folder) == ["ct/ct.nii.gz"]


def test_a_folder_that_takes_no_files_is_told(a_folder, a_scan):
    shutil.rmtree(a_folder.root)
    a_folder.root.write_text("")
    status, text = upload(a_folder, [("ct.nii.gz", a_scan)])
    assert (status, "The file could not be kept: Not a directory." in text) == (400, True)
