"""Whoever speaks to the app's socket may send anything; it answers in words and lives on."""

import asyncio
import io
import os
import socket
import subprocess
import sys
from contextlib import contextmanager

import msgpack
import pytest
from aiohttp import ClientSession, CookieJar, FormData
from wslink.chunking import UnChunker, generate_chunks

STRANGE = ("", "../../etc/passwd", "<img src=x onerror=alert(1)>", "x" * 300, -1, 1e308,
           float("nan"), None, True, [1, 2], {"a": 1})  # fmt: skip
READ = (
    "DisplayState__opacity", "DisplayState__blend", "DisplayState__solid", "DisplayState__overlay",
    "LearnState__minutes", "LearnState__reason", "ToolsState__hidden", "ToolsState__brush_mm",
    "ToolsState__organ", "PageState__step",
)  # fmt: skip
SIZES = ({"w": -5, "h": 1e9}, {"w": 1e6, "h": 1e6, "p": 1e6}, {"w": "a", "p": -1}, {}, None, "x")
HTML = "<img src=x onerror=alert(1)>a"


@contextmanager
def command(folder, *words):
    """The real command; yields the process and the link that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cmcseg", "web", folder, "--port", "0", "--no-open", *words],
        env={**os.environ, "XDG_DATA_HOME": str(folder), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, process.stdout.readline().split("CMCSeg: ")[-1].strip()
    finally:
        process.terminate()
        process.told = process.communicate(timeout=20)[1]


class Visitor:
    """A page that says whatever it likes."""

    def __init__(self, socket):
        self.socket, self._chunks, self._last = socket, UnChunker(), 0
        self._chunks.set_max_message_size(1 << 30)
        self.state = {}

    async def ask(self, method, *args, key=""):
        """The answer; what the app publishes meanwhile is kept in ``state``."""
        self._last += 1
        key = key or f"rpc:{self._last}"
        words = msgpack.packb({"id": key, "method": method, "args": args})
        for chunk in generate_chunks(words, 1 << 20):
            await self.socket.send_bytes(chunk)
        while True:
            chunk = await asyncio.wait_for(self.socket.receive_bytes(), 30)
            told = self._chunks.process_chunk(chunk)
            if told and told.get("id") == key:
                return told.get("result")
            if told and "trame.state" in str(told.get("id")):
                self.state |= told["result"]


def visited(address, talk):
    """Run ``talk(visitor, session)`` on a socket of the app."""

    async def run():
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            async with session.get(address) as page:
                assert page.status == 200
                session.home = str(page.url).removesuffix("index.html")
            where = session.home.replace("http", "ws") + "ws"
            async with session.ws_connect(where, max_msg_size=0) as ws:
                return await spoken(ws, session)

    async def spoken(ws, session):
        visitor = Visitor(ws)
        await visitor.ask("wslink.hello", {"secret": "wslink-secret"}, key="system:1")
        visitor.state |= (await visitor.ask("trame.state.get"))["state"]
        return await talk(visitor, session)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    (folder / f"{HTML}_ct.nii.gz").write_bytes(b"")
    (folder / f"{'x' * 200}_ct.nii.gz").write_bytes(b"")
    with command(folder) as (_, link):
        yield link


def notice(visitor):
    return visitor.state.get("PageState__notice", "")


def test_no_button_can_be_pressed_with_values_that_it_does_not_send(address):
    async def talk(visitor, _):
        told = set()
        for name in [*(f"trigger__{n}" for n in range(1, 60)), "key", "hold", "lost", "uploading"]:
            for value in STRANGE:
                await visitor.ask("trame.trigger", name, [value, value, value], {})
                told.add(notice(visitor))
        await visitor.ask("trame.state.get")
        return told

    told = visited(address, talk) - {""}
    assert "The page asked for what it does not offer; load it again." in told
    assert not [words for words in told if "unforeseen" in words]


@pytest.mark.parametrize("name", READ)
def test_a_variable_of_the_page_may_hold_anything(address, name):
    async def talk(visitor, _):
        before, told = visitor.state[name], set()
        for value in (*STRANGE, before):
            await visitor.ask("trame.state.update", [{"key": name, "value": value}])
            for key in ("1", "b", "a", "Z", "?", "?"):
                await visitor.ask("trame.trigger", "key", [key], {})
            told.add(notice(visitor))
        return told

    assert not [words for words in visited(address, talk) if "unforeseen" in words]


def test_no_window_is_larger_than_a_screen(address):
    async def talk(visitor, session):
        for size in SIZES:
            for view in ("First", "Second"):
                await visitor.ask("trame.rca.size", view, "x", size)
                await asyncio.sleep(0.1)
        await visitor.ask("trame.state.get")
        async with session.get(f"{session.home}report/none") as answer:
            return answer.status

    assert visited(address, talk) == 404


@pytest.mark.parametrize(
    "path", ["..%2f..%2fqueue", "..%2F..%2F..%2Fetc%2Fpasswd", "a%00b", "x" * 300, "%2f"]
)
def test_a_report_is_read_from_its_own_folder_only(address, path):
    async def talk(_, session):
        async with session.get(f"{session.home}reports/{path}") as answer:
            return answer.status

    assert visited(address, talk) in (400, 403, 404)


def test_a_name_from_a_file_is_shown_as_text(address):
    async def talk(visitor, _):
        for _look in range(100):
            if visitor.state["CasesState__cases"]:
                break
            await asyncio.sleep(0.1)
            await visitor.ask("trame.state.get")
        return visitor.state

    state = visited(address, talk)
    assert {case["id"] for case in state["CasesState__cases"]} == {HTML, "x" * 200}
    assert HTML not in state["trame__template_main"]
    assert "v-html" not in state["trame__template_main"]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_token_is_printed_and_nobody_is_answered_without_it(tmp_path, host):
    async def asked(link):
        async with (
            ClientSession(cookie_jar=CookieJar(unsafe=True)) as session,
            session.get(link) as answer,
        ):
            return answer.status

    with command(tmp_path, "--host", host) as (process, link):
        assert "?token=" in link
        there = link.replace("0.0.0.0", "127.0.0.1")
        assert asyncio.run(asked(there)) == 200
        for path in ("", "index.html", "ws", "reports/x", "exports/x", "?token=", "?token=wrong"):
            assert asyncio.run(asked(there.split("?")[0] + path)) == 403
    assert process.told == ""  # the link is all that a start says


def test_no_visitor_ends_the_app_or_speaks_for_it(address):
    async def talk(visitor, _):
        before = visitor.state["trame__template_main"]
        evil = [{"key": "trame__template_main", "value": "<img src=x onerror=alert(1)>"}]
        for method, args in (
            ("application.exit", []),
            ("application.exit.later", [0]),
            ("trame.lifecycle.update", ["server_ready"]),
            ("trame.state.update", [evil]),
        ):
            await visitor.ask(method, *args)
        now = (await visitor.ask("trame.state.get"))["state"]
        return before == now["trame__template_main"]

    assert visited(address, talk)
    assert visited(address, talk)  # it is there for the next one, too


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e308, {"a": 1}, [1], "x", None])
def test_no_event_of_a_view_ends_the_app(address, value):
    async def talk(visitor, _):
        for kind in ("MouseMove", "LeftButtonPress", "MouseWheel", "KeyPress"):
            for name in ("x", "y", "spinY", "controlKey", "position", "translation", "positions"):
                event = {"type": kind, "x": 5, "y": 5, name: value}
                await visitor.ask("trame.rca.event", "First", "x", event)
        await visitor.ask("trame.rca.event", "First", "x", value)
        return bool((await visitor.ask("trame.state.get"))["state"])

    assert visited(address, talk)


MHA = (
    "ObjectType = Image\nNDims = {}\nDimSize = {}\nElementType = MET_SHORT\nElementDataFile = {}\n"
)
NRRD = "NRRD0005\ntype: short\ndimension: {}\nsizes: {}\nencoding: raw\n{}\n"
HARMFUL = {
    "axes.mha": MHA.format(1_000_000, "2 " * 10_000, "LOCAL"),
    "vast.mha": MHA.format(3, "100000 100000 100000", "LOCAL"),
    "axes.nrrd": NRRD.format(16, "2 " * 16, ""),
    "thief.mhd": MHA.format(3, "4 4 4", "/etc/passwd"),
    "climber.nhdr": NRRD.format(3, "4 4 4", "data file: ../../../../etc/passwd\n"),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_a_scan_that_was_made_to_do_harm_is_told_and_the_app_lives_on(address, name):
    async def talk(visitor, session):
        form = FormData()
        form.add_field("file", io.BytesIO(HARMFUL[name].encode() + bytes(128)), filename=name)
        origin = {"Origin": session.home[: session.home.index("/", 8)]}
        async with session.post(f"{session.home}upload", data=form, headers=origin) as answer:
            assert answer.status in (200, 400)
        for _look in range(300):
            if name.split(".")[0] in notice(visitor):
                break
            await asyncio.sleep(0.1)
            await visitor.ask("trame.state.get")
        return notice(visitor), bool((await visitor.ask("trame.state.get"))["state"])

    told, alive = visited(address, talk)
    assert alive
    assert name.split(".")[0] in told
    assert "unforeseen" not in told


def test_a_header_of_twelve_bytes_claims_no_memory_and_strange_bytes_end_nothing(address):
    async def talk(visitor, _):
        for size in (0xFFFFFFFF, 1 << 30, 0):
            for name in range(20):
                head = b"".join(n.to_bytes(4, "little") for n in (name, 0, size))
                await visitor.socket.send_bytes(head + b"\xc1")
        for odd in (b"", b"\0", b"\xff" * 100, msgpack.packb(5), msgpack.packb({"id": None})):
            await visitor.socket.send_bytes(odd)
        return bool(await visitor.ask("trame.state.get"))

    assert visited(address, talk)


def test_a_port_that_is_in_use_is_told(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with command(tmp_path, "--port", port) as (process, _):
            assert process.wait(30) != 0
            words = " ".join(process.stderr.read().split())
    assert f"Port {port} of 127.0.0.1 cannot be used" in words
    assert "Traceback" not in words
