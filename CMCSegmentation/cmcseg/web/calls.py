"""What a page may ask for over its websocket, checked before anything behind it hears of it.

wslink and trame answer every call that anybody has registered: ending the server, running its own
start once more, replacing the page that the next visitor gets. Only the calls of our page are left,
each with values of the kinds that it sends; anything else is passed over. The messages themselves
are bounded too: wslink would claim 4 GB on the word of a header of 12 bytes.
"""

import inspect
from collections.abc import Callable

from wslink import protocol
from wslink.chunking import HEADER_LENGTH, StreamUnChunker

MOST_MESSAGE = 1 << 20  # bytes; what a page says is small, scans come another way
MOST_PENDING = 4  # messages that may be half there at once
MOST_CHANGES, MOST_TEXT = 256, 100_000  # of one update
LIFE = ("client_connected", "client_mounted", "client_unmounted", "client_exited")
# trame's own variables hold the page's templates and scripts.
PRIVATE = "trame__"
FAR = 1e5  # pixels and turns of a wheel; no screen is as wide
MOUSE = frozenset(
    (
        *("MouseMove", "MouseEnter", "MouseLeave"),
        *("StartMouseWheel", "MouseWheel", "EndMouseWheel"),
        *(
            f"{button}Button{way}"
            for button in ("Left", "Middle", "Right")
            for way in ("Press", "Release")
        ),
    )
)
NUMBERS = ("x", "y", "w", "h", "spinX", "spinY")
SWITCHES = (
    *("ctrlKey", "controlKey", "altKey", "shiftKey", "metaKey"),
    *("buttonLeft", "buttonMiddle", "buttonRight"),
)
ACTIONS = ("down", "up")


def guard_calls(served: object, known: Callable[[str], bool]) -> None:
    """Leave a server the calls of our page alone. To be called when it is bound.

    Args:
        served: wslink's web server.
        known: whether the page has a variable of that name.
    """
    protocol.UnChunker = BoundedMessages
    for handler in served._ws_handlers:
        offered = handler.functionMap
        checks = {**CHECKS, "trame.state.update": lambda changes: are_changes(changes, known)}
        handler.functionMap = {
            name: (owner, _checked(call, checks[name]))
            for name, (owner, call) in offered.items()
            if name in checks
        }


class BoundedMessages(StreamUnChunker):
    """Puts messages together, of bounded number and size; what is no call at all is None."""

    def process_chunk(self, chunk: bytes) -> dict | None:
        """The call that a piece completes, or None."""
        if len(chunk) < HEADER_LENGTH:
            return None
        name, _, size = (int.from_bytes(chunk[at : at + 4], "little") for at in (0, 4, 8))
        if size > MOST_MESSAGE or len(chunk) - HEADER_LENGTH > MOST_MESSAGE:
            return None
        if name not in self.pending_messages and len(self.pending_messages) >= MOST_PENDING:
            self.release_pending_messages()
        try:
            message = super().process_chunk(chunk)
        except Exception:  # whatever a library makes of bytes of chance
            self.pending_messages.pop(name, None)
            return None
        return message if is_call(message) else None


def is_call(message: object) -> bool:
    """Whether a message has the shape of a call."""
    if not isinstance(message, dict):
        return False
    return (
        isinstance(message.get("id"), str)
        and isinstance(message.get("method"), str)
        and isinstance(message.get("args", []), list)
        and not message.get("kwargs")
    )


def are_changes(changes: object, known: Callable[[str], bool]) -> bool:
    """Whether an update is about variables that the page has, and not about trame's own."""
    return (
        isinstance(changes, list)
        and len(changes) <= MOST_CHANGES
        and all(
            isinstance(change, dict)
            and isinstance(key := change.get("key"), str)
            and not key.startswith(PRIVATE)
            and known(key)
            and is_plain(change.get("value"))
            for change in changes
        )
    )


def is_plain(value: object, depth: int = 4) -> bool:
    """Whether a value is small and of the kinds that JSON knows, NaN among them."""
    if isinstance(value, str):
        return len(value) <= MOST_TEXT
    if value is None or isinstance(value, bool | int | float):
        return True
    if isinstance(value, dict):
        inner = [*value, *value.values()]
    elif isinstance(value, list):
        inner = value
    else:
        return False
    return depth > 0 and len(inner) <= MOST_CHANGES and all(is_plain(v, depth - 1) for v in inner)


def mouse_event(event: object) -> dict | None:
    """What a view may hear of an event: the mouse, in finite numbers; None for anything else.

    VTK ends the program when it cannot read an event, and at some keys.
    """
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        return None
    if event["type"] not in MOUSE:
        return None
    numbers = {name: event[name] for name in NUMBERS if name in event}
    switches = {name: event[name] for name in SWITCHES if name in event}
    if not all(map(_is_near, numbers.values())):
        return None
    if not all(type(value) is bool or value in (0, 1) for value in switches.values()):
        return None
    if event.get("action", "up") not in ACTIONS:
        return None
    action = {name: event[name] for name in ("action",) if name in event}
    return {"type": event["type"], **action, **numbers, **switches}


def _is_near(value: object) -> bool:
    return type(value) in (int, float) and abs(value) <= FAR  # NaN is not


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MOST_TEXT


CHECKS: dict[str, Callable[..., bool]] = {
    "trame.lifecycle.update": lambda name: name in LIFE,
    "trame.state.get": lambda: True,
    "trame.trigger": lambda name, args, kwargs: (
        _is_text(name) and isinstance(args, list) and is_plain(args) and kwargs in (None, {})
    ),
    "trame.rca.size": lambda area, origin, size: (
        _is_text(area) and _is_text(origin) and is_plain(size)
    ),
    "trame.rca.event": lambda area, origin, event: (
        _is_text(area) and _is_text(origin) and mouse_event(event) is not None
    ),
}


def _checked(call: Callable, fits: Callable[..., bool]) -> Callable:
    """A call that does nothing when it comes with other values than our page sends."""

    def checked(owner: object, *values: object) -> object:
        try:
            good = len(values) == len(inspect.signature(fits).parameters) and fits(*values)
        except TypeError:  # something that cannot be compared or looked up
            good = False
        return call(owner, *values) if good else None

    return checked
