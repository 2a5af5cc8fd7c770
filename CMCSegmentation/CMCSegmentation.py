"""The doorway of the extension: module, widget, logic and self-test. No algorithm lives here."""

import importlib
import sys
import time
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class CMCSegmentation(ScriptedLoadableModule):
    """What Slicer shows of the module."""

    def __init__(self, parent: object) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("CMC Segmentation")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["The CMCSeg developers"]
        parent.helpText = _(
            "Segments a misaligned pair of scans of one patient, lets you correct the result, and "
            "learns from it. Research use, not for diagnosis."
        )
        parent.acknowledgementText = _(
            "After Zhou et al., Robust Semi-supervised Multimodal Medical Image Segmentation via "
            "Cross Modality Collaboration, MICCAI 2024."
        )


class CMCSegmentationWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Hosts the panel, and tells it what becomes of the scene."""

    def __init__(self, parent: object = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.panel = None
        self.choices = None
        self._connection = None

    def setup(self) -> None:
        """Build the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        from cmcseg.desktop.panel import Panel

        root = slicer.util.loadUI(self.resourcePath("UI/CMCSegmentation.ui"))
        self.layout.addWidget(root)
        root.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(root)
        self.panel = Panel(
            self.ui,
            resources=Path(self.resourcePath("requirements.txt")).parent,
            queue=Path.home() / "CMCSeg" / "queue",
        )
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneReady)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneReady)
        self._useChoices()
        self.panel.load()

    def enter(self) -> None:
        """The module is shown."""
        if self.panel:
            if self.choices is None:
                self._useChoices()
            self.panel.enter()

    def exit(self) -> None:
        """Another module is shown."""
        if self.panel:
            self.panel.leave()

    def cleanup(self) -> None:
        """The module is closed or reloaded."""
        self._dropChoices()
        self.removeObservers()
        if self.panel:
            self.panel.close()
            self.panel = None

    def onReload(self) -> None:
        """Take over changes of our package too, not of this file alone."""
        for name in [n for n in sys.modules if n == "cmcseg" or n.startswith("cmcseg.")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller: object, event: object) -> None:  # noqa: ARG002
        """The node with the choices is about to go."""
        self._dropChoices()

    def onSceneReady(self, caller: object, event: object) -> None:  # noqa: ARG002
        """A scene was closed or loaded."""
        self._useChoices()

    def _useChoices(self) -> None:
        self._dropChoices()
        from cmcseg.desktop.parameters import Choices

        self.choices = Choices(CMCSegmentationLogic().getParameterNode())
        self._connection = self.choices.connectGui(self.ui)
        self.panel.use(self.choices)

    def _dropChoices(self) -> None:
        if self.choices is not None and self._connection is not None:
            self.choices.disconnectGui(self._connection)
        self.choices = self._connection = None
        if self.panel:
            self.panel.use(None)


class CMCSegmentationLogic(ScriptedLoadableModuleLogic):
    """For scripts: segments without a panel."""

    def segment(
        self,
        nodesByRole: dict,
        model: str,
        align: str = "auto",
        device: str = "auto",
        overlap: float = 0.25,
    ) -> dict:
        """Segment scans and wait for the result.

        Args:
            nodesByRole: volume node by role of the model, such as ``{"ct": node, "mr": node}``.
            model: name of the model.
            align: ``auto``, ``none`` or ``rigid``.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
            overlap: share by which neighbouring windows overlap.

        Returns:
            The segmentation node by role.

        Raises:
            RuntimeError: with one sentence saying why there is no result.
        """
        from cmcseg.core.settings import SegmentSettings
        from cmcseg.desktop.panel import python
        from cmcseg.mrml.scene import MrmlScene
        from cmcseg.session.process_runner import ProcessRunner
        from cmcseg.session.segment import SegmentSession

        runner, scene = ProcessRunner(python()), MrmlScene(slicer.mrmlScene)
        session = SegmentSession(scene, runner)
        troubles: list[str] = []
        session.failed.connect(lambda sentence, log: troubles.append(f"{sentence} {log}".strip()))
        try:
            session.load_models(select=model)
            _wait(runner, lambda: session.cards or troubles)
            if not troubles:
                session.choose_model(model)
                for role in session.card.roles:
                    node = nodesByRole.get(role)
                    session.set_scan(role, node.GetID() if node else "")
                session.segment(SegmentSettings(align=align, device=device, overlap=overlap))
                _wait(runner, lambda: session.result or troubles)
            if troubles:
                raise RuntimeError(troubles[0])
            keys = session.result.segmentations
            return {role: slicer.mrmlScene.GetNodeByID(key) for role, key in keys.items()}
        finally:
            session.close()
            scene.close()
            runner.close()


class CMCSegmentationTest(ScriptedLoadableModuleTest):
    """Segments a synthetic pair with the abdominal model."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        """Run everything."""
        self.setUp()
        self.test_a_phantom_pair_gets_its_organs()

    def test_a_phantom_pair_gets_its_organs(self) -> None:
        """The worker makes the pair, so that Slicer needs nothing but itself."""
        import subprocess

        from cmcseg.desktop.panel import python

        with slicer.util.tempDirectory() as folder:
            code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
            code += "from cmcseg.cli import main; main()"
            subprocess.run([python(), "-c", code, "sample", folder], check=True)
            nodes = {}
            for role in ("ct", "mr"):
                path = next(Path(folder).rglob(f"*{role}.nii.gz"))
                nodes[role] = slicer.util.loadVolume(str(path))
        found = CMCSegmentationLogic().segment(nodes, model="abdomen-ct-mr")
        self.assertEqual(set(found), {"ct", "mr"})
        for node in found.values():
            self.assertEqual(node.GetSegmentation().GetNumberOfSegments(), 4)
        self.delayDisplay("Test passed")


def _wait(runner: object, until: object) -> None:
    """Deliver what happens until there is an answer; Slicer's window stays alive meanwhile."""
    while not until():
        runner.pump()
        slicer.app.processEvents()
        time.sleep(0.02)
