"""Step 4: look where the model is least sure, correct, accept."""

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from cmcseg.core.review_places import Place
from cmcseg.desktop.controls import allow, fill, key_of, trying
from cmcseg.desktop.keys import ACCEPT, PEEK, Keys, Peek, list_of_keys
from cmcseg.desktop.marks import MarkSection
from cmcseg.desktop.overlay import Overlay
from cmcseg.mrml.colours import MAGMA, SHOWN_FROM
from cmcseg.mrml.credit import credit_reader
from cmcseg.mrml.own_views import slices_over
from cmcseg.mrml.result_nodes import DISAGREEMENT
from cmcseg.mrml.segments import segment_id
from cmcseg.session.marks import MarkSession
from cmcseg.session.review import ReviewSession


class ReviewSection:
    """Places of doubt, an embedded Segment Editor on the scan of choice, and Accept."""

    def __init__(
        self, ui: object, session: ReviewSession, accept: Callable, tell: Callable
    ) -> None:
        self._ui, self._session = ui, session
        self._shown: tuple[str, str] = ("", "")
        self._observed: tuple | None = None
        self._overlay = Overlay()
        self._source = ""  # the scan that the editor's tools look at
        self._histories: dict[str, slicer.vtkSegmentationHistory] = {}
        self._editorNode = None
        self._editor = slicer.qMRMLSegmentEditorWidget()
        self._editor.setMaximumNumberOfUndoStates(10)
        self._editor.setSegmentationNodeSelectorVisible(False)
        self._editor.setSourceVolumeNodeSelectorVisible(False)
        self._editor.setAutoShowSourceVolumeNode(False)  # the views are left as they are
        ui.editorHost.layout().addWidget(self._editor)
        ui.previousButton.clicked.connect(trying(session.previous, tell))
        ui.nextButton.clicked.connect(trying(session.next, tell))
        ui.copyButton.clicked.connect(trying(self._copy, tell))
        ui.restoreButton.clicked.connect(trying(self._restore, tell))
        ui.acceptButton.clicked.connect(trying(accept, tell))
        ui.disagreementCheck.toggled.connect(lambda _on: self._lay_over())
        ui.toolsSection.contentsCollapsed.connect(lambda _closed: self._take_tools())
        ui.disagreementScale.setText(_("{} % to 100 %").format(SHOWN_FROM))
        ui.disagreementScale.setStyleSheet(_scale())
        ui.roleCombo.currentIndexChanged.connect(lambda *_index: self._edit())
        session.jumped.connect(self._onJumped)
        ui.organCombo.currentIndexChanged.connect(lambda *_index: self._pick())
        marks = MarkSession(session.scene, session.runner, session)
        self._marks = MarkSection(ui, marks, session, tell, self._lay_tool_down)
        self._entered = False
        self._hidden: list = []  # while Space is held
        self._peek = Peek(self._showOrgans)
        calls = {
            "N": session.next,
            "P": session.previous,
            ACCEPT: accept,
            "B": lambda: self._take("Paint"),
            "E": lambda: self._take("Erase"),
            "Z": lambda: self._step("UndoButton", self._editor.undo),
            "Shift+Z": lambda: self._step("RedoButton", self._editor.redo),
            PEEK: self._peek.press,
            "?": lambda: tell(list_of_keys(), good=True),
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
            allow(button, why, _("Go to the place where the model is least sure (N, P)"))
        allow(ui.acceptButton, session.why_not(), _("Hand this pair to the queue"))
        roles = list(result.scans) if result else []
        first = roles[0] if roles else ""
        role = key_of(ui.roleCombo) if key_of(ui.roleCombo) in roles else first
        fill(ui.roleCombo, [(result.card.input(r).title, r) for r in roles], role)
        organs = [label.name for label in result.card.table] if result else []
        organ = key_of(ui.organCombo) or (organs[0] if organs else "")
        fill(ui.organCombo, [(name, name) for name in organs], organ)
        why = _("Segment a scan first.") if not result else ""
        allow(ui.restoreButton, why, _("Put this organ back as the model found it"))
        alone = "" if len(roles) == 2 else _("There is no second scan.")
        allow(ui.copyButton, why or alone, _("Draw this organ into the other scan, too"))
        self._keys.enable(self._entered and result is not None)
        self._edit()
        compared = _("How far the two scans contradict each other there")
        why = "" if self._maps() else _("The scans were not compared.")
        allow(ui.disagreementCheck, why, compared)
        ui.disagreementScale.setVisible(bool(self._maps()) and ui.disagreementCheck.isChecked())

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
        self._marks.enter()
        self._lay_over()

    def leave(self) -> None:
        """The module is left: the editor's tool must not stay active in other modules."""
        self._marks.leave()
        self._overlay.hide()
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
        self._marks.put_away()
        self._ignore()
        self._editor.setActiveEffectByName("")
        self._editor.removeViewObservations()
        self._overlay.hide()
        self._forget_nodes()
        self._histories.clear()
        self._shown = ("", "")

    def close(self) -> None:
        """Let go of the scene and of the keys; the editor lives on for a while, hidden."""
        self._marks.close()
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
        scan, node = (slicer.mrmlScene.GetNodeByID(key) if key else None for key in wanted)
        if scan is None or node is None:  # the scene was closed, and the session hears of it last
            wanted = ("", "")
        if wanted == self._shown:
            return
        self._shown = wanted
        self._ignore()
        if not wanted[0]:
            self._overlay.hide()
            self._forget_nodes()
            self._histories.clear()
            return
        if self._editorNode is None or self._editorNode.GetScene() is None:
            self._editorNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
            self._editorNode.SetSaveWithScene(False)
            self._editorNode.HideFromEditorsOn()
            self._editor.setMRMLSegmentEditorNode(self._editorNode)  # before the scene: its wish
            self._editor.setMRMLScene(slicer.mrmlScene)
        if self._entered:
            self._editor.setupViewObservations()
        self._editor.setSegmentationNode(node)
        self._take_tools()
        self._bring_to_sight(scan)
        self._hand_over(node)
        segmentation = node.GetSegmentation()
        kind = slicer.vtkSegmentation
        tags = [
            segmentation.AddObserver(event, lambda *_event: self._onEdited())
            for event in (kind.SourceRepresentationModified, kind.SegmentRemoved)
        ]
        self._observed = (segmentation, tags)
        self._pick()
        self._lay_over()

    def _forget_nodes(self) -> None:
        """Scan before segmentation: the other way round the editor logs a warning."""
        if self._source:
            self._editor.setSourceVolumeNode(None)
            self._source = ""
        self._editor.setSegmentationNode(None)

    def _take_tools(self) -> None:
        """Give the editor the scan once its tools are wanted.

        Its thresholds then look through all of it, for half a second on a large one, which nobody
        is to wait for who only looks at the result.
        """
        key = self._shown[0]
        if self._ui.toolsSection.collapsed:
            self._editor.setActiveEffectByName("")
        elif key and key != self._source:
            self._editor.setSourceVolumeNode(slicer.mrmlScene.GetNodeByID(key))
            self._source = key

    def _lay_tool_down(self) -> None:
        self._editor.setActiveEffectByName("")

    def _take(self, tool: str) -> None:
        self._marks.put_away()
        self._ui.toolsSection.collapsed = False
        self._take_tools()
        self._editor.setActiveEffectByName(tool)

    def _step(self, button: str, call: Callable) -> None:
        """Undo or redo where there is something; the editor logs a warning where there is not."""
        found = slicer.util.findChildren(self._editor, name=button)
        if all(each.isEnabled() for each in found):
            call()

    def _bring_to_sight(self, scan: slicer.vtkMRMLVolumeNode) -> None:
        """Show the scan that is corrected where no slice view shows it."""
        if not slices_over(slicer.mrmlScene, scan.GetID()):
            slicer.util.setSliceViewerLayers(background=scan)

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
            node, result = self._editor.segmentationNode(), self._session.result
            if node is not None and result is not None:
                credit_reader(node, [label.name for label in result.card.table])
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

    def _lay_over(self) -> None:
        """Lay each scan's disagreement over it while that is wanted and the module is shown."""
        self._overlay.hide()
        wanted = self._ui.disagreementCheck.isChecked() and self._entered
        if wanted and self._maps():
            self._overlay.show(self._maps())
        self._ui.disagreementScale.setVisible(wanted and bool(self._maps()))

    def _maps(self) -> dict[str, str]:
        """Node ID of the disagreement by that of the scan, for those that have one."""
        result = self._session.result
        if result is None:
            return {}
        nodes = {
            result.scans[role]: slicer.mrmlScene.GetNodeByID(key)
            for role, key in result.segmentations.items()
        }
        maps = {k: node.GetNodeReferenceID(DISAGREEMENT) for k, node in nodes.items() if node}
        return {scan: key for scan, key in maps.items() if key}


def _scale() -> str:
    """The colours of the doubt map, from left to right."""
    stops = ", ".join(f"stop:{n / (len(MAGMA) - 1):.3f} {c}" for n, c in enumerate(MAGMA))
    return (
        f"background: qlineargradient(x1:0, y1:0, x2:1, y2:0, {stops}); color: white; "
        "padding: 1px 12px;"
    )
