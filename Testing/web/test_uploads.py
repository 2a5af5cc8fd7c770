"""Uploads: what is kept, and that a refused one leaves nothing."""

import asyncio
import io
import shutil
import time
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
            received = await receive(request, folder)
        except BadInput as error:
            return web.json_response({"text": str(error)}, status=400)
        return web.json_response({"text": f"{received.folder.name} {received.note}".strip()})

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


def test_what_is_no_scan_is_passed_over_and_said(a_folder, a_scan):
    status, text = upload(a_folder, [("notes.txt", b"hello"), ("ct.nii.gz", a_scan)])
    assert (status, text) == (200, "ct What is no scan was passed over: notes.txt.")
    assert kept(a_folder) == ["ct/ct.nii.gz"]


def test_a_disc_is_kept_without_what_its_writer_added(a_folder):
    added = [("README.TXT", b"hi"), ("VIEWER.EXE", b"MZ"), ("AUTORUN.INF", b"[autorun]"),
             ("__MACOSX/D/._IM1", b"\0\5\26\7")]  # fmt: skip
    status, text = upload(a_folder, [("cd.zip", zipped(("D/IM1", DICOM), *added))])
    passed = "README.TXT, VIEWER.EXE, AUTORUN.INF and 1 more"
    assert (status, text) == (200, f"study What is no scan was passed over: {passed}.")
    assert kept(a_folder) == ["study/00000 IM1"]


def test_a_damaged_scan_refuses_the_whole_upload(a_folder, a_scan):
    status, text = upload(a_folder, [("ct.nii.gz", a_scan), ("mr.nii.gz", b"not gzip")])
    assert (status, "mr.nii.gz is no scan" in text) == (400, True)
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


def test_a_folder_that_vanished_is_not_made_again(a_folder, a_scan):
    shutil.rmtree(a_folder.root)
    status, text = upload(a_folder, [("ct.nii.gz", a_scan)])
    assert (status, text) == (400, a_folder.gone)
    assert not a_folder.root.exists()


def test_a_folder_that_takes_no_files_is_told(a_folder, a_scan):
    shutil.rmtree(a_folder.own())
    a_folder.own().write_text("")
    status, text = upload(a_folder, [("ct.nii.gz", a_scan)])
    assert (status, "The file could not be kept: " in text) == (400, True)


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("queue.nii.gz", "queue 2"),
        ("Queue.nii.gz", "Queue 2"),
        ("QUEUE-KEY.nii.gz", "QUEUE-KEY 2"),
        ("sample.nii.gz", "sample 2"),
        ("CON.nii.gz", "_CON"),
        ("nul.nii.gz", "_nul"),
        ("Lpt1.nii.gz", "_Lpt1"),
        (".cmcseg.nii.gz", "cmcseg"),
    ],
)
def test_no_upload_takes_the_name_of_something_else(a_folder, a_scan, name, case):
    assert upload(a_folder, [(name, a_scan)]) == (200, case)
    assert not a_folder.queue.exists()


def test_files_of_one_name_are_all_kept(a_folder):
    slices = [("IM1", DICOM + bytes([n])) for n in range(3)]
    assert upload(a_folder, slices) == (200, "study")
    assert len(list((a_folder.root / "study").iterdir())) == 3


def test_what_a_system_leaves_beside_scans_is_passed_over(a_folder, a_scan):
    files = [("ct.nii.gz", a_scan), (".DS_Store", b"x"), ("Thumbs.db", b"x"), ("._ct.nii.gz", b"")]
    status, text = upload(a_folder, files)
    assert (status, text[:39]) == (200, "ct What is no scan was passed over: .DS")
    assert kept(a_folder) == ["ct/ct.nii.gz"]


def test_voxels_beside_their_header_are_kept_and_alone_refused(a_folder):
    header = b"ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementDataFile = ct.raw\n"
    assert upload(a_folder, [("ct.mhd", header), ("ct.raw", b"12345678")]) == (200, "ct")
    assert upload(a_folder, [("ct.raw", b"12345678")])[0] == 400


def test_more_parts_than_any_scan_has_are_refused(a_folder, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_FILES", 50)
    status, text = upload(a_folder, [(f"{n}.dcm", DICOM) for n in range(60)])
    assert (status, "more than 50 files" in text) == (400, True)
    assert kept(a_folder) == []


def test_a_disk_without_room_is_told_before_anything_comes(a_folder, a_scan, monkeypatch):
    monkeypatch.setattr(uploads, "RESERVE", 1 << 62)
    status, text = upload(a_folder, [("ct.nii.gz", a_scan)])
    assert (status, "There is no room for the file" in text) == (400, True)


def test_an_upload_that_stands_still_is_given_up_and_leaves_nothing(a_folder, monkeypatch):
    monkeypatch.setattr(uploads, "STALLED", 0.3)

    async def taken(request):
        try:
            await receive(request, a_folder)
        except BadInput as error:
            return web.Response(text=str(error))

    async def run():
        app = web.Application()
        app.add_routes([web.post("/upload", taken)])
        async with TestServer(app) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(
                b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
                b'Content-Disposition: form-data; name="f"; filename="ct.nii"\r\n\r\nabc'
            )
            answer = await asyncio.wait_for(reader.read(4000), 10)
            writer.close()
            return answer

    assert b"stood still" in asyncio.run(run())
    assert list(a_folder.own("incoming").iterdir()) == []


def test_unpacking_stops_no_window(a_folder, monkeypatch):
    """While an archive is unpacked, the loop goes on."""
    beats = []

    def slow(archive, into):  # noqa: ARG001
        time.sleep(0.5)
        raise BadInput("enough")

    monkeypatch.setattr(uploads, "unfold", slow)

    async def taken(request):
        beat = asyncio.create_task(_beats(beats))
        with pytest.raises(BadInput, match="enough"):
            await receive(request, a_folder)
        beat.cancel()
        return web.json_response({"text": "done"})

    async def run():
        app = web.Application()
        app.add_routes([web.post("/upload", taken)])
        form = FormData()
        form.add_field("file", io.BytesIO(zipped(("a", b"b"))), filename="a.zip")
        async with TestServer(app) as server, ClientSession() as session:
            await session.post(f"http://127.0.0.1:{server.port}/upload", data=form)

    asyncio.run(run())
    assert len(beats) > 10


async def _beats(beats):
    while True:
        beats.append(0)
        await asyncio.sleep(0.01)


DICOM = b"\0" * 128 + b"DICM" + b"\x02\x00\x10\x00"
