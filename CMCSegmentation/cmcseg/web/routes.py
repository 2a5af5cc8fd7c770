"""What the server answers beside the page: files that come in, reports that go out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from cmcseg.core.errors import CMCSegError
from cmcseg.web.folder import Folder
from cmcseg.web.page import Page
from cmcseg.web.uploads import Received, receive, receive_model

MOST_AT_ONCE = 2  # uploads; the page sends one at a time


class Routes:
    """The routes of the app.

    Args:
        page: told what goes wrong.
        folder: where files come in and go out.
        arrived: called with what became of an upload.
        model_came: called with the archive of a model, or the file of a task.
    """

    def __init__(
        self,
        page: Page,
        folder: Folder,
        *,
        arrived: Callable[[Received], None],
        model_came: Callable[[Path], None],
    ) -> None:
        self._page, self._folder = page, folder
        self._arrived, self._model_came = arrived, model_came
        self._coming = 0

    def table(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.post("/upload", self._on_upload),
            web.post("/model", self._on_model),
            web.get("/reports/{name}", self._on_file),
            web.get("/exports/{name}", self._on_file),
        ]

    async def _on_upload(self, request: web.Request) -> web.Response:
        return await self._taken(receive, request, self._arrived)

    async def _on_model(self, request: web.Request) -> web.Response:
        return await self._taken(receive_model, request, self._model_came)

    async def _taken(
        self, take: Callable, request: web.Request, then: Callable[..., None]
    ) -> web.Response:
        if self._coming >= MOST_AT_ONCE:
            words = "Other files are on their way; send these when they have come."
            self._page.tell(words)
            return web.json_response({"text": words}, status=429)
        self._coming += 1
        try:
            then(await take(request, self._folder))
        except CMCSegError as error:
            self._page.tell(str(error))
            return web.json_response({"text": str(error)}, status=400)
        finally:
            self._coming -= 1
        self._page.touch()
        return web.json_response({"text": "kept"})

    async def _on_file(self, request: web.Request) -> web.StreamResponse:
        """A report or an archive, from the place that the address names."""
        place = request.path.split("/")[1]
        with suppress(CMCSegError):
            path = self._folder.own(place, request.match_info["name"])
            if path.is_file():
                return web.FileResponse(path)
        raise web.HTTPNotFound
