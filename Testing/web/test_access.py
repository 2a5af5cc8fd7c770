"""Who may talk to the app: tried over real sockets."""

import asyncio
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, CookieJar, WSMsgType, web
from aiohttp.test_utils import TestServer
from cmcseg.web import access
from cmcseg.web.access import BITS, COOKIE, Guard, is_loopback, new_token
from yarl import URL

SECRET = "what the patient is called"
PATHS = ("/", "/ws", "/index.html", "/report/x", "/upload", "/here")


class Visit:
    """One visitor of a served app: where it is, and what was found out so far."""

    def __init__(self, session, port, guard):
        self.session, self.root = session, f"http://127.0.0.1:{port}"
        self.link = f"{self.root}/?{guard.link('127.0.0.1', port).partition('?')[2]}"
        self.origin = {"Origin": self.root}
        self.home = ""

    async def enter(self):
        """Follow the printed link, as a browser does."""
        async with self.session.get(self.link) as answer:
            self.home = str(answer.url).removesuffix("/index.html")
            return answer.status, await answer.text()

    async def ask(self, address, method="GET", **more):
        async with self.session.request(method, address, **more) as answer:
            return answer.status, await answer.text()


def served(talk, *, near=True, enter=True, name=""):
    """Run ``talk(visit)`` against a server behind the guard."""

    async def page(request):  # noqa: ARG001
        return web.Response(text=SECRET)

    async def upload(request):
        return web.Response(text=f"{len(await request.read())} bytes of {SECRET}")

    async def to_socket(request):
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        await answer.send_str(SECRET)
        async for _ in answer:
            pass
        return answer

    async def run():
        guard = Guard(new_token(), near=near, name=name)
        app = web.Application(middlewares=[guard.middleware])
        app.add_routes([web.get("/", page), web.get("/index.html", page)])
        app.add_routes([web.get("/ws", to_socket), web.get("/report/{name}", page)])
        app.add_routes([web.post("/upload", upload)])
        jar = CookieJar(unsafe=True)  # a bare address may have cookies
        async with TestServer(app) as server, ClientSession(cookie_jar=jar) as session:
            visit = Visit(session, server.port, guard)
            if enter:
                assert await visit.enter() == (200, SECRET)
            return await talk(visit)

    return asyncio.run(run())


# The token


@pytest.mark.parametrize("near", [True, False])
@pytest.mark.parametrize("token", ["", "?token=", "?token=wrong", "?token=%00", "?token=é"])
def test_without_the_token_not_a_byte_of_data_comes(near, token):
    async def talk(visit):
        return [await visit.ask(f"{visit.root}{path}{token}") for path in PATHS]

    for status, text in served(talk, near=near, enter=False):
        assert status == 403
        assert SECRET not in text
        assert "Open the link" in text


def test_the_token_lets_in_and_leaves_the_address_bar():
    async def talk(visit):
        async with visit.session.get(visit.link, allow_redirects=False) as answer:
            cookie = answer.cookies[COOKIE]
            return answer.status, answer.headers["Location"], dict(cookie)

    status, place, cookie = served(talk)
    assert status == 303
    assert "token" not in place
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_the_cookie_goes_to_no_other_port_and_opens_nothing_at_the_root():
    async def talk(visit):
        (cookie,) = visit.session.cookie_jar
        async with ClientSession(cookies={COOKIE: cookie.value}) as other:
            visit.session = other
            found = [await visit.ask(visit.root + path) for path in PATHS]
        return cookie["path"], urlsplit(visit.home).path, found

    path, home, found = served(talk)
    # A browser sends a cookie to every port of a host, but only below its path.
    assert path == home
    assert len(home) > 12
    assert {status for status, _ in found} == {403}


def test_two_starts_share_neither_token_nor_path():
    homes = [served(lambda visit: asyncio.sleep(0, visit.home)) for _ in range(2)]
    assert urlsplit(homes[0]).path != urlsplit(homes[1]).path


def test_a_link_never_leads_to_another_host():
    async def talk(visit):
        token = visit.link.split("=")[1]
        found = []
        for path in (
            "//evil.example",
            "//evil.example/..",
            "/\\evil.example",
            "/%2f%2fevil.example",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(visit.root).port)
            writer.write(
                f"GET {path}?token={token} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            found.append((await reader.read()).decode())
            writer.close()
        return found

    for answer in served(talk):
        places = [line for line in answer.split("\r\n") if line.startswith("Location")]
        assert all("evil" not in place and ": //" not in place for place in places)


def test_a_token_has_at_least_128_bits_and_never_comes_twice():
    assert BITS >= 128
    assert len({new_token() for _ in range(100)}) == 100
    assert min(len(new_token()) for _ in range(100)) * 6 >= 128  # 6 bits a character


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "http://127.0.0.1:80/"), ("::1", "http://[::1]:80/"), ("a.b", "http://a.b:80/")],
)
def test_the_link_is_one_that_a_browser_can_open(host, shown):
    assert Guard("t", near=True).link(host, 80) == f"{shown}?token=t"


# Other pages


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8080"},
        {"Host": ""},
        {"Host": "["},
        {"Host": "[::1"},
        {"Host": "127.0.0.1:port"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/ws", "/index.html"])
def test_a_foreign_page_gets_nothing(headers, path):
    status, text = served(lambda visit: visit.ask(visit.home + path, headers=headers))
    assert status in (400, 403)
    assert SECRET not in text


@pytest.mark.parametrize(
    "head",
    [
        b"Cookie: \xff\xfe=\xed\xa0\x80",
        b"Cookie: cmcseg=\xc3\xa9; cmcseg=\x80",
        b"Cookie: " + b"a=b; " * 900,
        b"Host: \xff",
        b"Host: [::1",
        b"Host: 127.0.0.1:x",
        b"Origin: \xff\xfe",
        b"Origin: http://[::1",
        b"Origin: http://127.0.0.1:99999999999",
        b"Sec-WebSocket-Key: x",
        b"Content-Length: -1",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Upgrade: websocket\r\nConnection: Upgrade",
    ],
    ids=range(13),
)
@pytest.mark.parametrize("path", [b"/", b"/a%00b", b"/%ff", b"/..%2f..", b"*", b"http://x/", b"//"])
def test_an_odd_request_is_refused_and_no_fault_of_ours(head, path):
    async def talk(visit):
        port = urlsplit(visit.root).port
        answers = []
        for home in (b"", urlsplit(visit.home).path.encode()):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            host = b"" if head.startswith(b"Host") else b"Host: 127.0.0.1\r\n"
            writer.write(b"GET " + home + path + b" HTTP/1.1\r\n" + host + head + b"\r\n\r\n")
            with_end = asyncio.wait_for(reader.readline(), 5)
            answers.append(await with_end)
            writer.close()
        return answers

    for answer in served(talk):
        assert int(answer.split()[1]) in (400, 403, 404), answer


def test_no_name_with_a_control_character_is_looked_for():
    """Whoever has the token may ask for it; the system would raise at such a name."""
    odd = "/report/a%00b", "/report/%0d%0aSet-Cookie"
    ask = [served(lambda visit, p=p: visit.ask(URL(visit.home + p, encoded=True))) for p in odd]
    assert ask == [(403, "That is no path of this app.")] * 2


# What changes anything


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://evil.example"}, {"Origin": "null"}])
def test_nothing_is_taken_but_from_the_page_itself(headers):
    async def talk(visit):
        return await visit.ask(f"{visit.home}/upload", "POST", data=b"x", headers=headers)

    assert served(talk) == (403, "This app answers its own page only.")


def test_what_the_page_sends_arrives_whole():
    async def talk(visit):
        data = b"x" * 3_000_00
        return await visit.ask(f"{visit.home}/upload", "POST", data=data, headers=visit.origin)

    assert served(talk) == (200, f"300000 bytes of {SECRET}")


# One window


def test_a_second_window_is_told_why_not(monkeypatch):
    monkeypatch.setattr(access, "PATIENCE", 0.2)

    async def talk(visit):
        async with visit.session.ws_connect(f"{visit.home}/ws") as first:
            assert (await first.receive()).data == SECRET
            page = await visit.ask(f"{visit.home}/index.html")
            to_socket = await visit.ask(f"{visit.home}/ws")
        return page, to_socket

    page, to_socket = served(talk)
    assert "open in another window" in page[1]
    assert SECRET not in page[1]
    assert to_socket == (409, "The app is open in another window.")


def test_a_page_that_is_loaded_again_is_served():
    async def talk(visit):
        async with visit.session.ws_connect(f"{visit.home}/ws") as first:
            await first.receive()
        return await visit.ask(f"{visit.home}/index.html")

    assert served(talk) == (200, SECRET)


def test_a_second_window_may_insist_and_the_first_is_closed():
    async def talk(visit):
        async with visit.session.ws_connect(f"{visit.home}/ws") as first:
            await first.receive()
            page = await visit.ask(f"{visit.home}/here", "POST", headers=visit.origin)
            end = (await first.receive()).type
        return page, end

    page, end = served(talk)
    assert page == (200, SECRET)
    assert end in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR)


@pytest.mark.parametrize("ask", ["index.html?here=1", "here", "?here"])
def test_a_picture_on_another_page_cannot_close_the_window(ask, monkeypatch):
    monkeypatch.setattr(access, "PATIENCE", 0.2)

    async def talk(visit):
        async with visit.session.ws_connect(f"{visit.home}/ws") as first:
            await first.receive()
            await visit.ask(f"{visit.home}/{ask}")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(first.receive(), 0.2)

    served(talk)


# What leaves


def test_the_page_may_speak_to_nobody_else_and_tells_nobody_where_it_is():
    async def talk(visit):
        found = []
        for address in (f"{visit.home}/index.html", f"{visit.home}/none", visit.root):
            async with visit.session.get(address) as answer:
                found.append(answer.headers)
        return found

    for headers in served(talk):
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"


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
def test_only_the_loopback_is_near(host, near):
    assert is_loopback(host) is near


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("viewer.hospital.example", "https://viewer.hospital.example", 200),
        ("viewer.hospital.example", "https://evil.example", 403),
        ("evil.example", "https://evil.example", 403),
        ("127.0.0.1", "http://127.0.0.1", 200),
    ],
)
def test_a_proxy_may_serve_it_under_the_name_that_was_given_and_no_other(host, origin, status):
    async def talk(visit):
        headers = {"Host": host, "Origin": origin}
        return await visit.ask(f"{visit.home}/upload", "POST", data=b"x", headers=headers)

    assert served(talk, name="viewer.hospital.example")[0] == status


def test_the_link_of_a_proxy_is_the_one_that_is_printed():
    link = Guard("t", near=True, name="viewer.hospital.example").link("127.0.0.1", 8080)
    assert link == "https://viewer.hospital.example/?token=t"
