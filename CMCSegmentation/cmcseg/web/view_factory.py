"""How a view of the page is made: what it draws with, how large it may be."""

from __future__ import annotations

import math
from collections.abc import Callable

import vtk
from trame_server import Server
from trame_slicer.core import ViewManager
from trame_slicer.rca_view import RemoteViewFactory
from trame_slicer.views import NoScheduleRendering, SliceView, ThreeDView, ViewType

from cmcseg.web.calls import mouse_event

MOST_PIXELS = 3840 * 2160  # of one view
# The same as at rest: a coarser picture first would have each view drawn twice.
QUALITY = 90  # of a JPEG, while the picture changes


def register_views(
    server: Server, manager: ViewManager, resized: Callable, dress: Callable, hear: Callable
) -> None:
    """Let a view manager make our views.

    Args:
        server: of the page.
        manager: that is asked for views.
        resized: told when one gets another size.
        dress: lays out what stands on a slice view.
        hear: asked first, with a view, an event and the pixels of the view per pixel of the page;
            what it answers True to is not Slicer's.
    """
    for kind, view_type, dressed in (
        (SliceView, ViewType.SLICE_VIEW, dress),
        (ThreeDView, ViewType.THREE_D_VIEW, lambda *_told: None),
    ):
        factory = _ViewFactory(
            server,
            _maker(kind, resized),
            view_type,
            populate_view_ui_f=dressed,
            interactive_quality=QUALITY,
        )
        factory.first = hear
        manager.register_factory(factory)


def _maker(kind: type[SliceView | ThreeDView], resized: Callable) -> Callable:
    """What makes a view: not drawn until it is complete, nor with eight samples a pixel.

    Without a GPU, the samples alone make a slice three times as slow.
    """

    def made(**given: object) -> SliceView | ThreeDView:
        view = kind(scheduled_render_strategy=NoScheduleRendering(), **given)
        view.render_window().SetMultiSamples(0)
        view.interactor().AddObserver(vtk.vtkCommand.WindowResizeEvent, resized)
        return view

    return made


class _ViewFactory(RemoteViewFactory):
    """Views that hear the mouse alone, and whose pictures stay as large as a screen.

    A window of a million pixels ends VTK.
    """

    first: Callable

    def _create_view(self, *given: object) -> object:
        made = super()._create_view(*given)
        adapter = made.view_adapter
        adapter.max_pixel_count = MOST_PIXELS
        resize = adapter.update_size
        adapter.update_size = lambda origin, size: resize(origin, on_screen(size))
        hear = adapter.on_interaction

        def heard(origin: object, event: object) -> None:
            ours = mouse_event(event)
            if ours and not self.first(made.slicer_view, ours, adapter.scale_factor):
                hear(origin, ours)

        adapter.on_interaction = heard
        return made


def on_screen(size: object) -> dict[str, float]:
    """Width, height and pixel ratio that a page asked for, within what a screen has."""

    def within(key: str, low: float, high: float, other: float) -> float:
        value = size.get(key) if isinstance(size, dict) else None
        known = isinstance(value, int | float) and math.isfinite(value)
        return min(max(value, low), high) if known else other

    return {
        "w": within("w", 10, 4096, 300),
        "h": within("h", 10, 4096, 300),
        "p": within("p", 0.5, 3, 1),
    }
