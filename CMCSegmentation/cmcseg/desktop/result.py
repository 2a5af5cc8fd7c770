"""Step 3: what was found."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from cmcseg.core.steps import Steps
from cmcseg.desktop.controls import allow, fill_table, trying
from cmcseg.mrml.surfaces import make_surfaces
from cmcseg.session.result import notes, volume_words
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession


class ResultSection:
    """Volumes and doubt per organ and scan, warnings, show, 3D, report."""

    def __init__(
        self, ui: object, session: SegmentSession, review: ReviewSession, tell: Callable
    ) -> None:
        self._ui, self._session, self._review, self._tell = ui, session, review, tell
        self.busy = False  # making surfaces
        ui.showCheck.toggled.connect(self._onShow)
        ui.show3DCheck.toggled.connect(self._onShow3D)
        ui.reportButton.clicked.connect(trying(self._report, tell))
        session.finished.connect(lambda _result: self._showAsBefore())
        session.reported.connect(self._onReported)
        session.started.connect(lambda: ui.reportLabel.setVisible(False))
        ui.reportLabel.setVisible(False)

    def refresh(self) -> None:
        """Show the session's state."""
        result = self._session.result
        why = "" if result else _("Segment a scan first.")
        for control, tip in (
            (self._ui.showCheck, _("Show the organs in the views")),
            (self._ui.show3DCheck, _("Show the organs' surfaces in the 3-D view")),
            (self._ui.reportButton, _("Write a page with pictures, volumes and doubt")),
        ):
            allow(control, why, tip)
        if result is None:
            self._ui.reportLabel.setVisible(False)
            fill_table(self._ui.resultTable, [], [])
            self._warn(())
            return
        roles = [role for role in result.card.roles if role in result.scans]
        names = {role: result.card.input(role).title for role in roles}
        titles, tips = [_("organ")], [_("What the model looks for")]
        for role in roles:
            titles += [_("{} mL").format(names[role]), _("doubt")]
            tips += [_("Volume in the {}").format(names[role])]
            tips += [_("How much of it is in doubt in the {}").format(names[role])]
        levels = _levels()
        drawn = self._review.rows if self._review.result is result else result.rows
        rows = [
            [
                row.organ,
                *(
                    words
                    for found in (row.found[role] for role in roles)
                    for words in (volume_words(found.ml, found.is_cut), levels[found.doubt])
                ),
            ]
            for row in drawn
        ]
        colors = [row.color for row in drawn]
        fill_table(self._ui.resultTable, titles, rows, colors, tips)
        found = [row.found[role] for row in drawn for role in roles]
        self._warn(notes(result, any(finding.is_cut for finding in found)))

    def _warn(self, sentences: tuple[str, ...]) -> None:
        self._ui.warningsLabel.setText("\n".join(sentences))
        self._ui.warningsLabel.setVisible(bool(sentences))

    def _segmentations(self) -> list:
        result = self._session.result
        keys = result.segmentations.values() if result else ()
        nodes = [slicer.mrmlScene.GetNodeByID(key) for key in keys]
        return [node for node in nodes if node is not None]

    def _showAsBefore(self) -> None:
        """What the boxes say holds for a new result too."""
        self._onShow(self._ui.showCheck.isChecked())
        if self._ui.show3DCheck.isChecked():
            self._onShow3D(True)

    def _onShow(self, shown: bool) -> None:
        for node in self._segmentations():
            node.SetDisplayVisibility(shown)

    def _onShow3D(self, shown: bool) -> None:
        nodes = self._segmentations()
        for node in nodes:
            node.RemoveClosedSurfaceRepresentation()
        if shown and nodes:
            self.busy = True
            self._session.runner.steps(_surfaces(nodes), self._onSurfaces, self._onNoSurfaces)

    def _onSurfaces(self, _made: bool) -> None:
        """Look at what was made; 3-D views stay where they look otherwise."""
        self.busy = False
        manager = slicer.app.layoutManager()
        if manager is not None:
            manager.resetThreeDViews()

    def _onNoSurfaces(self, sentence: str, log: str) -> None:
        self.busy = False
        self._tell(sentence, log)

    def _report(self) -> None:
        # The browser reads it after we are done, so the folder stays with the system's own.
        folder = Path(tempfile.mkdtemp(prefix="cmcseg-report-"))
        self._session.write_report(folder / "report.html")

    def _onReported(self, path: str) -> None:
        """Open it; the link stays for those whose system opens nothing."""
        link = Path(path).as_uri()
        self._ui.reportLabel.setText(f'<a href="{link}">{_("Open the report")}</a>')
        self._ui.reportLabel.setVisible(True)
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(path))


def _surfaces(nodes: list) -> Steps[None]:
    """Surfaces of all nodes, as a runner drives it."""
    for node in nodes:
        yield from make_surfaces(node)


def _levels() -> dict[str, str]:
    """How much of an organ is in doubt, in the reader's language."""
    return {"low": _("low"), "some": _("some"), "high": _("high"), "not found": _("not found")}
