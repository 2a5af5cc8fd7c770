"""The losses of a fine-tuning, drawn while it runs."""

import qt
import slicer
import vtk
from slicer.i18n import tr as _

# Okabe and Ito's colours, told apart with any eye.
COLORS = ((0.0, 0.45, 0.70), (0.84, 0.37, 0.0), (0.0, 0.62, 0.45), (0.80, 0.47, 0.65))
WINDOW = "CMCSegCurve"  # the view's name; no layout uses it


class Curve:
    """A table, a series per loss and a chart in the scene, and a view of them in the panel.

    Args:
        host: the widget that the view is put into.
    """

    def __init__(self, host: qt.QWidget) -> None:
        self._host = host
        self._view = None  # of Qt; made when there is something to see
        self._nodes: list = []
        self._columns: dict[str, vtk.vtkDoubleArray] = {}
        self._shown = 0

    def show(self, points: list[tuple[float, dict[str, float]]]) -> None:
        """Draw ``(share done, losses by name)``; those drawn before are not drawn again."""
        if len(points) < 2:
            return
        if len(points) < self._shown or not self._alive():
            self._begin(list(points[-1][1]))
        table, chart = self._nodes[0], self._nodes[-2]
        for share, losses in points[self._shown :]:
            self._columns["%"].InsertNextValue(100 * share)
            for name, column in self._columns.items():
                if name != "%":
                    column.InsertNextValue(losses.get(name, float("nan")))
        self._shown = len(points)
        table.GetTable().Modified()
        table.Modified()
        chart.Modified()
        self._view.fitToContent()  # it does not follow its points by itself

    def close(self) -> None:
        """Take the nodes out of the scene again."""
        if self._view is not None:
            self._view.setMRMLPlotViewNode(None)
            self._view.setMRMLScene(None)
        for node in reversed(self._nodes):
            if node.GetScene() is not None:
                node.GetScene().RemoveNode(node)
        self._nodes, self._columns, self._shown = [], {}, 0

    def _alive(self) -> bool:
        """Whether the nodes are there; closing a scene takes them away."""
        return bool(self._nodes) and all(node.GetScene() is not None for node in self._nodes)

    def _begin(self, names: list[str]) -> None:
        self.close()
        table = self._add("vtkMRMLTableNode", _("Fine-tuning"))
        for name in ("%", *names):
            column = self._columns[name] = vtk.vtkDoubleArray()
            column.SetName(name)
            table.AddColumn(column)
        self._columns = {name: table.GetTable().GetColumnByName(name) for name in self._columns}
        series = [self._series(table, name, n) for n, name in enumerate(names)]
        chart = self._add("vtkMRMLPlotChartNode", _("Fine-tuning"))
        chart.SetTitleVisibility(False)
        chart.SetXAxisTitle(_("% of the time"))
        chart.SetYAxisTitle(_("loss"))
        for node in series:
            chart.AddAndObservePlotSeriesNodeID(node.GetID())
        view = slicer.vtkMRMLPlotViewNode()
        view.SetLayoutName(WINDOW)
        # Whoever is its parent manages the view; without one the layout manager would.
        view.SetAndObserveParentLayoutNodeID(chart.GetID())
        view.SetSaveWithScene(False)
        view = slicer.mrmlScene.AddNode(view)
        self._nodes.append(view)
        view.SetPlotChartNodeID(chart.GetID())
        if self._view is None:
            self._view = slicer.qMRMLPlotView()
            self._view.setMinimumHeight(160)
            self._host.layout().addWidget(self._view)
        self._view.setMRMLScene(slicer.mrmlScene)
        self._view.setMRMLPlotViewNode(view)

    def _series(
        self, table: slicer.vtkMRMLTableNode, name: str, n: int
    ) -> slicer.vtkMRMLPlotSeriesNode:
        series = self._add("vtkMRMLPlotSeriesNode", name)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
        series.SetXColumnName("%")
        series.SetYColumnName(name)
        series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
        series.SetColor(*COLORS[n % len(COLORS)])
        return series

    def _add(self, kind: str, name: str) -> slicer.vtkMRMLNode:
        node = slicer.mrmlScene.AddNewNodeByClass(kind, name)
        node.SetSaveWithScene(False)
        self._nodes.append(node)
        return node
