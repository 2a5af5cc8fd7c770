"""Who may talk to the app, decided before a byte of data leaves it.

Only who brings the token is served: at first in the printed link, then in a cookie. That holds on
this computer's own address as well, which every account of it can reach. The page lives below a
path of chance that changes with every start, and the cookie is bound to it: a browser sends cookies
to every port of a host, so that a program of somebody else's on another port would be told it.

A foreign page that makes the browser call gives itself away by its Origin, one whose name was bent
to 127.0.0.1 by its Host. What changes anything is asked for with POST, from the page itself.

One window at a time: two would paint on the same organ without knowing of each other.
"""

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable
from html import escape
from urllib.parse import urlsplit

from aiohttp import web

BITS = 256  # of a token; 128 would do
COOKIE = "cmcseg"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PATIENCE = 1.5  # seconds in which a page that is loaded again may let go of its connection
READING = ("GET", "HEAD")
CLOSED = "Open the link that was printed when the app was started; it holds the token."
HERE = "/here"  # where a window asks to be the only one

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # To ourselves the origin is told, since that is how our own page is known.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# Vue makes functions of its templates, so the page needs 'unsafe-eval'; it talks to nobody else.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob: "
    "{sockets}; form-action 'self'; base-uri 'self'; frame-ancestors 'none'; object-src 'none'"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def new_token() -> str:
    """A fresh secret of ``BITS`` bits, fit for a link."""
    return secrets.token_urlsafe(BITS // 8)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    return host in LOOPBACK


class Guard:
    """Middleware in front of every request.

    Args:
        token: what a visitor must bring.
        near: whether the app listens on the loopback only; then it has no other name.
        name: under which a proxy serves it all the same.
    """

    def __init__(self, token: str, *, near: bool, name: str = "") -> None:
        self._token, self._near, self._name = token, near, name.casefold()
        self._home = f"/{secrets.token_urlsafe(12)}"
        self._window: asyncio.Task | None = None

    def link(self, host: str, port: int) -> str:
        """What is printed, and opened in the browser."""
        if self._name:
            return f"https://{self._name}/?token={self._token}"
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{port}/?token={self._token}"

    @property
    def middleware(self) -> Callable:
        """What aiohttp calls."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:  # noqa: ARG001
            try:
                answer = await self._answer(request)
            except web.HTTPException as refusal:
                _add_headers(refusal, request.host)
                raise
            if not answer.prepared:  # a websocket has begun by now
                _add_headers(answer, request.host)
            return answer

        return guarded

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if trouble := self._trouble(request):
            return web.Response(status=403, text=trouble)
        if "token" in request.query:
            return self._welcome(request)
        path = request.path.removeprefix(self._home)
        if path == request.path or not self._same(request.cookies.get(COOKIE, "")):
            return web.Response(status=403, text=CLOSED)
        if path == HERE and request.method == "POST":
            await self._free(True)
            return web.Response(status=303, headers={"Location": f"{self._home}/index.html"})
        inner, handler = await self._inside(request)
        if path == "/ws":
            return await self._only(inner, handler)
        if path in ("", "/", "/index.html") and not await self._free(False):
            return web.Response(text=_elsewhere(), content_type="text/html")
        return await handler(inner)

    def _trouble(self, request: web.Request) -> str:
        """Why a request is refused whatever it brings, or empty."""
        try:
            address = urlsplit(f"//{request.host}")
            host, _ = address.hostname or "", address.port  # a port that is none raises
            origin = request.headers.get("Origin")
            its_host = urlsplit(origin).netloc if origin is not None else None
        except ValueError:
            return "That is no address of this app."
        if its_host not in (None, request.host) or (
            its_host is None and request.method not in READING
        ):
            return "This app answers its own page only."
        if self._near and not is_loopback(host) and host != (self._name or None):
            return "This app is reached as 127.0.0.1 only."
        if any(ord(letter) < 32 for letter in request.path):
            return "That is no path of this app."
        return ""

    def _same(self, brought: str) -> bool:
        """Whether it is the token; takes as long whatever it is."""
        return hmac.compare_digest(
            brought.encode("utf-8", "surrogatepass"), self._token.encode("ascii")
        )

    def _welcome(self, request: web.Request) -> web.Response:
        """Keep the token in a cookie, and out of the address bar and the history."""
        if not self._same(request.query["token"]):
            return web.Response(status=403, text=CLOSED)
        response = web.Response(status=303, headers={"Location": f"{self._home}/index.html"})
        # "Strict" would not be sent along this redirection when another page holds the link.
        response.set_cookie(COOKIE, self._token, path=self._home, httponly=True, samesite="Lax")
        return response

    async def _inside(self, request: web.Request) -> tuple[web.Request, Handler]:
        """The request as the app behind us sees it, and who answers it there."""
        whole = request.raw_path.removeprefix(self._home)
        if not whole.startswith("/") or whole.startswith("//"):
            whole = "/"
        inner = request.clone(rel_url=whole)
        match = await request.app.router.resolve(inner)
        match.add_app(request.app)
        inner._match_info = match  # aiohttp sets it so itself; there is no other way
        return inner, match.handler

    async def _only(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not await self._free(False):
            return web.Response(status=409, text="The app is open in another window.")
        self._window = asyncio.current_task()
        try:
            return await handler(request)
        finally:
            self._window = None

    async def _free(self, insist: bool) -> bool:
        """Whether no other window is open, after some patience; ``insist`` closes it."""
        if insist and self._window:
            self._window.cancel()
        until = asyncio.get_running_loop().time() + PATIENCE
        while self._window and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.05)
        return self._window is None


def _add_headers(answer: web.StreamResponse, host: str) -> None:
    sockets = f"ws://{host} wss://{host}"
    policy = {"Content-Security-Policy": POLICY.format(sockets=sockets)}
    for name, value in {**HEADERS, **policy}.items():
        answer.headers.setdefault(name, value)


def _elsewhere() -> str:
    """The page of a second window, as the app's own looks, in light and dark."""
    title = "CMCSeg is open in another window"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        "<meta name=viewport content='width=device-width'><style>"
        ":root{color-scheme:light dark;--back:#fafafa;--text:#222;--card:#fff;--go:#1b5e8c;"
        "--on:#fff}@media(prefers-color-scheme:dark){:root{--back:#121212;--text:#eee;"
        "--card:#212121;--go:#7cc0ee;--on:#111}}"
        "body{font:16px/1.5 system-ui,sans-serif;margin:0;min-height:100vh;display:grid;"
        "place-items:center;background:var(--back);color:var(--text)}"
        "main{max-width:30em;margin:16px;padding:24px 28px;background:var(--card);"
        "border-radius:8px;box-shadow:0 1px 6px #0003}h1{font-size:1.25em;margin:0 0 8px}"
        "button{font:inherit;padding:8px 18px;border:0;border-radius:4px;background:var(--go);"
        "color:var(--on);cursor:pointer}</style>"
        f"<main><h1>{escape(title)}</h1>"
        "<p>Two windows would draw on the same organ without knowing of each other. Go on there, "
        "or close it and work here; what you have drawn is kept.</p>"
        "<form method=post action=here><button>Work in this window</button></form></main>"
    )
