"""The keys of the review, alive only while the module is shown."""

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

FIRST_MS, NEXT_MS = 700, 150  # longest pauses before and between the repeats of a held key


class Keys:
    """Shortcuts of the main window.

    Args:
        parent: used where there is no main window.
        calls: what each key does.
    """

    def __init__(self, parent: qt.QWidget, calls: dict[str, Callable]) -> None:
        self._shortcuts = []
        for key, call in calls.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), slicer.util.mainWindow() or parent)
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
    """What a user reads after pressing ``?``."""
    return _(
        "N, P: next, previous doubt. A: accept. 1 to 9: organ. B: brush. E: erase. Z, Shift+Z: "
        "undo, redo. Space, held: hide the organs."
    )
