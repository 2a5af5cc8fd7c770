"""A map laid over its own scan in the slice views; what lay there before comes back."""

import slicer


class Overlay:
    """The foreground of some slice views, for a while."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[str, float]] = {}  # by ID of the composite node
        self._maps: tuple[str, ...] = ()

    def show(self, maps: dict[str, str], opacity: float = 0.5) -> None:
        """Lay maps over scans; node ID of the map by that of its scan."""
        self.hide()
        self._maps = tuple(maps.values())
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            overlay = maps.get(composite.GetBackgroundVolumeID())
            if overlay:
                before = composite.GetForegroundVolumeID(), composite.GetForegroundOpacity()
                self._before[composite.GetID()] = before
                composite.SetForegroundVolumeID(overlay)
                composite.SetForegroundOpacity(opacity)

    def hide(self) -> None:
        """Put back what lay there before, unless the user has laid something else there."""
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            volume, opacity = self._before.get(composite.GetID(), (None, 0.0))
            if composite.GetID() in self._before and composite.GetForegroundVolumeID() in (
                *self._maps,
                None,
            ):
                composite.SetForegroundVolumeID(volume)
                composite.SetForegroundOpacity(opacity)
        self._before, self._maps = {}, ()
