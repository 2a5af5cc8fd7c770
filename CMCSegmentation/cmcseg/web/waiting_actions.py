"""The review list: cases that nobody has corrected yet, in the order that the model asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trame_server.utils.typed_state import TypedState

from cmcseg.core.counted import counted
from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.core.progress import Progress
from cmcseg.session.learn import LearnSession
from cmcseg.session.ports import Listener, Queue
from cmcseg.session.progress_line import progress_line
from cmcseg.session.segment import SegmentSession
from cmcseg.session.stage import LearnStage
from cmcseg.session.waiting import Waiting, about, question, waiting_in, waiting_line
from cmcseg.session.worklist import SKIPPED
from cmcseg.web.cases_actions import CasesActions
from cmcseg.web.draft_keeper import DraftKeeper
from cmcseg.web.folder import Folder
from cmcseg.web.page import Page
from cmcseg.web.segment_actions import SegmentActions

BUSY = "The model is being asked about the cases of the folder; wait for it, or cancel it."
TUNING = "A fine-tuning is running; wait for it, or cancel it."
DONE = "Every case of the list was looked at."


@dataclass
class WaitingState:
    """What is shown of the list."""

    line: str = ""
    asking: bool = False
    why_not: str = ""
    percent: int = 0
    progress: str = ""
    left: int = 0
    open: bool = False


class WaitingActions:
    """Which case next.

    Args:
        page: that it is shown on.
        cases: of the folder; the list opens them.
        segment: asked which model is chosen.
        segmenting: segments a case of the list as soon as it is open.
        learn: has the worker that is asked, so that segmenting need not wait.
        queue: what is in it waits no longer.
        drafts: a case that has one is not segmented anew.
        folder: where the cases lie.
    """

    def __init__(
        self,
        page: Page,
        *,
        cases: CasesActions,
        segment: SegmentSession,
        segmenting: SegmentActions,
        learn: LearnSession,
        queue: Queue,
        drafts: DraftKeeper,
        folder: Folder,
    ) -> None:
        self.page, self._cases = page, cases
        self._segment, self._segmenting, self._learn = segment, segmenting, learn
        self._queue, self._drafts, self._folder = queue, drafts, folder
        self._list: dict[str, Waiting] = {}
        self._job: int | None = None
        self._progress: Progress | None = None
        self._wanted = ""
        self.state = TypedState(page.server.state, WaitingState)
        cases.opened.connect(self._on_opened)

    def ask(self) -> None:
        """Ask the model about every case that was not accepted.

        Raises:
            BadInput: when it cannot be asked.
        """
        if reason := self._why_not():
            raise BadInput(reason)
        cases = self._cases
        done = [path for name in cases.titles if cases.accepted(name) for path in cases.scans(name)]
        request = question(
            self._segment, self._queue, self._folder.root, count=len(cases.titles), without=done
        )
        self._progress = None
        self._job = self._learn.runner.start(
            request,
            Listener(
                finished=self._on_asked,
                failed=self._on_failed,
                progressed=self._on_progress,
                cancelled=self._end,
            ),
        )
        self._learn.hindrance = BUSY
        self.page.touch()

    def cancel(self) -> None:
        """Ask no further."""
        if self._job is not None:
            self._learn.runner.cancel(self._job)

    def next(self) -> None:
        """Open the next case of the list that was neither accepted nor skipped, and segment it."""
        ids = list(self._list)
        at = ids.index(self._cases.open_id) + 1 if self._cases.open_id in ids else 0
        for name in ids[at:] + ids[:at]:
            if name != self._cases.open_id and self._waits(name):
                self._cases.choose(name)
                self._wanted = name  # it is read beside the window, and opens later
                return
        self.page.tell(DONE, kind="success")

    def onward(self) -> None:
        """Open the next case: of the list while one of it waits, else of the folder."""
        if any(self._waits(name) for name in self._list if name != self._cases.open_id):
            self.next()
        else:
            self._cases.next()

    def skip(self) -> None:
        """Leave the open case as it is, and go on to the next.

        Raises:
            BadInput: when none of the list is open.
        """
        name = self._cases.open_id
        if name not in self._list:
            raise BadInput("No case of the list is open; take the next one.")
        self._list[name] = replace(self._list[name], status=SKIPPED)
        self.next()

    def refresh(self) -> None:
        """Show where in the list one is."""
        data, name = self.state.data, self._cases.open_id
        data.asking, data.why_not = self._job is not None, self._why_not()
        if self._progress:
            data.percent = self._progress.percent
            data.progress = progress_line(self._progress, "")
        else:
            data.percent, data.progress = 0, ""
        data.left = sum(map(self._waits, self._list))
        data.open = name in self._list and self._waits(name)
        data.line = "" if data.left or not self._list else DONE
        if name in self._list and name in self._cases.titles:
            place, pair = list(self._list).index(name) + 1, self._list[name]
            data.line = waiting_line(place, len(self._list), self._cases.titles[name], pair.by)
        elif data.left:
            data.line = f"{data.left} left in the list of {counted(len(self._list), 'case')}."

    # Private

    def _why_not(self) -> str:
        if self._job is not None:
            return BUSY
        if self._learn.stage is LearnStage.FINE_TUNING:
            return TUNING
        if not self._segment.card:
            return "Choose a model first; it is asked which cases it doubts."
        if not self._cases.titles:
            return "There is no case in the folder yet."
        return ""

    def _waits(self, name: str) -> bool:
        """Whether a case of the list is still to be looked at."""
        is_open = not self._list[name].status and not self._cases.accepted(name)
        return is_open and name in self._cases.titles

    def _on_asked(self, answer: Message) -> None:
        ids = {path: name for name in self._cases.titles for path in self._cases.scans(name)}
        rows = waiting_in(answer)
        named = {ids[path]: row for row in rows for path in row.scans.values() if path in ids}
        self._list = named
        self._cases.rank({name: f"by {row.by}" for name, row in named.items()})
        self._end()
        failed = answer.values["failed"]
        if failed:
            self.page.tell(" ".join(about(name, why) for name, why in failed.items()))
        elif not named:
            self.page.tell("Every case of the folder was accepted.", kind="success")

    def _on_failed(self, sentence: str, log: str) -> None:
        self._end()
        self.page.tell(sentence, log)

    def _on_progress(self, progress: Progress) -> None:
        self._progress = progress
        self.page.touch()

    def _end(self) -> None:
        self._job, self._progress, self._learn.hindrance = None, None, ""
        self.page.touch()

    def _on_opened(self, case: str) -> None:
        """A case that the list has opened is segmented, unless it was drawn on before."""
        wanted, self._wanted = self._wanted, ""
        if case == wanted and not self._drafts.is_kept(case) and not self._segment.why_not():
            self._segmenting.segment()
