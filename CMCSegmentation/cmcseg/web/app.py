"""The app: one scene, one worker, three sessions, and the page that shows them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import vtk
from trame.app import get_server
from trame_slicer import module as trame_slicer_module
from trame_slicer.core import SlicerApp

from cmcseg.mrml.scene import MrmlScene
from cmcseg.mrml.undo_history import History
from cmcseg.session.learn import LearnSession
from cmcseg.session.marks import MarkSession
from cmcseg.session.process_runner import ProcessRunner
from cmcseg.session.reading import ScanReader, reading_runner
from cmcseg.session.result import Result
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession
from cmcseg.session.worker_queue import WorkerQueue
from cmcseg.web.access import Guard
from cmcseg.web.calls import guard_calls
from cmcseg.web.case_loader import CaseLoader
from cmcseg.web.case_states import CaseStates
from cmcseg.web.cases_actions import CasesActions
from cmcseg.web.cases_layout import lay_out_cases
from cmcseg.web.comparison import Comparison
from cmcseg.web.display_actions import DisplayActions
from cmcseg.web.display_layout import lay_out_display
from cmcseg.web.draft_keeper import DraftKeeper
from cmcseg.web.drafts import Drafts
from cmcseg.web.editor import Editor
from cmcseg.web.entry_opener import EntryOpener
from cmcseg.web.folder import Folder
from cmcseg.web.keys import bind_keys
from cmcseg.web.learn_actions import LearnActions
from cmcseg.web.learn_layout import lay_out_learn
from cmcseg.web.marks_actions import MarksActions
from cmcseg.web.models_actions import ModelsActions
from cmcseg.web.models_layout import lay_out_models
from cmcseg.web.open_case import OpenCase
from cmcseg.web.output_actions import OutputActions
from cmcseg.web.page import Page
from cmcseg.web.page_layout import lay_out_page
from cmcseg.web.queue_actions import QueueActions
from cmcseg.web.review_actions import ReviewActions
from cmcseg.web.review_layout import lay_out_review
from cmcseg.web.routes import Routes
from cmcseg.web.segment_actions import SegmentActions
from cmcseg.web.segment_layout import lay_out_segment
from cmcseg.web.tools_actions import ToolsActions
from cmcseg.web.views import Views
from cmcseg.web.waiting_actions import WaitingActions

AWAKE, ASLEEP = 0.015, 0.05  # seconds between two looks at the worker, with and without work


class App:
    """Everything that one visitor sees; the only one who knows all of it.

    Args:
        folder: where scans, drafts and the queue live.
        guard: lets visitors in, or not.
    """

    def __init__(self, folder: Path, guard: Guard) -> None:
        self._server = get_server("cmcseg", client_type="vue3")
        self._server.enable_module(trame_slicer_module)
        self._server.state.update({"trame__title": "CMCSeg", "trame__favicon": ""})
        self._guard = guard
        self._folder = Folder(folder)
        self._page = Page(self._server, self._folder.root)
        self._make_sessions(self._folder)
        self._make_panels()
        self._connect()
        self._lay_out()

    def serve(self, host: str, port: int, ready: Callable[[int], None]) -> None:
        """Run until the process is told to stop.

        Args:
            host: address to listen on.
            port: 0 takes any that is free.
            ready: told the port once the first page can be asked for.
        """
        control = self._server.controller
        control.on_server_bind.add(self._on_bind)
        control.on_server_ready.add(lambda **_: ready(self._server.port))
        control.on_server_ready.add(lambda **_: asyncio.create_task(self._run()))
        control.on_client_connected.add(self._views.draw)
        try:
            self._server.start(
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
        for session in (self._marks, self._segment, self._review):
            session.close()
        self._scene.close()
        for worker in (self._runner, self._learner, self._reader):
            worker.close()

    # Private

    def _make_sessions(self, folder: Folder) -> None:
        """What can be done, whatever it looks like."""
        self._slicer = SlicerApp()
        # VTK warns of what trame-slicer does with its windows, twenty lines before the link, and
        # says everything twice; its errors are still told, once.
        vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_ERROR)
        vtk.vtkOutputWindow.GetInstance().SetDisplayModeToNever()
        folder.sweep()
        self._views = Views(self._page, self._slicer)
        self._editor = Editor(self._slicer, lambda: self._reviewing.edited())
        self._scene = MrmlScene(self._slicer.scene, lambda _node: None)  # the history sees it
        self._runner = ProcessRunner(sys.executable, logs=folder.own("logs"))
        self._reader = ScanReader(reading_runner(sys.executable, logs=folder.own("logs")))
        self._segment = SegmentSession(self._scene, self._runner)
        queue = WorkerQueue(self._runner, folder.queue, within=folder.root)
        self._review = ReviewSession(self._scene, self._runner, queue, History(self._slicer.scene))
        self._marks = MarkSession(self._scene, self._runner, self._review)
        # Learning takes minutes; nothing else waits for it in line.
        self._learner = ProcessRunner(sys.executable, logs=folder.own("logs"))
        self._learn = LearnSession(
            self._learner, WorkerQueue(self._learner, folder.queue, within=folder.root)
        )

    def _make_panels(self) -> None:
        """What is shown, each with what it needs."""
        page, folder, views, editor = self._page, self._folder, self._views, self._editor
        states, drafts = CaseStates(folder), Drafts(folder)
        loader = CaseLoader(folder, self._slicer, self._scene, self._reader)
        case = OpenCase(page, self._segment, views, states)
        self._keeper = DraftKeeper(
            page,
            drafts,
            scene=self._scene,
            runner=self._runner,
            review=self._review,
            segment=self._segment,
            case=case,
        )
        self._cases = CasesActions(
            page,
            folder=folder,
            drafts=drafts,
            loader=loader,
            case=case,
            segment=self._segment,
            runner=self._runner,
            reader=self._reader,
        )
        self._segmenting = SegmentActions(page, self._segment, case=case, review=self._review)
        self._tools = ToolsActions(page, self._review, editor=editor, views=views, app=self._slicer)
        self._reviewing = ReviewActions(
            page,
            self._review,
            tools=self._tools,
            drafts=self._keeper,
            views=views,
            case=case,
            learn=self._learn,
        )
        self._marking = MarksActions(
            page, self._marks, self._review, tools=self._tools, views=views
        )
        self._display = DisplayActions(
            page,
            self._review,
            views=views,
            scene=self._scene,
            editor=editor,
            tools=self._tools,
            segment=self._segment,
        )
        self._output = OutputActions(
            page,
            self._review,
            scene=self._scene,
            runner=self._runner,
            folder=folder,
            case=case,
        )
        opener = EntryOpener(
            self._learn, cases=self._cases, states=states, loader=loader, drafts=self._keeper
        )
        self._queue = QueueActions(page, self._learn, opener, folder)
        self._comparison = Comparison(
            page,
            self._slicer.scene,
            views=views,
            case=case,
            segment=self._segment,
            tools=self._tools,
        )
        self._learning = LearnActions(
            page, self._learn, self._segment, comparison=self._comparison, folder=folder
        )
        self._models = ModelsActions(page, self._segment)
        self._waiting = WaitingActions(
            page,
            cases=self._cases,
            segment=self._segment,
            segmenting=self._segmenting,
            learn=self._learn,
            queue=self._review.queue,
            drafts=self._keeper,
            folder=folder,
        )

    def _connect(self) -> None:
        page = self._page
        for session in (self._segment, self._review, self._marks, self._learn):
            session.changed.connect(page.touch)
            session.failed.connect(page.tell)
        for session in (self._segment, self._learn):
            session.progressed.connect(page.touch)
        self._learn.switched.connect(lambda name: self._segment.models.load(select=name))
        self._learn.kept_beside.connect(lambda _title: self._segment.models.load())
        self._review.accepted.connect(lambda _entry: self._learning.load_queue())
        self._segment.left.connect(self._review.clear)
        self._segment.finished.connect(self._on_result)
        self._cases.closing.connect(self._keeper.save_now)
        self._cases.closing.connect(self._on_closing)
        self._views.nudged.connect(lambda: self._segmenting.nudge(self._views.links.across))
        self._cases.opened.connect(self._keeper.offer)
        self._segment.started.connect(self._output.forget)
        self._views.pointed.connect(self._tools.point)
        self._segmenting.starting.connect(self._keeper.save_now)
        self._segmenting.starting.connect(self._editor.drop)
        self._segmenting.starting.connect(self._tools.lay_down)
        self._segmenting.starting.connect(self._marking.lay_down)
        for ended in (self._segment.cancelled, self._segment.failed):
            ended.connect(self._tools.take_up)

    def _lay_out(self) -> None:
        bind_keys(self._page, self._reviewing, self._display, self._marking)
        trigger = self._server.trigger
        trigger("uploading")(self._page.trying(self._cases.upload_began, str))
        trigger("lost")(self._page.trying(self._cases.upload_failed, str))
        panels = [
            partial(lay_out_cases, self._cases, self._waiting),
            partial(lay_out_segment, self._segmenting, self._output),
            partial(lay_out_review, self._reviewing, self._marking, self._waiting, self._output),
            partial(lay_out_learn, self._learning, self._queue),
            partial(lay_out_models, self._models, self._learning),
        ]
        bar = partial(lay_out_display, self._display)
        self._layout = lay_out_page(self._page, self._views, self._cases, panels, bar)

    def _refresh(self) -> None:
        with self._server.state:
            for panel in (
                self._views,
                self._cases,
                self._segmenting,
                self._tools,
                self._marking,
                self._reviewing,
                self._display,
                self._queue,
                self._learning,
                self._models,
                self._waiting,
            ):
                panel.refresh()

    def _on_result(self, result: Result) -> None:
        self._display.begin(result)
        self._reviewing.begin(result)

    def _on_closing(self) -> None:
        self._comparison.put_away()
        self._editor.drop()
        self._tools.lay_down()
        self._review.clear()
        self._views.clear()

    async def _run(self) -> None:
        """Deliver what the worker says, and show it."""
        self._segment.models.load()
        while True:
            try:
                for worker in (self._runner, self._learner, self._reader):
                    worker.pump()
                self._reviewing.tick()
                stale, moved = self._page.take_stale(), self._page.take_moved()
                if stale:
                    self._refresh()
                elif moved:  # at every step of a wheel
                    with self._server.state:
                        self._views.refresh()
            except Exception as error:  # the page must go on living
                self._page.report(error)
            busy = self._runner.busy or self._learner.busy or self._reader.busy
            await asyncio.sleep(AWAKE if busy else ASLEEP)

    def _on_bind(self, served: object) -> None:
        served.app.middlewares.append(self._guard.middleware)
        guard_calls(served, self._server.state.has)
        routes = Routes(
            self._page,
            self._folder,
            arrived=self._cases.arrived,
            model_came=self._models.came,
        )
        served.app.add_routes(routes.table())
