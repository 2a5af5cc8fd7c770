"""The part of desktop Slicer that the wheel lacks, on PySide6 and the real MRML classes.

Properties are attributes, as PythonQt has them. What is not written here does not exist.
"""

import collections
import enum
import os
import re
import sys
import tempfile
import types
import unittest
import urllib.request
import weakref
from pathlib import Path
from typing import ClassVar

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
import slicer
import slicer.util
import vtk
from mrml_scene import Host, add_volume
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

MODULE = Path(__file__).resolve().parents[2] / "CMCSegmentation"
LATER = QtCore.QTimer.singleShot  # a property of the same name will hide it
STATUS: list[str] = []  # what the status bar said
# PySide6 6.12 on Python 3.11 gives a reference of None away at every call without a result, and
# Python dies when none is left; Python 3.12 does not count them. Remove with Python 3.11.
SPARE = [None] * 5_000_000
VIRTUAL = ("sizeHint", "minimumSizeHint", "singleStep")  # Qt itself calls these


def pythonqt(cls):
    """Make Qt properties of a class attributes; getters of the "is" kind stay methods."""
    meta = cls.staticMetaObject
    for i in range(meta.propertyOffset(), meta.propertyCount()):
        name = meta.property(i).name()
        if name in VIRTUAL:
            continue
        if callable(cls.__dict__.get(name)):
            getter = cls.__dict__[name]
            setter = getattr(cls, f"set{name[0].upper()}{name[1:]}", None)
            setattr(cls, name, property(lambda self, g=getter: g(self), setter))


def make_qt():
    qt = types.ModuleType("qt")
    for source in (QtCore, QtGui, QtWidgets):
        for name in dir(source):
            if name.startswith("Q"):
                setattr(qt, name, getattr(source, name))
    return qt


class Starting(QtCore.QObject):
    startupCompleted = QtCore.Signal()


class Collapsible(QtWidgets.QGroupBox):
    def __init__(self, parent=None):
        super().__init__(parent)
        self._collapsed = False
        self._folded = []

    def _get(self):
        return self._collapsed

    contentsCollapsed = QtCore.Signal(bool)

    def _set(self, value):
        changed, self._collapsed = value != self._collapsed, value
        self.setMaximumHeight(22 if value else 16777215)
        for child in self.findChildren(
            QtWidgets.QWidget, options=QtCore.Qt.FindChildOption.FindDirectChildrenOnly
        ):
            if value and not child.isHidden():
                self._folded.append(child)
                child.hide()
        if not value:
            for child in self._folded:
                child.show()
            self._folded = []
        if changed:
            self.contentsCollapsed.emit(value)

    collapsed = QtCore.Property(bool, _get, _set)
    text = QtCore.Property(str, lambda self: "", lambda self, text: self.setTitle(text))


class MrmlWidget(QtWidgets.QWidget):
    def setMRMLScene(self, scene):
        self.scene = scene


CRASHES: list[str] = []  # what would have ended Slicer
LOG: list[str] = []  # warnings that Slicer would have written


class SegmentEditor(QtWidgets.QWidget):
    living: ClassVar[weakref.WeakSet] = weakref.WeakSet()

    def __init__(self, parent=None):
        super().__init__(parent)
        self.node = self.source = self.editor = self.scene = None
        QtWidgets.QVBoxLayout(self).addWidget(QtWidgets.QLabel("(here: Slicer's Segment Editor)"))
        self.effect = self.segment = ""
        self.observed = False
        self.saved = self.undone = 0
        self.states = []
        SegmentEditor.living.add(self)

    @classmethod
    def views_are_set_up(cls, *_from_vtk):
        """Slicer does so when a scene was closed: the brush follows, and needs a segmentation."""
        for editor in cls.living:
            gone = editor.node is not None and editor.node.GetScene() is None
            if editor.effect in ("Paint", "Erase") and editor.observed and gone:
                CRASHES.append(f"{editor.effect} was in hand when the scene was closed.")

    def setMRMLScene(self, scene):
        self.scene = scene

    def setMRMLSegmentEditorNode(self, node):
        if node is None and self.observed:
            raise RuntimeError("The next change of the layout would end Slicer.")
        self.editor = node

    def setSegmentationNode(self, node):
        if node is None and self.source is not None:
            LOG.append("Need to set segment editor and segmentation nodes first")
        self.node = node

    def setSourceVolumeNode(self, node):
        if self.node is None:
            LOG.append("Need to set segment editor and segmentation nodes first")
        self.source = node

    def segmentationNode(self):
        return self.node

    def saveStateForUndo(self):
        self.saved += 1
        segmentation = self.node.GetSegmentation()
        self.states.append(slicer.vtkSegmentation())
        self.states[-1].DeepCopy(segmentation)

    def setMaximumNumberOfUndoStates(self, count): ...

    def setSegmentationNodeSelectorVisible(self, shown): ...

    def setSourceVolumeNodeSelectorVisible(self, shown): ...

    def setAutoShowSourceVolumeNode(self, shown):
        self.shows_source = shown

    def setActiveEffectByName(self, name):
        self.effect = name

    def setCurrentSegmentID(self, segment):
        self.segment = segment

    def undo(self):
        self.undone += 1

    def redo(self):
        self.undone -= 1

    def setupViewObservations(self):
        if self.editor is None:
            raise RuntimeError("The next change of the layout would end Slicer.")
        self.observed = True

    def removeViewObservations(self):
        self.observed = False


def all_nodes(scene, kind):
    """All slice nodes, or all of their composite nodes."""
    name = f"vtkMRMLSlice{kind}Node"
    return [scene.GetNthNodeByClass(n, name) for n in range(scene.GetNumberOfNodesByClass(name))]


class RenderWindow:
    """A window that draws nothing; its mouse and its renderer are VTK's."""

    def __init__(self):
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._renderers = vtk.vtkRendererCollection()
        self._renderers.AddItem(vtk.vtkRenderer())

    def GetInteractor(self):
        return self._interactor

    def GetRenderers(self):
        return self._renderers

    def Render(self): ...

    def GetSize(self):
        return 300, 300


class SliceWidget:
    """A slice view without a picture."""

    def __init__(self, node, window):
        self._node, self._window = node, window
        self.fitted = 0

    def mrmlSliceNode(self):
        return self._node

    def sliceView(self):
        return types.SimpleNamespace(renderWindow=lambda: self._window)

    def sliceLogic(self):
        name, scene = self._node.GetLayoutName(), self._node.GetScene()
        mine = next(n for n in all_nodes(scene, "Composite") if n.GetLayoutName() == name)
        return types.SimpleNamespace(GetSliceCompositeNode=lambda: mine)

    def fitSliceToBackground(self):
        """Fit the scan; linked control broadcasts it to every view of the group, shown or not."""
        self.fitted += 1
        scene, name = self._node.GetScene(), self._node.GetLayoutName()
        composite = next(n for n in all_nodes(scene, "Composite") if n.GetLayoutName() == name)
        volume = scene.GetNodeByID(composite.GetBackgroundVolumeID() or "")
        if volume is None:
            return
        bounds = [0.0] * 6
        volume.GetRASBounds(bounds)
        width = max(bounds[1] - bounds[0], bounds[3] - bounds[2])
        centre = [(bounds[n] + bounds[n + 1]) / 2 for n in (0, 2, 4)]
        views = [self._node]
        if composite.GetLinkedControl():
            views = [
                n for n in all_nodes(scene, "") if n.GetViewGroup() == self._node.GetViewGroup()
            ]
        for view in views:
            view.SetFieldOfView(width, width, 1)
            view.JumpSliceByCentering(*centre)


class Console(QtWidgets.QTextEdit):
    """Slicer's Python console: unlike a line edit it takes no key before a shortcut hears of it."""

    def event(self, event):
        if event.type() == QtCore.QEvent.Type.ShortcutOverride:
            event.ignore()
            return False
        return super().event(event)


class Window(QtWidgets.QMainWindow):
    """The main window: a module's panel, the views, the Python console."""

    def __init__(self):
        super().__init__()
        self.views, self.console, self.dock = QtWidgets.QWidget(), Console(), QtWidgets.QWidget()
        self.views.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        QtWidgets.QVBoxLayout(self.dock)
        everything = QtWidgets.QSplitter()
        for part in (self.dock, self.views, self.console):
            everything.addWidget(part)
        self.setCentralWidget(everything)


class LayoutManager:
    """Makes the slice views of a layout, as many as it names; the nodes are real."""

    def __init__(self, views):
        self._views = views
        self._windows = collections.defaultdict(RenderWindow)
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(slicer.mrmlScene)

    def viewport(self):
        return self._views

    def resetThreeDViews(self): ...

    def layoutLogic(self):
        return self._logic

    def setLayout(self, number):
        node = self._logic.GetLayoutNode()
        there = {view.GetLayoutName() for view in all_nodes(slicer.mrmlScene, "")}
        node.SetViewArrangement(number)  # the logic makes the nodes of some views
        text = node.GetLayoutDescription(number)
        for view in re.findall('<view class="vtkMRMLSliceNode".*?</view>', text, flags=re.S):
            tag = re.search('singletontag="([^"]+)"', view)[1]
            for kind in (slicer.vtkMRMLSliceNode, slicer.vtkMRMLSliceCompositeNode):
                if slicer.mrmlScene.GetSingletonNode(tag, kind.__name__) is None:
                    made = kind()
                    made.SetSingletonTag(tag)
                    made.SetLayoutName(tag)
                    slicer.mrmlScene.AddNode(made)
            made = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLSliceNode")
            if group := re.search('name="viewgroup"[^>]*>([0-9]+)<', view):
                made.SetViewGroup(int(group[1]))
            if tag not in there:  # its slider's offset comes one pass of the event loop later
                LATER(0, lambda made=made: made.SetSliceOffset(0))

    def sliceViewNames(self):
        return [node.GetLayoutName() for node in all_nodes(slicer.mrmlScene, "")]

    def sliceWidget(self, tag):
        node = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLSliceNode")
        return SliceWidget(node, self._windows[tag])


def set_layers(background=None):
    for composite in all_nodes(slicer.mrmlScene, "Composite"):
        composite.SetBackgroundVolumeID(background.GetID())


class PlotView(QtWidgets.QWidget):
    def __init__(self, parent=None):
        super().__init__(parent)
        self.scene = self.node = None

    def setMRMLScene(self, scene):
        self.scene = scene

    def setMRMLPlotViewNode(self, node):
        self.node = node

    def fitToContent(self):
        table = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLTableNode").GetTable()
        if table.GetNumberOfRows() == 1:
            LOG.append("Attempted to paint a line with <2 points.")


def load_ui(path):
    loader = QtUiTools.QUiLoader()
    loader.registerCustomWidget(MrmlWidget)
    loader.registerCustomWidget(Collapsible)
    text = Path(path).read_text(encoding="utf-8")
    for theirs, ours in (("qMRMLWidget", "MrmlWidget"), ("ctkCollapsibleButton", "Collapsible")):
        text = text.replace(f'class="{theirs}"', f'class="{ours}"')
    buffer = QtCore.QBuffer()
    buffer.setData(text.encode())
    buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    return loader.load(buffer)


def widgets_of(root):
    found = {w.objectName: w for w in root.findChildren(QtWidgets.QWidget) if w.objectName}
    return types.SimpleNamespace(**found)


class Parameters:
    """A parameter node that keeps values in memory; widgets are treated as Slicer treats them."""

    def __init__(self, node):
        for name in type(self).__annotations__:
            setattr(self, name, getattr(type(self), name, None))

    def connectGui(self, ui):
        """Fill the widgets, and follow them from now on, as Slicer does."""
        for widget in vars(ui).values():
            name = widget.property("SlicerParameterName")
            if not name:
                continue
            value, note = getattr(self, name), type(self).__annotations__[name]
            if isinstance(widget, QtWidgets.QComboBox):
                if not issubclass(note, enum.Enum):
                    raise RuntimeError(f"Slicer connects a combo box to {name} only by an Enum.")
                kinds = list(note)
                widget.clear()
                for kind in kinds:
                    widget.addItem(kind.label())
                widget.setCurrentIndex(kinds.index(value))
                widget.currentIndexChanged.connect(
                    lambda now, key=name, kinds=kinds: setattr(self, key, kinds[now])
                )
            else:
                limits = [m for m in getattr(note, "__metadata__", ()) if type(m) is WithinRange]
                # Whatever the .ui file says: Slicer takes limits away where it is told of none.
                low, high = limits[0].limits if limits else (-(2**31), 2**31 - 1)
                widget.setMinimum(low)
                widget.setMaximum(high)
                widget.setValue(value)
                widget.valueChanged.connect(lambda now, key=name: setattr(self, key, now))
        return 1

    def disconnectGui(self, connection):
        assert connection == 1


# Modules of Slicer that matter for who reads an image: what they depend on, and what they read.
SLICERS = {"CropVolume": ["Volumes"], "SegmentEditor": ["Segmentations"]}
READERS = {"Volumes": "VolumeFile", "Segmentations": "SegmentationFile"}


def default_reader(dependencies, name="CMCSegmentation"):
    """Who reads an image file: modules load by name, dependencies first, the first reader wins."""
    modules = {**SLICERS, **{each: [] for each in READERS}, name: dependencies}
    loaded = []

    def load(module):
        if module not in loaded:
            for other in modules[module]:
                load(other)
            loaded.append(module)

    for module in sorted(modules):
        load(module)
    return next(READERS[module] for module in loaded if module in READERS)


class WithinRange:
    """Which values a parameter may take."""

    def __init__(self, minimum, maximum):
        self.limits = minimum, maximum


def parameter_node_wrapper(cls):
    return type(cls.__name__, (Parameters,), {**vars(cls)})


def scripted_module():
    """The base classes of a module, as far as ours leans on them."""
    base = types.ModuleType("slicer.ScriptedLoadableModule")

    class ScriptedLoadableModule:
        def __init__(self, parent):
            super().__init__()
            self.parent = parent

    class ScriptedLoadableModuleWidget:
        def __init__(self, parent=None):
            super().__init__()
            self.moduleName = type(self).__name__.removesuffix("Widget")
            if not parent:
                self.parent = QtWidgets.QWidget()
                QtWidgets.QVBoxLayout(self.parent)
            else:
                self.parent = parent
            self.layout = self.parent.layout()
            if not parent:
                self.setup()

        def setup(self): ...

        def resourcePath(self, name):
            return str(MODULE / "Resources" / name)

        def onReload(self):
            slicer.util.reloadScriptedModule(self.moduleName)

    class ScriptedLoadableModuleLogic:
        def getParameterNode(self):
            return None

    class ScriptedLoadableModuleTest(unittest.TestCase):
        def delayDisplay(self, message):
            STATUS.append(message)

    for cls in (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    ):
        setattr(base, cls.__name__, cls)
    return base


def sample_data():
    """The Sample Data module: the same rules for what is registered, fetched and compared."""
    module = types.ModuleType("SampleData")
    fields = ("sampleName", "uris", "fileNames", "nodeNames", "checksums", "loadFileTypes")
    fields = (*fields, "thumbnailFileName")

    class SampleDataLogic:
        @staticmethod
        def registerCustomSampleDataSource(*, category, **values):
            if set(values) != set(fields) or not isinstance(values["uris"], (list, tuple)):
                raise TypeError(f"this stand-in takes lists, and just {fields}")
            if len({len(values[name]) for name in fields[1:6]}) > 1:
                raise ValueError("All fields of sample data source must have the same length")
            sources = slicer.modules.sampleDataSources.setdefault(category, [])
            if values not in [vars(source) for source in sources]:
                sources.append(types.SimpleNamespace(**values))

    def downloadSamples(sampleName):
        known = [s for sources in slicer.modules.sampleDataSources.values() for s in sources]
        source = next(s for s in known if s.sampleName == sampleName)
        lists = (source.uris, source.fileNames, source.nodeNames, source.checksums)
        assert source.loadFileTypes == ["VolumeFile"] * len(source.uris), "else any reader may"
        nodes = []
        for uri, name, title, checksum in zip(*lists, strict=True):
            path = slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory() + "/" + name
            urllib.request.urlretrieve(uri, path)
            algorithm, digest = slicer.util.extractAlgoAndDigest(checksum)
            if slicer.util.computeChecksum(algorithm, path) != digest:
                Path(path).unlink()
                continue  # Slicer tries three times, and then gives back what it has
            nodes.append(slicer.util.loadVolume(path, {"name": title}))
        return nodes

    module.SampleDataLogic, module.downloadSamples = SampleDataLogic, downloadSamples
    return module


def load_volume(path, properties=None, kind="vtkMRMLScalarVolumeNode"):
    """A volume node of a file, with a storage node as Slicer makes one."""
    from cmcseg.imaging.files import read_volume

    scan = read_volume(Path(path))
    node = slicer.mrmlScene.AddNewNodeByClass(kind, (properties or {}).get("name", ""))
    filled = add_volume(slicer.mrmlScene, scan.array, scan.grid.affine, "filled")
    node.SetAndObserveImageData(filled.GetImageData())
    node.CopyOrientation(filled)
    slicer.mrmlScene.RemoveNode(filled)
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    node.SetAndObserveStorageNodeID(storage.GetID())
    return node


class Desk(Host):
    """What start() gives back; open_module() opens the module as Slicer does."""

    def close(self):
        """The layout lets go of the scene before the scene goes."""
        slicer.app.layoutManager().layoutLogic().SetMRMLScene(None)
        super().close()

    def open_module(self):
        """Load the module, announce the end of the start-up, show the widget."""
        import CMCSegmentation

        starting = Starting()
        slicer.app.startupCompleted = starting.startupCompleted
        path = str(MODULE / "CMCSegmentation.py")
        module = CMCSegmentation.CMCSegmentation(types.SimpleNamespace(path=path))
        starting.startupCompleted.emit()
        representation = QtWidgets.QWidget()
        representation.isEntered = False
        QtWidgets.QVBoxLayout(representation)
        slicer.modules.cmcsegmentation = types.SimpleNamespace(
            path=path, widgetRepresentation=lambda: representation
        )

        def reload():
            kind = sys.modules["CMCSegmentation"].CMCSegmentationWidget
            widget = slicer.modules.CMCSegmentationWidget = kind(representation)
            widget.setup()  # and nobody calls enter()

        representation.reload = reload
        reload()
        return module


def start():
    """Put the stand-ins in place; returns the MRML host and the Qt application."""
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    host = Desk()
    for source in (QtCore, QtGui, QtWidgets):
        for value in [getattr(source, name) for name in dir(source)]:
            if isinstance(value, type) and issubclass(value, QtCore.QObject):
                pythonqt(value)
    sys.modules["qt"] = make_qt()
    slicer.mrmlScene = host.scene
    cache = slicer.vtkCacheManager()
    cache.SetRemoteCacheDirectory(tempfile.mkdtemp(prefix="slicer-cache-"))
    host.scene.SetCacheManager(cache)
    window = Window()
    window.show()
    manager = LayoutManager(window.views)
    host.window = window
    host.scene.AddObserver(slicer.vtkMRMLScene.EndCloseEvent, SegmentEditor.views_are_set_up)
    slicer.app = types.SimpleNamespace(
        layoutManager=lambda: manager,
        slicerHome="/nowhere",
        processEvents=application.processEvents,
        setOverrideCursor=lambda cursor: None,
        restoreOverrideCursor=lambda: None,
        testingEnabled=lambda: True,
    )
    segmentations = types.SimpleNamespace(logic=lambda: host.logics[1])
    slicer.modules = types.SimpleNamespace(sampleDataSources={}, segmentations=segmentations)
    slicer.qMRMLSegmentEditorWidget = SegmentEditor
    slicer.qMRMLPlotView = PlotView
    i18n = types.ModuleType("slicer.i18n")
    i18n.tr = lambda text: text
    i18n.translate = lambda context, text: text
    wrapper = types.ModuleType("slicer.parameterNodeWrapper")
    wrapper.parameterNodeWrapper, wrapper.WithinRange = parameter_node_wrapper, WithinRange
    sys.modules["SampleData"] = sample_data()
    sys.modules["slicer.ScriptedLoadableModule"] = scripted_module()
    sys.modules["slicer.i18n"], sys.modules["slicer.parameterNodeWrapper"] = i18n, wrapper
    slicer.i18n, slicer.parameterNodeWrapper = i18n, wrapper
    slicer.util.loadUI, slicer.util.childWidgetVariables = load_ui, widgets_of
    slicer.util.loadVolume = load_volume
    slicer.util.loadLabelVolume = lambda path: load_volume(path, kind="vtkMRMLLabelMapVolumeNode")
    slicer.util.confirmOkCancelDisplay = lambda text, *more: True
    slicer.util.mainWindow = lambda: window
    slicer.util.setSliceViewerLayers = set_layers
    slicer.util.findChildren = lambda widget, name: [
        child for child in widget.findChildren(QtWidgets.QWidget) if child.objectName == name
    ]
    slicer.util.showStatusMessage = lambda text, duration=0: STATUS.append(text)
    return host, application
