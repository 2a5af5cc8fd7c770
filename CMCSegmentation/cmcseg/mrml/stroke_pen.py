"""A pen in a slice view: the line that the mouse draws, in the patient's millimetres."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import slicer
import vtk

FIRST = 100.0  # before the view's own tools
INK = (1.0, 0.9, 0.2)
PIXELS = 3.0


class StrokePen:
    """Draws while the left button is down, and keeps the press from the view's other tools.

    Args:
        view: the slice that is drawn on.
        window: its render window, whose interactor tells of the mouse.
        drawn: called ``(points, seconds)`` when the button comes up; points are ``(n, 3)`` RAS.
    """

    def __init__(
        self,
        view: slicer.vtkMRMLSliceNode,
        window: vtk.vtkRenderWindow,
        drawn: Callable[[np.ndarray, float], None],
    ) -> None:
        self._view, self._window, self._drawn = view, window, drawn
        self._pixels: list[tuple[float, float]] = []
        self._since = 0.0
        self._points, self._ink = vtk.vtkPoints(), vtk.vtkPolyData()
        self._actor = self._new_actor()
        self._down = False
        interactor = window.GetInteractor()
        calls = {
            vtk.vtkCommand.LeftButtonPressEvent: self._press,
            vtk.vtkCommand.MouseMoveEvent: self._move,
            vtk.vtkCommand.LeftButtonReleaseEvent: self._release,
            vtk.vtkCommand.LeaveEvent: self._release,
        }
        self._tags = {
            event: interactor.AddObserver(event, self._taking(event, call), FIRST)
            for event, call in calls.items()
        }
        renderer = window.GetRenderers().GetFirstRenderer()
        renderer.AddViewProp(self._actor)

    def close(self) -> None:
        """Lay the pen down; a line that is not finished is no line."""
        interactor = self._window.GetInteractor()
        for tag in self._tags.values():
            interactor.RemoveObserver(tag)
        self._tags.clear()
        renderer = self._window.GetRenderers().GetFirstRenderer()
        if renderer is not None:
            renderer.RemoveViewProp(self._actor)

    def _taking(self, event: int, call: Callable[[tuple[float, float]], bool]) -> Callable:
        def observed(interactor: vtk.vtkRenderWindowInteractor, _name: str) -> None:
            if call(interactor.GetEventPosition()) and event in self._tags:
                interactor.GetCommand(self._tags[event]).SetAbortFlag(1)

        return observed

    def _press(self, at: tuple[float, float]) -> bool:
        self._down, self._since, self._pixels = True, time.monotonic(), [at]
        self._draw()
        return True

    def _move(self, at: tuple[float, float]) -> bool:
        if self._down and at != self._pixels[-1]:
            self._pixels.append(at)
            self._draw()
        return self._down

    def _release(self, _at: tuple[float, float]) -> bool:
        if not self._down:
            return False
        pixels, self._down, self._pixels = self._pixels, False, []
        self._draw()
        self._drawn(self._in_patient(pixels), time.monotonic() - self._since)
        return True

    def _in_patient(self, pixels: list[tuple[float, float]]) -> np.ndarray:
        to_ras = self._view.GetXYToRAS()
        return np.array([to_ras.MultiplyPoint((*pixel, 0.0, 1.0))[:3] for pixel in pixels])

    def _new_actor(self) -> vtk.vtkActor2D:
        self._ink.SetPoints(self._points)
        mapper = vtk.vtkPolyDataMapper2D()
        mapper.SetInputData(self._ink)
        actor = vtk.vtkActor2D()
        actor.SetMapper(mapper)
        actor.GetProperty().SetColor(*INK)
        actor.GetProperty().SetLineWidth(PIXELS)
        return actor

    def _draw(self) -> None:
        self._points.Reset()
        line = vtk.vtkCellArray()
        line.InsertNextCell(len(self._pixels))
        for pixel in self._pixels:
            line.InsertCellPoint(self._points.InsertNextPoint(*map(float, pixel), 0.0))
        self._ink.SetLines(line)
        self._points.Modified()
        self._window.Render()
