"""The doorway of the extension: module, widget, logic and self-test. No algorithm lives here."""

import importlib
import sys
import unittest
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
        # Both are unloaded after us. In this order: of two readers for a file Slicer prefers that
        # of the module it loaded first, and images are to be opened as volumes.
        parent.dependencies = ["Volumes", "Segmentations"]
        parent.contributors = ["The CMCSeg developers"]
        parent.helpText = _(
            "Segments a misaligned pair of scans of one patient, lets you correct the result, and "
            "learns from it. Research use, not for diagnosis."
        )
        parent.acknowledgementText = _(
            "After Zhou et al., Robust Semi-supervised Multimodal Medical Image Segmentation via "
            "Cross Modality Collaboration, MICCAI 2024."
        )
        slicer.app.startupCompleted.connect(_onStartup)


class CMCSegmentationWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Hosts the panel, and tells it what becomes of the scene."""

    def __init__(self, parent: object = None) -> None:
        self.panel = None
        self.choices = None
        self._connection = None
        self._entered = False
        self._root = None
        VTKObservationMixin.__init__(self)
        ScriptedLoadableModuleWidget.__init__(self, parent)  # without a parent it runs setup

    def setup(self) -> None:
        """Build the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        from cmcseg.desktop.panel import Panel

        root = slicer.util.loadUI(self.resourcePath("UI/CMCSegmentation.ui"))
        self.layout.addWidget(root)
        self._root = root
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
        if getattr(self.parent, "isEntered", False):  # it was reloaded while it was shown
            self.enter()

    def enter(self) -> None:
        """The module is shown."""
        self._entered = True
        if self.panel:
            if self.choices is None:
                self._useChoices()
            self.panel.enter()

    def exit(self) -> None:
        """Another module is shown."""
        self._entered = False
        if self.panel:
            self.panel.leave()

    def cleanup(self) -> None:
        """The module is closed or reloaded."""
        self._dropChoices()
        self.removeObservers()
        if self.panel:
            self.panel.close()
            self.panel = None
            # A reload builds another one; left hidden, each would keep an editor of 20 MB.
            self._root.setParent(None)
            self._root.deleteLater()

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
        """A scene was closed or loaded; nothing is put into it unless the module is shown."""
        self._dropChoices()
        if self._entered:
            self._useChoices()

    def _useChoices(self) -> None:
        self._dropChoices()
        from cmcseg.desktop.parameters import choices_in

        self.choices = choices_in(CMCSegmentationLogic().getParameterNode())
        self._connection = self.choices.connectGui(self.ui)
        self.panel.use(self.choices)

    def _dropChoices(self) -> None:
        if self.choices is not None and self._connection is not None:
            self.choices.disconnectGui(self._connection)
        self.choices = self._connection = None
        if self.panel:
            self.panel.use(None)


class CMCSegmentationLogic(ScriptedLoadableModuleLogic):
    """For scripts: segments without a panel, and waits for the result."""

    def segment(
        self,
        nodesByRole: dict,
        model: str,
        align: str = "auto",
        device: str = "auto",
        overlap: float = 0.25,
        outOfMemory: str = "smaller",
        timeout: float = 3600.0,
    ) -> dict:
        """Segment scans and wait for the result.

        Args:
            nodesByRole: volume node by role of the model, such as ``{"ct": node, "mr": node}``.
            model: name of the model.
            align: ``auto``, ``none`` or ``rigid``.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
            overlap: share by which neighbouring windows overlap.
            outOfMemory: ``smaller`` goes on in smaller steps, ``stop`` says so and stops.
            timeout: seconds after which to give up.

        Returns:
            The segmentation node by role.

        Raises:
            CMCSegError: with one sentence saying why there is no result.
        """
        from cmcseg.desktop.headless import segment

        settings = _settings(align, device, overlap, outOfMemory)
        found = segment(nodesByRole, model, settings, timeout)
        return {role: slicer.mrmlScene.GetNodeByID(key) for role, key in found.items()}

    def segmentScene(
        self,
        model: str,
        align: str = "auto",
        device: str = "auto",
        overlap: float = 0.25,
        outOfMemory: str = "smaller",
        timeout: float = 86400.0,
    ) -> list:
        """Segment all pairs of the scene; a pair that fails does not stop the others.

        Args:
            model, align, device, overlap, outOfMemory, timeout: as in ``segment``.

        Returns:
            A ``cmcseg.session.batch.BatchItem`` per pair: its scans, and its result or why there
            is none.

        Raises:
            CMCSegError: when there is no such model, or no scan for it.
        """
        from cmcseg.desktop.headless import segment_scene

        settings = _settings(align, device, overlap, outOfMemory)
        return segment_scene(model, settings, timeout)

    def segmentStudies(
        self,
        studies: list,
        model: str,
        align: str = "auto",
        device: str = "auto",
        overlap: float = 0.25,
        outOfMemory: str = "smaller",
        timeout: float = 86400.0,
    ) -> list:
        """Load studies of Slicer's DICOM database, and segment the pair of each.

        Args:
            studies: study instance UIDs.
            model, align, device, overlap, outOfMemory, timeout: as in ``segment``.

        Returns:
            As ``segmentScene``.

        Raises:
            CMCSegError: when there is no such study or model, or no scan for it.
        """
        from cmcseg.desktop.headless import segment_studies

        settings = _settings(align, device, overlap, outOfMemory)
        return segment_studies(studies, model, settings, timeout)

    def keepInDatabase(self, items: list) -> int:
        """Write the organs of segmented studies into Slicer's DICOM database, as DICOM SEG.

        Args:
            items: what ``segmentStudies`` returned; those without a result are passed over.

        Returns:
            How many segmentations were written.

        Raises:
            CMCSegError: with one sentence saying why one could not be written.
        """
        from cmcseg.desktop.dicom_database import keep_in_database

        done = [item.result for item in items if item.result]
        keys = [key for result in done for key in result.segmentations.values()]
        keep_in_database(keys)
        return len(keys)


def _settings(align: str, device: str, overlap: float, outOfMemory: str) -> object:
    from cmcseg.core.settings import SegmentSettings

    return SegmentSettings(align=align, device=device, overlap=overlap, out_of_memory=outOfMemory)


class CMCSegmentationTest(ScriptedLoadableModuleTest):
    """Segments a synthetic pair with the abdominal model."""

    def setUp(self) -> None:
        """Begin with an empty scene; CTest comes here directly, without packages, too."""
        from cmcseg.desktop.install import ready

        if not ready(Path(__file__).parent / "Resources" / "requirements.txt"):
            self.skipTest("The packages are not installed (see Installation).")
        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        """Run everything, where everything is installed."""
        try:
            self.setUp()
        except unittest.SkipTest as reason:
            self.delayDisplay(f"Not tested: {reason}")
            return
        self.test_a_phantom_pair_gets_its_organs()
        self.delayDisplay("Test passed")

    def test_a_phantom_pair_gets_its_organs(self) -> None:
        """The pair that the Sample Data module offers, fetched as a script does."""
        import SampleData

        folder = _sampleData()
        _onStartup()  # nothing announces the start where tests are run
        nodes = dict(zip(("ct", "mr"), SampleData.downloadSamples("CMCSegAbdomen"), strict=True))
        found = CMCSegmentationLogic().segment(nodes, model="abdomen-ct-mr")
        self.assertEqual(set(found), {"ct", "mr"})
        for role, node in found.items():
            segmentation = node.GetSegmentation()
            self.assertEqual(segmentation.GetNumberOfSegments(), 4)
            liver = slicer.util.arrayFromSegmentBinaryLabelmap(
                node, segmentation.GetSegmentIdBySegmentName("liver"), nodes[role]
            )
            path = folder / f"CMCSegAbdomen_{role}_truth.nii.gz"
            wanted = slicer.util.arrayFromVolume(slicer.util.loadLabelVolume(str(path))) == 1
            both = (wanted & (liver > 0)).sum()
            self.assertGreater(2 * both / (wanted.sum() + (liver > 0).sum()), 0.8)


def _sampleData() -> Path:
    return Path(__file__).parent / "Resources" / "SampleData"


def _onStartup() -> None:
    """Offer the synthetic pairs in the Sample Data module, and make the layout known."""
    from cmcseg.desktop import layout, sample

    layout.register()
    sample.register(_sampleData(), _sampleData().parent / "Icons" / "CMCSegmentation.png")
