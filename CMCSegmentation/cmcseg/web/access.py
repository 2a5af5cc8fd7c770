"""Who may talk to the app, decided before a byte of data leaves it.

On the loopback only this machine's own pages are served: a foreign page that makes the browser
call 127.0.0.1 gives itself away by its Origin, one whose name was bent to 127.0.0.1 by its Host.
On any other address only who brings the token is served, at first in the link, then in a cookie.

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
        token: what a visitor must bring; empty on the loopback.
    """

    def __init__(self, token: str = "") -> None:
        self._token = token
        self._window: asyncio.Task | None = None

    @property
    def middleware(self) -> Callable:
        """What aiohttp calls."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if trouble := self._trouble(request):
                return web.Response(status=403, text=trouble)
            if self._token and "token" in request.query:
                return self._welcome(request)
            if request.path == "/ws":
                return await self._only(request, handler)
            if request.path in ("/", "/index.html") and not await self._free(
                "here" in request.query
            ):
                return web.Response(text=_elsewhere(), content_type="text/html")
            response = await handler(request)
            response.headers.setdefault("X-Content-Type-Options", "nosniff")
            response.headers.setdefault("X-Frame-Options", "DENY")
            response.headers.setdefault("Referrer-Policy", "no-referrer")
            return response

        return guarded

    def _trouble(self, request: web.Request) -> str:
        """Why a request is refused, or empty."""
        origin = request.headers.get("Origin")
        if origin and urlsplit(origin).netloc != request.host:
            return "This app answers its own page only."
        if not self._token:
            name = urlsplit(f"//{request.host}").hostname or ""
            return "" if is_loopback(name) else "This app is reached as 127.0.0.1 only."
        brought = request.query.get("token") or request.cookies.get(COOKIE, "")
        if hmac.compare_digest(brought.encode(), self._token.encode()):
            return ""
        return "Open the link that was printed when the app was started; it holds the token."

    def _welcome(self, request: web.Request) -> web.Response:
        """Keep the token in a cookie, and out of the address bar and the history."""
        response = web.Response(status=303, headers={"Location": request.path})
        response.set_cookie(COOKIE, self._token, httponly=True, samesite="Strict")
        return response

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


def _elsewhere() -> str:
    title = "CMCSeg is open in another window"
    return (
        f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title>"
        "<body style='font:16px system-ui;max-width:34em;margin:20vh auto;color:#333'>"
        f"<h1 style='font-size:1.3em'>{escape(title)}</h1>"
        "<p>Two windows would draw on the same organ without knowing of each other. Go on there, "
        "or close it and work here; what you have drawn is kept.</p>"
        "<p><a href='/index.html?here=1'>Work in this window</a></p>"
    )
