"""What is taken out of the app: the report and the archive of a result, as it is drawn now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from trame_server.utils.typed_state import TypedState

from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.messages import Message
from cmcseg.session.corrected import corrected
from cmcseg.session.drawn import reading_drawn
from cmcseg.session.ports import Listener, Runner, Scene
from cmcseg.session.result import Result, report_request
from cmcseg.session.review import ReviewSession
from cmcseg.web.folder import Folder, filed
from cmcseg.web.open_case import OpenCase
from cmcseg.web.page import Page


@dataclass
class OutputState:
    """Addresses of what was written, or empty."""

    report: str = ""
    archive: str = ""
    writing: bool = False


class OutputActions:
    """Report and archive of the open result.

    Args:
        page: that they are offered on.
        review: knows the result and what was changed.
        scene: where the organs are drawn.
        runner: writes beside the window.
        folder: where the files go.
        case: that is open.
    """

    def __init__(
        self,
        page: Page,
        review: ReviewSession,
        *,
        scene: Scene,
        runner: Runner,
        folder: Folder,
        case: OpenCase,
    ) -> None:
        self.page, self._review, self._scene = page, review, scene
        self._runner, self._folder, self._case = runner, folder, case
        self.state = TypedState(page.server.state, OutputState)

    def make_report(self) -> None:
        """Write the report.

        Raises:
            BadInput: when there is no result, or no place for it.
        """
        self._write("report", "reports", ".html", {})

    def make_archive(self) -> None:
        """Write label maps, ``.seg.nrrd``, DICOM SEG, table and report into a zip.

        Raises:
            BadInput: as above.
        """
        result = self._review.result
        keys = result.scans.items() if result else ()
        sources = {role: str(self._case.sources.get(key, "queue")) for role, key in keys}
        self._write("export", "exports", ".zip", {"sources": sources})

    def forget(self) -> None:
        """Another result is made: what was written is of the old one."""
        self.state.data.report = self.state.data.archive = ""

    def _write(self, verb: str, place: str, ending: str, values: dict) -> None:
        result = self._review.result
        if result is None:
            raise BadInput("There is no result to take out; segment a scan first.")
        path = self._folder.own(place, f"{filed(self._case.id)}{ending}")
        try:
            self._folder.make(place)
        except OSError as error:
            raise BadInput(f"The file cannot be written: {error.strerror}.") from error
        self.state.data.writing = True
        names = {scan.key: scan.name for scan in self._scene.scans()}
        changes = self._review.changes

        def request(stood: Result) -> None:
            message = report_request(stood, names, path)
            told = replace(message, verb=verb, values={**message.values, **values})
            self._runner.start(told, Listener(finished=self._done(place), failed=self._failed))

        def read(drawn: dict[str, LabelMap]) -> None:
            self._runner.aside(lambda: corrected(result, drawn, changes), request, self._failed)

        self._runner.steps(reading_drawn(self._scene, result.scans), read, self._failed)

    def _done(self, place: str) -> Callable[[Message], None]:
        def done(answer: Message) -> None:
            self.state.data.writing = False
            address = f"{place}/{Path(answer.values['path']).name}"
            if place == "reports":
                self.state.data.report = address
            else:
                self.state.data.archive = address
            self.page.touch()

        return done

    def _failed(self, sentence: str, log: str) -> None:
        self.state.data.writing = False
        self.page.tell(sentence, log)
