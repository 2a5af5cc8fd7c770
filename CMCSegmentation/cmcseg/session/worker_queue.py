"""The queue's folder, reached through the worker: writing scans would stop a window."""

from dataclasses import asdict
from pathlib import Path

from cmcseg.core.messages import Message
from cmcseg.session.i18n import _
from cmcseg.session.ports import Correction, Listener, Runner
from cmcseg.session.proposal import strokes_of


class WorkerQueue:
    """A folder of corrected pairs.

    Args:
        runner: writes and reads it.
        folder: where it lies; made when the first pair comes.
        within: a folder that must be there, and is not made again where its disk is gone.
    """

    def __init__(self, runner: Runner, folder: Path, within: Path | None = None) -> None:
        self._runner, self.folder = runner, Path(folder).absolute()  # a worker lives elsewhere
        self._within = within

    @property
    def place(self) -> dict[str, str]:
        """What a request must say to be about this queue."""
        return {"queue": str(self.folder)}

    def add(self, correction: Correction, listener: Listener) -> None:
        """Keep a correction; the answer's values hold ``id``."""
        if self._within and not self._within.is_dir():
            sentence = _("The folder {folder} is gone; put it back, and accept again.")
            listener.failed(sentence.format(folder=self._within), "")
            return
        alignment = correction.alignment
        values = {
            **self.place,
            "pair": correction.pair,
            "model": correction.model,
            "version": correction.version,
            "sha256": correction.sha256,
            "alignment": alignment.to_dict() if alignment else None,
            "changes": [asdict(change) for change in correction.changes],
            "seconds": correction.seconds,
            "who": correction.who,
            "notes": correction.notes,
            "strokes": [taken.record() for taken in correction.strokes],
        }
        corrected = {f"corrected {role}": item for role, item in correction.corrected.items()}
        found = {f"found {role}": item for role, item in correction.found.items()}
        drawn = {
            f"strokes {role}": strokes_of(role, correction.strokes, correction.corrected[role])
            for role in {taken.role for taken in correction.strokes if not taken.carried}
        }
        request = Message(
            verb="queue-add",
            values=values,
            volumes=correction.volumes,
            label_maps={**corrected, **found, **drawn},
        )
        self._runner.start(request, listener)

    def list(self, model: str, listener: Listener) -> None:
        """The answer's values hold ``entries``, newest last, and ``new``."""
        values = {**self.place, "model": model}
        self._runner.start(Message(verb="queue-list", values=values), listener)
