"""The keys of the review: on the panel and on the views, and nowhere else."""

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

FIRST_MS, NEXT_MS = 700, 150  # longest pauses before and between the repeats of a held key
ACCEPT = "Ctrl+Return"  # never a bare letter: what is accepted is learned from
PEEK = "Space"  # of the views alone; on the panel it presses the button that has the focus


class Keys:
    """Shortcuts that live while the focus is within the panel or the views.

    Elsewhere, in the Python console say, they do not exist. A line edit or a spin box within the
    panel takes what is typed before a shortcut hears of it.

    Args:
        panel, views: where they live; there are no views without a main window.
        calls: what each key does.
    """

    def __init__(
        self, panel: qt.QWidget, views: qt.QWidget | None, calls: dict[str, Callable]
    ) -> None:
        self._shortcuts = []
        for key, call in calls.items():
            for place in (panel, views):
                if place is None or (place is panel and key == PEEK):
                    continue
                shortcut = qt.QShortcut(qt.QKeySequence(key), place)
                shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
                shortcut.activated.connect(call)
                shortcut.setEnabled(False)
                self._shortcuts.append(shortcut)

    def enable(self, enabled: bool) -> None:
        """Listen, or leave the keys to others."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(enabled)

    def close(self) -> None:
        """Give the keys back: two live ones would be ambiguous after a reload."""
        self.enable(False)
        for shortcut in self._shortcuts:
            shortcut.deleteLater()
        self._shortcuts = []


class Peek:
    """Hides something while a key is held; Qt repeats a held key and tells of no release.

    Args:
        show: called with False when the key goes down, with True when its repeats end.
    """

    def __init__(self, show: Callable[[bool], None]) -> None:
        self._show = show
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(lambda: self._show(True))

    def press(self) -> None:
        """The key went down, or was repeated."""
        if self._timer.isActive():
            self._timer.start(NEXT_MS)
        else:
            self._show(False)
            self._timer.start(FIRST_MS)

    def close(self) -> None:
        """Show what is hidden."""
        if self._timer.isActive():
            self._timer.stop()
            self._show(True)


def list_of_keys() -> str:
    """What a user reads after pressing ``?``.

    Of Slicer's own keys one is taken, in its slice views while this module is shown: ``B``, one
    slice back. It is the brush in every host of ours, and the arrow keys go back as well.
    """
    return _(
        "N, P: next, previous doubt. 1 to 9: organ. B: brush (the arrow keys still go a slice "
        "back). E: erase. M, Shift+M: mark what is, what is not the organ; Enter takes what is "
        "proposed, Escape drops it. Z, Shift+Z: undo, redo. Space, held, over the views: hide the "
        "organs. Ctrl+Return: accept."
    )
