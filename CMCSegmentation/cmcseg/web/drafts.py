"""What the user has drawn, kept on disk every few seconds, so that no closed tab loses it."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import RLock

from cmcseg.core.atomic_write import atomic_path
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.messages import (
    Message,
    prediction_from_message,
    prediction_to_message,
    read_message,
    write_message,
)
from cmcseg.core.prediction import Prediction
from cmcseg.web.folder import Folder, filed

FOUND, DRAWN = "found.npz", "drawn.npz"
NOT_KEPT = (
    "What you have drawn could not be kept: {why}. Make room; it is tried again in a few seconds."
)


class Drafts:
    """One draft per case: what the model found, and what the user made of it.

    It may be written from any thread: one writes at a time.

    Args:
        folder: of the app.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._lock = RLock()

    def place(self, case: str) -> Path:
        """Where the draft of a case lies."""
        return self._folder.own("drafts", filed(case))

    def cases(self) -> set[str]:
        """The cases that have one, by the names that ``filed`` gives them."""
        root = self._folder.own("drafts")
        return {path.parent.name for path in root.glob(f"*/{DRAWN}")} if root.exists() else set()

    def keep_found(self, case: str, prediction: Prediction) -> None:
        """Keep what the model found; any earlier drawing of the case, and finding, is dropped.

        It goes first: on a full disk no drawing may be kept over what was found before.

        Raises:
            BadInput: when the disk is full or the folder cannot be written.
        """
        with self._lock:
            self.drop(case)
            with suppress(OSError):
                (self.place(case) / FOUND).unlink(missing_ok=True)
            self._write(case, FOUND, prediction_to_message(prediction, {}))

    def keep(
        self,
        case: str,
        prediction: Prediction,
        labels: dict[str, LabelMap],
        unless: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Keep a drawing, with what the model found when that is not there yet; whether it was.

        Args:
            case: whose.
            prediction: what the model found.
            labels: the organs by role as they are drawn now.
            unless: asked when it is this one's turn; the draft may have been dropped meanwhile, or
                a newer one kept.

        Raises:
            BadInput: when the disk is full or the folder cannot be written.
        """
        with self._lock:
            if unless():
                return False
            if not self.has_found(case):
                self.keep_found(case, prediction)
            self.keep_drawn(case, labels)
            return True

    def has_found(self, case: str) -> bool:
        """Whether that was kept; on a full disk it was not."""
        return (self.place(case) / FOUND).exists()

    def keep_drawn(self, case: str, labels: dict[str, LabelMap]) -> None:
        """Keep the organs by role as they are drawn now.

        Raises:
            BadInput: when the disk is full or the folder cannot be written.
        """
        self._write(case, DRAWN, Message(verb="draft", label_maps=labels))

    def open(self, case: str) -> tuple[Prediction, dict[str, LabelMap]] | None:
        """What was kept of a case, or None.

        Raises:
            BadInput: when it is damaged.
        """
        place = self.place(case)
        if not (place / DRAWN).exists() or not (place / FOUND).exists():
            return None
        try:
            found = prediction_from_message(read_message(place / FOUND))
            return found, dict(read_message(place / DRAWN).label_maps)
        except (ValueError, KeyError) as error:
            raise BadInput(f"The draft of {case} is damaged and was left where it is.") from error

    def drop(self, case: str) -> None:
        """Forget what was drawn; what the model found stays, as it may be drawn on again."""
        # Where nothing can be deleted, it is offered once more.
        with self._lock, suppress(OSError):
            (self.place(case) / DRAWN).unlink(missing_ok=True)

    def _write(self, case: str, name: str, message: Message) -> None:
        try:
            place = self._folder.make("drafts", filed(case))
        except OSError as error:
            raise BadInput(NOT_KEPT.replace("{why}", str(error.strerror))) from error
        with atomic_path(place / name, NOT_KEPT) as part:
            write_message(message, part)
