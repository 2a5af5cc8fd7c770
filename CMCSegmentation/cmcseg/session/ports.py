"""What a session asks of its surroundings: a scene, a runner and a queue.

Everything here is called on the host's main thread, and every signal and callback arrives
there: hosts call ``Runner.pump`` from a timer of their own, 20 times a second or so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.mark import TakenMark
from cmcseg.core.messages import Message
from cmcseg.core.prediction import Alignment
from cmcseg.core.progress import Progress
from cmcseg.core.signal import Signal
from cmcseg.core.steps import Steps
from cmcseg.core.volume import Volume


@dataclass(frozen=True, kw_only=True)
class ScanInfo:
    """A volume of the scene, as a list shows it.

    Attributes:
        key: how the scene calls it (a MRML node ID).
        name: what the user reads.
        modality: DICOM modality ("CT", "MR"), else empty.
        series: DICOM series description, else empty.
        patient: tells patients of the scene apart; no name, no number of the hospital's. May be
            empty.
        refusal: one sentence saying why it cannot be segmented, else empty.
        note: one sentence saying what to know of how it was loaded, else empty.
        dark: the 5th percentile of a sample of its values.
        images: UIDs of the DICOM images that it was loaded from, where they are known.
    """

    key: str
    name: str
    modality: str = ""
    series: str = ""
    patient: str = ""
    refusal: str = ""
    note: str = ""
    dark: float = 0.0
    images: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """What is written into the scene beside one scan.

    Attributes:
        labels: the organs, on the grid that ``Scene.reading`` gave.
        doubt: 0 (sure) to 1, on the same grid.
        disagreement: how far the two scans contradict each other there, 0 to 1; None for one scan.
        made: ``model``, ``version``, ``sha256`` and ``alignment`` of the prediction, JSON-ready; it
            is saved with the scene.
        drawn: the organs as the user left them, where the finding was restored.
    """

    labels: LabelMap
    doubt: Volume
    disagreement: Volume | None = None
    made: dict = field(default_factory=dict)
    drawn: LabelMap | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Edit:
    """A box of a scan's organs that was drawn on.

    Attributes:
        key: of the scan.
        low: the box's first voxel on the scan's own grid.
        before, after: ``(I, J, K)`` uint8, the organs' values.
        warped: whether a transform bends the scan, so that its own grid is not that of ``reading``.
    """

    key: str
    low: tuple[int, int, int]
    before: np.ndarray
    after: np.ndarray
    warped: bool = False

    @property
    def where(self) -> tuple[slice, slice, slice]:
        """The box as an index."""
        a, b, c = (
            slice(first, first + n) for first, n in zip(self.low, self.after.shape, strict=True)
        )
        return a, b, c


class History(Protocol):
    """One history of all that is drawn in a review; ``mrml.undo_history.History`` keeps it."""

    can_undo: bool
    can_redo: bool

    def begin(self, keys: list[str]) -> None:
        """What is drawn beside these scans now is the start; earlier steps are forgotten."""

    def clear(self) -> None:
        """Forget everything."""

    def take(self) -> tuple[Edit, ...]:
        """What was drawn since the last call, one step; empty when nothing was."""

    def undo(self) -> tuple[Edit, ...]:
        """Take the last step back; what that changed."""

    def redo(self) -> tuple[Edit, ...]:
        """Do it again; what that changed."""


class Scene(Protocol):
    """The user's data. ``mrml.scene.MrmlScene`` is the one of Slicer and of the browser.

    Readers and writers are generators, as a warped scan takes longer than a window may stand
    still: every ``next`` works for some 20 ms; what is asked for is returned in the end.
    """

    changed: Signal  # (): volumes came, went, were moved or renamed; may come in bursts
    removed: Signal  # (key): a volume or a segmentation was deleted
    closed: Signal  # (): everything was deleted at once

    def scans(self) -> tuple[ScanInfo, ...]:
        """All volumes, those that cannot be segmented with their reason."""

    def grid(self, key: str) -> Grid:
        """Where a scan's voxels lie in the world, its parent transforms applied."""

    def reading(self, key: str) -> Steps[Volume]:
        """The scan in world coordinates, its parent transforms applied."""

    def writing(self, key: str, finding: Finding) -> Steps[str]:
        """Put a result beside its scan; returns the segmentation's key.

        A segmentation that an earlier call made for this scan is updated, with one undo
        checkpoint before; it is never replaced.
        """

    def put(self, volume: Volume, name: str, beside: str, images: Sequence[str]) -> str:
        """Add a scan that was read elsewhere; returns its key.

        Args:
            volume: the scan, its array in Fortran order.
            name: what a list shows.
            beside: key of a scan of the same study, which may be gone.
            images: UIDs of the DICOM images that it was read from.
        """

    def reading_labels(self, key: str) -> Steps[LabelMap]:
        """The organs beside a scan as the user sees them now, on the grid of ``reading``."""

    def restoring(self, key: str) -> Steps[Finding]:
        """What an earlier ``writing`` put beside a scan, and its organs as they are drawn now."""

    def writing_organs(self, key: str, masks: dict[str, np.ndarray]) -> Steps[str]:
        """Replace organs beside a scan, with one undo checkpoint before.

        Args:
            key: of the scan.
            masks: by name of the organ, bool, on the grid of ``reading``; voxels of other organs
                that a mask covers become that organ's.
        """

    def segmentation(self, key: str) -> str:
        """Key of the segmentation beside a scan, or empty."""

    def outline(self, key: str, organ: LabelMap | None) -> None:
        """Show an organ as it is proposed, as an outline over a scan; None takes it away.

        Args:
            key: of the scan.
            organ: the organ alone, on any grid of the scan's world.
        """

    def jump(self, point: np.ndarray) -> None:
        """Centre all slice views on an RAS point in mm."""


def volumes_of(scene: Scene, scans: dict[str, str]) -> Steps[dict[str, Volume]]:
    """Read several scans in small steps; returns the volumes by role."""
    volumes = {}
    for role, key in scans.items():
        volumes[role] = yield from scene.reading(key)
    return volumes


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who is told what becomes of a request; each is called on the main thread.

    Attributes:
        progressed: more was done.
        finished: the answer is here.
        failed: one sentence for the user, and the path of the log (or empty).
        cancelled: it was stopped; nothing is left.
    """

    finished: Callable[[Message], None]
    failed: Callable[[str, str], object]
    progressed: Callable[[Progress], None] = lambda progress: None  # noqa: ARG005
    cancelled: Callable[[], object] = lambda: None


class Runner(Protocol):
    """Where the work is done. Requests wait in line; one runs at a time."""

    def start(self, request: Message, listener: Listener) -> int:
        """Put a request in line; returns its number. Never blocks."""

    def steps(
        self,
        work: Steps,
        done: Callable[..., object],
        failed: Callable[[str, str], object],
    ) -> None:
        """Drive a generator of the scene, some milliseconds per ``pump``; tell what it returns."""

    def aside(
        self,
        work: Callable[[], object],
        done: Callable[..., object],
        failed: Callable[[str, str], object],
    ) -> None:
        """Run pure numpy or file work off the main thread; it must not touch the scene."""

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call a function after a pause, at a ``pump``; for what waits until a user pauses."""

    def cancel(self, job: int) -> None:
        """Stop a request, running or waiting; ``cancelled`` follows within a second."""

    def pump(self) -> None:
        """Deliver what has happened since the last call; takes well under 50 ms."""

    def close(self) -> None:
        """End everything, the worker's whole process tree included."""

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a user changed in one organ of one scan.

    Attributes:
        role, organ: which.
        added_ml, removed_ml: how much.
        slices: how many slices along the scan's last axis are touched.
    """

    role: str
    organ: str
    added_ml: float
    removed_ml: float
    slices: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Correction:
    """A pair that a user looked through and accepted, on its way to the queue.

    Attributes:
        pair: a study-local id; never a patient's name, number or date. Empty: the queue chooses.
        volumes: the scans by role.
        corrected: the organs by role as the user left them.
        found: the organs by role as the model gave them.
        model, version, sha256: who gave them.
        alignment: how the scans lay to each other; None for a single scan.
        changes: what differs, organ by organ.
        seconds: from showing the result to accepting it.
        who, notes: in the user's words, may be empty.
        strokes: the marks whose proposals were taken, oldest first.
    """

    volumes: dict[str, Volume]
    corrected: dict[str, LabelMap]
    found: dict[str, LabelMap]
    model: str
    version: str
    sha256: str
    pair: str = ""
    alignment: Alignment | None = None
    changes: tuple[Change, ...] = ()
    seconds: float = 0.0
    who: str = ""
    notes: str = ""
    strokes: tuple[TakenMark, ...] = ()


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """One line of the queue's table."""

    id: str
    pair: str = ""
    at: str = ""
    who: str = ""
    status: str = ""
    summary: str = ""
    facts: dict = field(default_factory=dict)


class Queue(Protocol):
    """Where accepted pairs wait to be learned from."""

    @property
    def place(self) -> dict[str, str]:
        """What a request to the worker must say to be about this queue."""

    def add(self, correction: Correction, listener: Listener) -> None:
        """Keep a correction; the answer's values hold ``id``."""

    def list(self, model: str, listener: Listener) -> None:
        """Ask for the table.

        The answer's values hold ``entries``, each the fields of a ``QueueRow``, newest last, and
        ``new``: how many of them ``model`` has not learned from.
        """
