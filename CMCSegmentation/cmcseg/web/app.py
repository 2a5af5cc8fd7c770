"""The app: one scene, one worker, three sessions, and the page that shows them."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import UnionType

from aiohttp import web
from trame.app import get_server
from trame_slicer import module as trame_slicer_module
from trame_slicer.core import SlicerApp

from cmcseg.core.errors import BadInput, CMCSegError
from cmcseg.mrml.scene import MrmlScene
from cmcseg.session.background import sentence_of
from cmcseg.session.learn import LearnSession
from cmcseg.session.process_runner import ProcessRunner
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession
from cmcseg.session.worker_queue import WorkerQueue
from cmcseg.web.access import Guard
from cmcseg.web.cases_panel import CasesPanel
from cmcseg.web.drafts import Drafts
from cmcseg.web.editor import Editor
from cmcseg.web.folder import Folder
from cmcseg.web.learn_panel import LearnPanel
from cmcseg.web.models_panel import ModelsPanel
from cmcseg.web.page import build_page
from cmcseg.web.review_panel import ReviewPanel
from cmcseg.web.segment_panel import SegmentPanel
from cmcseg.web.uploads import receive, receive_archive
from cmcseg.web.views import Views

LOG = logging.getLogger(__name__)
AWAKE, ASLEEP = 0.015, 0.05  # seconds between two looks at the worker, with and without work


class App:
    """Everything that one visitor sees.

    Args:
        folder: where scans, drafts and the queue live.
        token: what a visitor must bring; empty on the loopback.

    Attributes:
        server: trame's.
        folder, drafts, scene, runner, views, editor: as named.
        segment, review, learn: the sessions.
        cases: the panel that knows which case is open.
    """

    def __init__(self, folder: Path, token: str = "") -> None:
        self.folder = Folder(folder)
        self.drafts = Drafts(self.folder)
        self.server = get_server("cmcseg", client_type="vue3")
        self.server.enable_module(trame_slicer_module)
        self.state = self.server.state
        self._guard = Guard(token)
        slicer_app = SlicerApp()
        self.slicer = slicer_app
        self.views = Views(self.server, slicer_app)
        self.editor = Editor(slicer_app, self._on_edited)
        self.scene = MrmlScene(slicer_app.scene, self.editor.checkpoint)
        self.runner = ProcessRunner(sys.executable, logs=self.folder.own("logs"))
        self.segment = SegmentSession(self.scene, self.runner)
        self.review = ReviewSession(
            self.scene, self.runner, WorkerQueue(self.runner, self.folder.queue)
        )
        self.learn = LearnSession(self.runner, self.review.queue)
        self._stale = True
        self.cases = CasesPanel(self)
        self.reviewing = ReviewPanel(self)
        self.panels = (
            self.cases,
            SegmentPanel(self),
            self.reviewing,
            LearnPanel(self),
            ModelsPanel(self),
        )
        self._connect()
        self.state.update(
            {
                "trame__title": "CMCSeg",
                "trame__favicon": "",
                "step": "cases",
                "dark": False,
                "notice": "",
                "notice_log": "",
                "notice_kind": "error",
                "help": False,
            }
        )
        build_page(self)

    def serve(self, host: str, port: int, ready: Callable[[int], None]) -> None:
        """Run until the process is told to stop.

        Args:
            host: address to listen on.
            port: 0 takes any that is free.
            ready: told the port once the first page can be asked for.
        """
        control = self.server.controller
        control.on_server_bind.add(self._on_bind)
        control.on_server_ready.add(lambda **_: ready(self.server.port))
        control.on_server_ready.add(lambda **_: asyncio.create_task(self._run()))
        control.on_client_connected.add(self.views.draw)
        try:
            self.server.start(
                host=host,
                port=port,
                timeout=0,
                open_browser=False,
                show_connection_info=False,
                disable_logging=True,
            )
        finally:
            self.close()

    def close(self) -> None:
        """End the worker and let go of the scene; drafts are on disk already."""
        for session in (self.segment, self.review):
            session.close()
        self.scene.close()
        self.runner.close()

    # What panels use

    def touch(self, *_told: object) -> None:
        """Something that is shown may differ; the page is told at the next look."""
        self._stale = True

    def tell(self, sentence: str, log: str = "", kind: str = "error") -> None:
        """Show one sentence: what happened, and what to do."""
        with self.state:
            self.state.notice, self.state.notice_kind = sentence, kind
            self.state.notice_log = log

    def trying(self, call: Callable, *kinds: type | UnionType) -> Callable:
        """A handler of the page: what goes wrong is told in our own words.

        Args:
            call: what is done.
            kinds: of the values that the page sends along; others are refused.
        """

        def handler(*values: object) -> None:
            try:
                if len(values) != len(kinds) or not all(map(isinstance, values, kinds)):
                    raise BadInput("The page asked for what it does not offer; load it again.")
                call(*values)
            except Exception as error:  # one broken button must not silence the page
                self._report(error)
            self.touch()

        return handler

    # Private

    def _report(self, error: Exception) -> None:
        if not isinstance(error, CMCSegError):
            LOG.exception("unforeseen")
        self.tell(sentence_of(error))

    def _connect(self) -> None:
        for session in (self.segment, self.review, self.learn):
            session.changed.connect(self.touch)
            session.failed.connect(self.tell)
        self.learn.switched.connect(lambda name: self.segment.load_models(select=name))
        self.segment.left.connect(self.review.clear)
        self.segment.finished.connect(self._on_result)
        self.segment.progressed.connect(self.touch)
        self.learn.progressed.connect(self.touch)

    def _on_result(self, result: object) -> None:
        self.review.open(result)
        self.views.show_results(result.segmentations, result.prediction.alignment)
        self.reviewing.begin(result)

    def _on_edited(self) -> None:
        self.reviewing.edited()

    async def _run(self) -> None:
        """Deliver what the worker says, and show it."""
        self.segment.load_models()
        while True:
            try:
                self.runner.pump()
                self.reviewing.tick()
                if self._stale:
                    self._stale = False
                    with self.state:
                        for panel in self.panels:
                            panel.refresh()
            except Exception as error:  # the page must go on living
                self._report(error)
            await asyncio.sleep(AWAKE if self.runner.busy else ASLEEP)

    def _on_bind(self, served: object) -> None:
        served.app.middlewares.append(self._guard.middleware)
        served.app.add_routes(
            [
                web.post("/upload", self._on_upload),
                web.post("/model", self._on_model),
                web.get("/report/{name}", self._on_report),
            ]
        )

    async def _on_upload(self, request: web.Request) -> web.Response:
        return await self._taken(receive, request, self.cases.arrived)

    async def _on_model(self, request: web.Request) -> web.Response:
        return await self._taken(receive_archive, request, self.segment.import_model)

    async def _taken(
        self, take: Callable, request: web.Request, then: Callable[[Path], None]
    ) -> web.Response:
        try:
            then(await take(request, self.folder))
        except CMCSegError as error:
            self.tell(str(error))
            return web.json_response({"text": str(error)}, status=400)
        self.touch()
        return web.json_response({"text": "kept"})

    async def _on_report(self, request: web.Request) -> web.StreamResponse:
        with suppress(CMCSegError):
            path = self.folder.own("reports", request.match_info["name"])
            if path.is_file():
                return web.FileResponse(path)
        raise web.HTTPNotFound
