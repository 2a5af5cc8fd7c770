"""Step 4: look where the model is least sure, correct, accept."""

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from cmcseg.core.review_places import Place
from cmcseg.desktop.controls import allow, fill, key_of, trying
from cmcseg.desktop.keys import ACCEPT, PEEK, Keys, Peek, list_of_keys
from cmcseg.mrml.scene import DISAGREEMENT
from cmcseg.mrml.segments import segment_id
from cmcseg.session.review import ReviewSession


class ReviewSection:
    """Places of doubt, an embedded Segment Editor on the scan of choice, and Accept."""

    def __init__(
        self, ui: object, session: ReviewSession, accept: Callable, tell: Callable
    ) -> None:
        self._ui, self._session = ui, session
        self._shown: tuple[str, str] = ("", "")
        self._observed: tuple | None = None
        self._backgrounds: dict[str, tuple[str, float]] = {}
        self._histories: dict[str, slicer.vtkSegmentationHistory] = {}
        self._editorNode = None
        self._editor = slicer.qMRMLSegmentEditorWidget()
        self._editor.setMaximumNumberOfUndoStates(10)
        self._editor.setSegmentationNodeSelectorVisible(False)
        self._editor.setSourceVolumeNodeSelectorVisible(False)
        ui.editorHost.layout().addWidget(self._editor)
        ui.previousButton.clicked.connect(trying(session.previous, tell))
        ui.nextButton.clicked.connect(trying(session.next, tell))
        ui.copyButton.clicked.connect(trying(self._copy, tell))
        ui.restoreButton.clicked.connect(trying(self._restore, tell))
        ui.acceptButton.clicked.connect(trying(accept, tell))
        ui.disagreementCheck.toggled.connect(self._onDisagreement)
        ui.roleCombo.currentIndexChanged.connect(lambda *_index: self._edit())
        session.jumped.connect(self._onJumped)
        ui.organCombo.currentIndexChanged.connect(lambda *_index: self._pick())
        self._entered = False
        self._hidden: list = []  # while Space is held
        self._peek = Peek(self._showOrgans)
        calls = {
            "N": session.next,
            "P": session.previous,
            ACCEPT: accept,
            "B": lambda: self._editor.setActiveEffectByName("Paint"),
            "E": lambda: self._editor.setActiveEffectByName("Erase"),
            "Z": self._editor.undo,
            "Shift+Z": self._editor.redo,
            PEEK: self._peek.press,
            "?": lambda: tell(list_of_keys(), ""),
            **{str(n): lambda n=n: self._organ(n) for n in range(1, 10)},
        }
        keys = {key: trying(call, tell) for key, call in calls.items()}
        manager = slicer.app.layoutManager()
        self._keys = Keys(ui.page, manager.viewport() if manager else None, keys)

    def refresh(self) -> None:
        """Show the session's state."""
        ui, session, result = self._ui, self._session, self._session.result
        ui.placeLabel.setText(session.sentence())
        why = "" if session.places else _("There is no place to look at.")
        for button in (ui.previousButton, ui.nextButton):
            allow(button, why)
        allow(ui.acceptButton, session.why_not(), _("Hand this pair to the queue"))
        roles = list(result.scans) if result else []
        first = roles[0] if roles else ""
        role = key_of(ui.roleCombo) if key_of(ui.roleCombo) in roles else first
        fill(ui.roleCombo, [(result.card.input(r).title, r) for r in roles], role)
        organs = [label.name for label in result.card.table] if result else []
        organ = key_of(ui.organCombo) or (organs[0] if organs else "")
        fill(ui.organCombo, [(name, name) for name in organs], organ)
        why = _("Segment a scan first.") if not result else ""
        allow(ui.restoreButton, why)
        allow(ui.copyButton, why or ("" if len(roles) == 2 else _("There is no second scan.")))
        self._keys.enable(self._entered and result is not None)
        self._edit()
        allow(ui.disagreementCheck, "" if self._overlay() else _("The scans were not compared."))

    def checkpoint(self, node: object) -> None:
        """Keep a state to undo to, right before ``node`` is written to.

        The editor's own history is that of the node it works on; what is written to the other
        scan's is kept here until the editor turns to it.
        """
        if self._editor.segmentationNode() is node:
            self._editor.saveStateForUndo()
        else:
            history = self._histories[node.GetID()] = slicer.vtkSegmentationHistory()
            history.SetSegmentation(node.GetSegmentation())
            history.SaveState()

    def enter(self) -> None:
        """The module is shown: the editor listens to the views again."""
        self._entered = True
        if self._editorNode is not None and self._editorNode.GetScene() is not None:
            self._editor.setupViewObservations()
        self._keys.enable(self._session.result is not None)

    def leave(self) -> None:
        """The module is left: the editor's tool must not stay active in other modules."""
        self._editor.setActiveEffectByName("")
        self._entered = False
        self._editor.removeViewObservations()
        self._keys.enable(False)
        self._peek.close()

    def layDown(self) -> None:
        """Let go of what is edited, before a scene is closed or the editor itself is.

        Closing a scene sets its views up anew and tells the active tool; without a segmentation it
        would end Slicer, and so would the editor with views to observe and no node.
        """
        self._ignore()
        self._editor.setActiveEffectByName("")
        self._editor.removeViewObservations()
        self._editor.setSegmentationNode(None)
        self._histories.clear()
        self._shown = ("", "")

    def close(self) -> None:
        """Let go of the scene and of the keys; the editor lives on for a while, hidden."""
        self._keys.close()
        self._peek.close()
        self.layDown()
        self._editor.setMRMLSegmentEditorNode(None)
        if self._editorNode is not None and self._editorNode.GetScene() is not None:
            slicer.mrmlScene.RemoveNode(self._editorNode)
        self._editorNode = None

    def _edit(self) -> None:
        result, role = self._session.result, key_of(self._ui.roleCombo)
        wanted = (result.scans[role], result.segmentations[role]) if result and role else ("", "")
        if wanted == self._shown:
            return
        self._shown = wanted
        self._ignore()
        if not wanted[0]:
            self._editor.setSegmentationNode(None)
            self._histories.clear()
            return
        scan, node = (slicer.mrmlScene.GetNodeByID(key) for key in wanted)
        if self._editorNode is None or self._editorNode.GetScene() is None:
            self._editorNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
            self._editorNode.SetSaveWithScene(False)
            self._editorNode.HideFromEditorsOn()
            self._editor.setMRMLSegmentEditorNode(self._editorNode)  # before the scene: its wish
            self._editor.setMRMLScene(slicer.mrmlScene)
        if self._entered:
            self._editor.setupViewObservations()
        self._editor.setSegmentationNode(node)
        self._editor.setSourceVolumeNode(scan)
        self._hand_over(node)
        segmentation = node.GetSegmentation()
        kind = slicer.vtkSegmentation
        tags = [
            segmentation.AddObserver(event, lambda *_event: self._onEdited())
            for event in (kind.SourceRepresentationModified, kind.SegmentRemoved)
        ]
        self._observed = (segmentation, tags)
        self._pick()

    def _hand_over(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Make what was written while the editor worked elsewhere its first step to undo."""
        history = self._histories.pop(node.GetID(), None)
        if history and history.RestorePreviousState():
            self._editor.saveStateForUndo()
            history.RestoreNextState()

    def _onJumped(self, place: Place) -> None:
        """What is looked at is what the editor works on."""
        ui = self._ui
        ui.roleCombo.setCurrentIndex(ui.roleCombo.findData(place.role))
        ui.organCombo.setCurrentIndex(ui.organCombo.findData(place.organ))

    def _pick(self) -> None:
        """Let the editor work on the chosen organ."""
        node = self._editor.segmentationNode()
        if node is not None:
            organ = segment_id(node.GetSegmentation(), key_of(self._ui.organCombo))
            self._editor.setCurrentSegmentID(organ)

    def _organ(self, number: int) -> None:
        if number <= self._ui.organCombo.count:
            self._ui.organCombo.setCurrentIndex(number - 1)

    def _showOrgans(self, shown: bool) -> None:
        """Hide the organs for a moment; those that the user hid stay hidden."""
        if shown:
            for node in self._hidden:
                node.SetDisplayVisibility(True)
            self._hidden = []
            return
        result = self._session.result
        keys = result.segmentations.values() if result else ()
        nodes = [slicer.mrmlScene.GetNodeByID(key) for key in keys]
        self._hidden = [node for node in nodes if node and node.GetDisplayVisibility()]
        for node in self._hidden:
            node.SetDisplayVisibility(False)

    def _onEdited(self) -> None:
        if not self._session.busy:
            self._session.edited()

    def _ignore(self) -> None:
        if self._observed:
            segmentation, tags = self._observed
            for tag in tags:
                segmentation.RemoveObserver(tag)
        self._observed = None

    def _copy(self) -> None:
        source = key_of(self._ui.roleCombo)
        target = next(role for role in self._session.result.scans if role != source)
        # The editor goes to what is written to: it is seen at once, and can be undone there.
        self._ui.roleCombo.setCurrentIndex(self._ui.roleCombo.findData(target))
        self._session.copy_organ(key_of(self._ui.organCombo), source, target)

    def _restore(self) -> None:
        self._session.restore(key_of(self._ui.roleCombo), key_of(self._ui.organCombo))

    def _onDisagreement(self, shown: bool) -> None:
        """Lay the disagreement over all slice views; what lay there before comes back."""
        composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        overlay = self._overlay()
        for composite in composites:
            key = composite.GetID()
            if shown and overlay:
                self._backgrounds[key] = (
                    composite.GetForegroundVolumeID(),
                    composite.GetForegroundOpacity(),
                )
                composite.SetForegroundVolumeID(overlay)
                composite.SetForegroundOpacity(0.5)
            elif key in self._backgrounds:
                volume, opacity = self._backgrounds.pop(key)
                composite.SetForegroundVolumeID(volume)
                composite.SetForegroundOpacity(opacity)

    def _overlay(self) -> str:
        """Key of the disagreement map of the scan that is edited, or empty."""
        node = slicer.mrmlScene.GetNodeByID(self._shown[1]) if self._shown[1] else None
        return (node.GetNodeReferenceID(DISAGREEMENT) or "") if node else ""
