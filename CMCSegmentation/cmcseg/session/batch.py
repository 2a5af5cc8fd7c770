"""Many pairs, one after the other: for scripts, and for a long night."""

from dataclasses import dataclass

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Progress
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.signal import Signal
from cmcseg.session.i18n import _
from cmcseg.session.ports import Runner, ScanInfo, Scene
from cmcseg.session.result import Result
from cmcseg.session.role_guess import guess_roles
from cmcseg.session.segment_job import SegmentJob


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchItem:
    """What became of one pair.

    Attributes:
        scans: key of the scan by role.
        result: what lies in the scene now, or None.
        trouble: one sentence saying why there is no result, or empty.
    """

    scans: dict[str, str]
    result: Result | None = None
    trouble: str = ""


class Batch:
    """Segment pair after pair; a pair that fails does not stop the others.

    Args:
        scene: where scans are read from and results are written to.
        runner: where the work is done.

    Attributes:
        progressed: ``(Progress)`` of all pairs.
        finished: ``(items)``, one ``BatchItem`` per pair that was tried, in their order.
        cancelled: ``(items)`` of the pairs that were done before.
        items: the same, so far.
    """

    def __init__(self, scene: Scene, runner: Runner) -> None:
        self.progressed = Signal()
        self.finished = Signal()
        self.cancelled = Signal()
        self.items: list[BatchItem] = []
        self._scene, self._runner = scene, runner
        self._job: SegmentJob | None = None
        self._waiting: list[dict[str, str]] = []
        self._count = 0

    def start(
        self,
        pairs: list[dict[str, str]],
        card: ModelCard,
        settings: SegmentSettings | None = None,
    ) -> None:
        """Begin; ``finished`` or ``cancelled`` follows while the runner is pumped.

        Args:
            pairs: key of the scan by role, for each pair.
            card: of the model.
            settings: how to segment.

        Raises:
            BadInput: when there is no pair, or a batch is running.
        """
        if self._job:
            raise BadInput(_("A batch is running; wait for it, or cancel it."))
        if not pairs:
            sentence = _("No scan suits the model {title}; load scans, or choose them.")
            raise BadInput(sentence.format(title=card.title))
        self.items, self._waiting, self._count = [], list(pairs), len(pairs)
        self._card, self._settings = card, settings or SegmentSettings()
        self._known: dict[str, float] = {}  # see ``Pace``
        self._scene.removed.connect(self._on_removed)
        self._scene.closed.connect(self._on_closed)
        self._next()

    def cancel(self) -> None:
        """Stop after what is done; the results so far stay."""
        self._waiting.clear()
        if self._job:
            self._job.cancel()

    def _next(self) -> None:
        if not self._waiting:
            self._leave()
            self.finished.emit(self.items)
            return
        scans = self._waiting.pop(0)
        self._job = SegmentJob(
            self._scene,
            self._runner,
            card=self._card,
            scans=scans,
            settings=self._settings,
            known=self._known,
            progressed=self._on_progress,
            finished=lambda result: self._done(BatchItem(scans=scans, result=result)),
            failed=lambda sentence, _: self._done(BatchItem(scans=scans, trouble=sentence)),
            cancelled=self._on_cancelled,
        )
        self._job.begin()

    def _done(self, item: BatchItem) -> None:
        self.items.append(item)
        self._next()

    def _on_progress(self, progress: Progress) -> None:
        done = len(self.items)
        stage = _("{number} of {count}: {stage}")
        self.progressed.emit(
            Progress(
                stage=stage.format(number=done + 1, count=self._count, stage=progress.stage),
                done=done + progress.fraction,
                total=self._count,
            )
        )

    def _on_cancelled(self) -> None:
        self._leave()
        self.cancelled.emit(self.items)

    def _on_removed(self, key: str) -> None:
        if self._job:
            self._job.lost(key)

    def _on_closed(self) -> None:
        self._waiting.clear()
        if self._job:
            self._job.closed()

    def _leave(self) -> None:
        self._job = None
        self._scene.removed.disconnect(self._on_removed)
        self._scene.closed.disconnect(self._on_closed)


def pairs_of(scans: tuple[ScanInfo, ...], card: ModelCard) -> list[dict[str, str]]:
    """The pairs of a scene: the scans of each patient that suit the model's roles best.

    Scans that no patient is known of belong together.
    """
    patients = dict.fromkeys(scan.patient for scan in scans)
    groups = [tuple(s for s in scans if s.patient == patient) for patient in patients]
    return [pair for group in groups if (pair := guess_roles(group, card))]
