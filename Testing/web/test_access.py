"""Who may talk to the app: tried over real sockets."""

import asyncio

import pytest
from aiohttp import ClientSession, CookieJar, WSMsgType, web
from aiohttp.test_utils import TestServer
from cmcseg.web import access
from cmcseg.web.access import BITS, COOKIE, Guard, is_loopback, new_token

SECRET = "what the patient is called"


def served(guard_, talk):
    """Run ``talk(session, address)`` against a server behind the guard."""

    async def page(request):  # noqa: ARG001
        return web.Response(text=SECRET)

    async def socket(request):
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        await answer.send_str(SECRET)
        async for _ in answer:
            pass
        return answer

    async def run():
        app = web.Application(middlewares=[guard_.middleware])
        app.add_routes([web.get("/", page), web.get("/index.html", page), web.get("/ws", socket)])
        app.add_routes([web.post("/upload", page)])
        jar = CookieJar(unsafe=True)  # a bare address may have cookies
        async with TestServer(app) as server, ClientSession(cookie_jar=jar) as session:
            return await talk(session, f"http://127.0.0.1:{server.port}")

    return asyncio.run(run())


async def _asked(session, address, **more):
    async with session.get(address, **more) as answer:
        return answer.status, await answer.text()


def test_this_machine_is_answered_without_a_token():
    status, text = served(Guard(), lambda s, a: _asked(s, f"{a}/"))
    assert (status, text) == (200, SECRET)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8080"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/ws", "/index.html"])
def test_a_foreign_page_gets_nothing(headers, path):
    status, text = served(Guard(), lambda s, a: _asked(s, f"{a}{path}", headers=headers))
    assert status in (400, 403)
    assert SECRET not in text


@pytest.mark.parametrize("path", ["/", "/ws", "/index.html"])
@pytest.mark.parametrize("token", ["", "?token=", "?token=wrong", "?token=%00", "?token=é"])
def test_without_the_token_not_a_byte_of_data_comes(path, token):
    status, text = served(Guard(new_token()), lambda s, a: _asked(s, f"{a}{path}{token}"))
    assert status == 403
    assert SECRET not in text
    assert "Open the link" in text


def test_the_token_lets_in_and_leaves_the_address_bar():
    token = new_token()

    async def talk(session, address):
        async with session.get(f"{address}/?token={token}", allow_redirects=False) as answer:
            cookie = answer.cookies[COOKIE]
            first = answer.status, answer.headers["Location"], cookie["httponly"]
        return first, await _asked(session, f"{address}/")

    first, then = served(Guard(token), talk)
    assert first == (303, "/", True)
    assert then == (200, SECRET)


def test_a_token_has_at_least_128_bits_and_never_comes_twice():
    assert BITS >= 128
    assert len({new_token() for _ in range(100)}) == 100
    assert min(len(new_token()) for _ in range(100)) * 6 >= 128  # 6 bits a character


def test_a_second_window_is_told_why_not(monkeypatch):
    monkeypatch.setattr(access, "PATIENCE", 0.2)

    async def talk(session, address):
        async with session.ws_connect(f"{address}/ws") as first:
            assert (await first.receive()).data == SECRET
            page = await _asked(session, f"{address}/index.html")
            socket = await _asked(session, f"{address}/ws")
        return page, socket

    page, socket = served(Guard(), talk)
    assert "open in another window" in page[1]
    assert SECRET not in page[1]
    assert socket == (409, "The app is open in another window.")


def test_a_page_that_is_loaded_again_is_served():
    async def talk(session, address):
        async with session.ws_connect(f"{address}/ws") as first:
            await first.receive()
        return await _asked(session, f"{address}/index.html")

    assert served(Guard(), talk) == (200, SECRET)


def test_a_second_window_may_insist_and_the_first_is_closed():
    async def talk(session, address):
        async with session.ws_connect(f"{address}/ws") as first:
            await first.receive()
            page = await _asked(session, f"{address}/index.html?here=1")
            end = (await first.receive()).type
        return page, end

    page, end = served(Guard(), talk)
    assert page == (200, SECRET)
    assert end in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR)


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.7", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_only_the_loopback_needs_no_token(host, near):
    assert is_loopback(host) is near
