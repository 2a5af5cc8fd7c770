"""Which views stand beside each other on the page."""

from __future__ import annotations

from trame_server import Server
from trame_slicer.core import LayoutManager, SlicerApp
from trame_slicer.views import Layout, LayoutDirection, SliceView, ViewLayoutDefinition

SLICES = ("First", "Second", "Third")
SOLID = "Solid"


class ViewLayouts:
    """Rows of views: one to three slices, with or without the organs in 3D, or a view alone.

    Args:
        server: of the page.
        app: Slicer's scene and views.
    """

    def __init__(self, server: Server, app: SlicerApp) -> None:
        self._app = app
        self._manager = LayoutManager(app.scene, app.view_manager, server)
        slices = [ViewLayoutDefinition.slice_view("Axial", label=tag) for tag in SLICES]
        solid = ViewLayoutDefinition.threed_view(name=SOLID)
        rows = {_name(n, in_3d=False): slices[:n] for n in (1, 2, 3)}
        rows |= {_name(n, in_3d=True): [*slices[:n], solid] for n in (1, 2, 3)}
        rows |= {_alone(n): [view] for n, view in enumerate(slices)}
        # All views are made now: the editor's tools fail in one that is made after them.
        self._manager.register_layout_dict(
            {name: Layout(LayoutDirection.Horizontal, views) for name, views in rows.items()}
        )
        self.arrange(2)

    def place(self, page: object) -> None:
        """Put the views where the page is being built."""
        self._manager.initialize_layout_grid(page)

    def arrange(self, count: int, *, in_3d: bool = False, alone: int | None = None) -> None:
        """Show so many slices; ``alone`` is the number of the one that fills the page."""
        self._manager.set_layout(_name(count, in_3d=in_3d) if alone is None else _alone(alone))

    def slice(self, number: int) -> SliceView:
        """One of the slice views."""
        return self._app.view_manager.get_view(SLICES[number])

    @property
    def solid(self) -> object:
        """The view of the organs in 3D."""
        return self._app.view_manager.get_view(SOLID)

    def draw(self) -> None:
        """Draw everything again; a new page has seen nothing yet."""
        for view in self._app.view_manager.get_views():
            view.schedule_render()


def _name(count: int, *, in_3d: bool) -> str:
    return f"{count} solid" if in_3d else str(count)


def _alone(number: int) -> str:
    return f"alone {number}"
