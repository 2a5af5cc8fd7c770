"""Uploads at once: some at a time, the others are told, and a place comes free again."""

import asyncio
import io

import pytest
from aiohttp import ClientSession, FormData, web
from aiohttp.test_utils import TestServer
from cmcseg.web.folder import Folder
from cmcseg.web.routes import MOST_AT_ONCE, Routes

HALF = (
    b"POST /%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    b'Content-Disposition: form-data; name="f"; filename="ct.nii"\r\n\r\nabc'
)


class APage:
    """What is told, and to whom nobody listens."""

    def __init__(self):
        self.told = []

    def tell(self, sentence):
        self.told.append(sentence)

    def touch(self):
        pass


@pytest.fixture
def a_server(tmp_path):
    page = APage()
    routes = Routes(page, Folder(tmp_path), arrived=print, model_came=print)
    app = web.Application()
    app.add_routes(routes.table())
    return TestServer(app), page, tmp_path / ".cmcseg" / "incoming"


async def until(true):
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


async def sent_whole(server):
    form = FormData()
    form.add_field("file", io.BytesIO(b"no scan"), filename="ct.nii")
    async with (
        ClientSession() as session,
        session.post(f"http://127.0.0.1:{server.port}/upload", data=form) as answer,
    ):
        return answer.status, (await answer.json())["text"]


@pytest.mark.parametrize("kind", [b"upload", b"model"])
def test_more_than_a_few_at_once_are_told_to_wait_and_a_lost_one_frees_its_place(a_server, kind):
    a_server, page, incoming = a_server

    def coming():
        return len(list(incoming.iterdir())) if incoming.is_dir() else 0

    async def run():
        async with a_server as server:
            writers = []
            for _ in range(MOST_AT_ONCE):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(HALF % kind)
                writers.append(writer)
            await until(lambda: coming() == MOST_AT_ONCE)
            refused = await sent_whole(server)
            kept = coming()
            writers.pop().close()
            await until(lambda: coming() < MOST_AT_ONCE)
            served = await sent_whole(server)
            for writer in writers:
                writer.close()
            return refused, kept, served

    refused, kept, served = asyncio.run(run())
    assert refused == (429, "Other files are on their way; send these when they have come.")
    assert kept == MOST_AT_ONCE  # of the third nothing was written
    assert "ct.nii is no scan" in served[1]
    broken = "The upload was broken off; send it again."
    # Some versions of aiohttp end the handler of a lost connection at once; then nobody is told.
    assert set(page.told) - {broken} == {refused[1], served[1]}
