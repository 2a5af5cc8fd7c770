"""The review list: pair after pair that nobody has corrected yet."""

from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from cmcseg.core.errors import BadInput
from cmcseg.desktop.controls import allow, trying
from cmcseg.mrml.scene import MrmlScene
from cmcseg.session.learn import LearnSession
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession
from cmcseg.session.stage import LearnStage
from cmcseg.session.worklist import Worklist, WorklistStage

OPEN = (WorklistStage.REVIEWING, WorklistStage.ACCEPTING)


class WorklistSection:
    """A folder, what waits in it, and the next of it.

    Args:
        ui: the panel's widgets.
        scene: what lies beside the volumes.
        segment, review: what the list drives.
        learn: what may keep the worker busy for long.
        expect: told whether the model is asked just now, so that the progress of it is shown.
        tell: shows a sentence to the user.
    """

    def __init__(
        self,
        ui: object,
        scene: MrmlScene,
        segment: SegmentSession,
        review: ReviewSession,
        learn: LearnSession,
        expect: Callable[[bool], None],
        tell: Callable,
    ) -> None:
        self._expect = expect
        self._ui, self._scene, self._segment, self._learn = ui, scene, segment, learn
        self._review = review
        self.walk = walk = Worklist(segment, review, self._load, self._putAway)
        ui.folderButton.clicked.connect(self._choose)
        ui.folderEdit.textChanged.connect(lambda _text: self.refresh())
        ui.listButton.clicked.connect(trying(self._list, tell))
        ui.stopListButton.clicked.connect(trying(walk.cancel, tell))
        ui.nextPairButton.clicked.connect(trying(walk.next, tell))
        ui.skipButton.clicked.connect(trying(walk.skip, tell))
        walk.changed.connect(self.refresh)
        walk.failed.connect(tell)

    def refresh(self) -> None:
        """Show the list's state."""
        ui, walk = self._ui, self.walk
        learning = self._learn.stage is LearnStage.FINE_TUNING
        busy = _("A fine-tuning is running; wait for it, or cancel it.") if learning else ""
        folder = "" if ui.folderEdit.text.strip() else _("Choose a folder of scans first.")
        asking = walk.stage is WorklistStage.ASKING
        working = walk.stage in (*OPEN, WorklistStage.SEGMENTING)
        wait = _("The list is being made.") if asking else ""
        wait = wait or (_("A pair is open; accept it or skip it first.") if working else "")
        empty = "" if walk.pairs else _("Make the list first.")
        allow(ui.listButton, busy or wait or folder, _("Ask the model which pairs to correct"))
        allow(ui.nextPairButton, busy or wait or empty, _("Load the next pair and segment it"))
        closed = "" if walk.stage is WorklistStage.REVIEWING else _("No pair is open.")
        allow(ui.skipButton, closed, _("Go on without it; what was drawn on it is not kept"))
        ui.stopListButton.setVisible(asking)
        self._expect(asking)
        ui.worklistLabel.setText(walk.sentence())
        ui.worklistLabel.setVisible(bool(walk.sentence()))
        allow(ui.rehearseCheck, folder, _("Its unlabelled scans keep the model from forgetting"))

    def accept(self) -> None:
        """Accept what is under review, as the list's pair when that is open.

        Raises:
            BadInput: when it cannot be accepted, or is not the pair of the list that is open.
        """
        if self.walk.stage is not WorklistStage.ACCEPTING:  # a second click changes nothing
            (self.walk if self.walk.stage is WorklistStage.REVIEWING else self._review).accept()

    def close(self) -> None:
        """Stop what runs; what is loaded stays."""
        self.walk.changed.disconnect(self.refresh)
        self.walk.close()

    def _choose(self, *_from_qt: object) -> None:
        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder of scans"))
        if folder:
            self._ui.folderEdit.setText(folder)

    def _list(self) -> None:
        self.walk.ask(Path(self._ui.folderEdit.text.strip()))

    def _load(self, scans: dict[str, Path]) -> dict[str, str]:
        """All scans of a pair or none."""
        keys: dict[str, str] = {}
        try:
            for role, path in scans.items():
                keys[role] = _loaded(path)
        except BadInput:
            self._putAway(tuple(keys.values()))
            raise
        return keys

    def _putAway(self, keys: tuple[str, ...]) -> None:
        """Remove what the list has loaded, and what the model has put beside it."""
        beside = (self._scene.doubt, self._scene.disagreement, self._scene.segmentation)
        for key in keys:
            for found in (*(ask(key) for ask in beside), key):
                node = slicer.mrmlScene.GetNodeByID(found) if found else None
                if node is not None:
                    slicer.mrmlScene.RemoveNode(node)


def _loaded(path: Path) -> str:
    if path.is_dir():
        told = _("{} is a DICOM series; load it with the DICOM module and segment it from there.")
        raise BadInput(told.format(path.name))
    try:
        return slicer.util.loadVolume(str(path)).GetID()
    except Exception as error:  # whatever a reader of Slicer's raises
        raise BadInput(_("{} cannot be read as a scan.").format(path.name)) from error
