"""A list of listeners, without Qt: the sessions speak to both hosts through it."""

from collections.abc import Callable


class Signal:
    """Call every connected function, in the order in which they were connected.

    The functions run in the caller's thread; a host that needs another thread
    wraps the function before it connects it.
    """

    def __init__(self) -> None:
        self._listeners: list[Callable[..., None]] = []

    def connect(self, listener: Callable[..., None]) -> None:
        """Add a listener; connecting it twice calls it twice."""
        self._listeners.append(listener)

    def disconnect(self, listener: Callable[..., None]) -> None:
        """Remove a listener; raises ValueError when it was never connected."""
        self._listeners.remove(listener)

    def emit(self, *values: object) -> None:
        """Tell everyone; a listener may disconnect itself meanwhile."""
        for listener in list(self._listeners):
            listener(*values)
