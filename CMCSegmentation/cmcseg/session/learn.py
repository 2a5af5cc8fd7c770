"""Step 5 of the page: the queue, fine-tuning, the verdict, and which model is in use.

idle -> fine-tuning -> verdict -> adopted | kept
"""

import math
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.core.progress import Progress
from cmcseg.core.sequential_test import expectation
from cmcseg.core.signal import Signal
from cmcseg.session.i18n import _
from cmcseg.session.ports import Listener, Queue, QueueRow, Runner
from cmcseg.session.stage import LearnStage
from cmcseg.session.verdict import is_against, is_made


class LearnSession:
    """What the last step of the page can do. Called, and answering, on the host's main thread.

    Args:
        runner: where the work is done.
        queue: the corrected pairs; None when there is none.

    Attributes:
        changed: ``()`` anything that is shown may differ now.
        started, cancelled: ``()``.
        progressed: ``(Progress)``.
        finished: ``(verdict)``, the dictionary described below.
        failed: ``(sentence, log path or "")``.
        compared: ``(Message)`` of ``look_at``: scans by role, and label maps "old ROLE", "new ROLE"
            and "drawn ROLE".
        removed, restored: ``(entry)`` that was taken out of the queue, or brought back.
        opened: ``(Message)`` of ``open_entry``: scans by role, label maps "corrected ROLE" and
            "found ROLE".
        exported: ``(path)`` of an archive.
        switched: ``(name)`` of a model that was adopted or rolled back; load the models anew.
        kept_beside: ``(title)`` of a model of a site's own; load the models anew.
        stage: where the fine-tuning is.
        rows: the queue's table, newest last.
        taken_out: entries that can be restored, the last one first.
        called: what a host calls a pair, by its id; others are told by their number.
        hindrance: one sentence while the host has the runner do something else, or empty.
        new: pairs that came since the model was made.
        judged: gains of the pairs that were judged for this model, and how many are next.
        curve: ``(share done, measures)`` of the fine-tuning that runs or ran last.
        verdict: ``{"verdict": "adopt" | "keep" | "insufficient", "organs": {...},
            "reason": "..."}`` of the last fine-tuning, or empty.
        run: where the last fine-tuning lies.
        looking: the pair about which both models are asked just now, or empty.
        history: the model's versions, newest last, as ``load_history`` found them.
    """

    def __init__(self, runner: Runner, queue: Queue | None = None) -> None:
        self.changed = Signal()
        self.started = Signal()
        self.progressed = Signal()
        self.finished = Signal()
        self.failed = Signal()
        self.cancelled = Signal()
        self.compared = Signal()
        self.switched, self.kept_beside = Signal(), Signal()
        self.removed, self.restored = Signal(), Signal()
        self.opened, self.exported = Signal(), Signal()
        self.taken_out: tuple[str, ...] = ()
        self.called: dict[str, str] = {}
        self.hindrance = ""
        self._asked = ""  # the model that the queue was counted for
        self.stage = LearnStage.IDLE
        self.rows: tuple[QueueRow, ...] = ()
        self.judged: dict = {}
        self.new = 0
        self.curve: list[tuple[float, dict[str, float]]] = []
        self.verdict: dict = {}
        self.run = ""
        self.looking = ""
        self.history: tuple[dict, ...] = ()
        self.runner, self.queue = runner, queue
        self._model = ""
        self._job = 0

    def load_queue(self, model: str = "") -> None:
        """Ask for the queue's table; ``changed`` follows.

        Args:
            model: whose unlearned pairs are counted in ``new``; of no model, all are.
        """
        self._asked = model
        if self.queue is None:
            self.rows, self.new = (), 0
            self.changed.emit()
            return

        def finished(answer: Message) -> None:
            self.rows = tuple(QueueRow(**row) for row in answer.values["entries"])
            self.new = int(answer.values["new"])
            self.judged = dict(answer.values.get("judged", {}))
            self.taken_out = tuple(answer.values.get("taken_out", ()))
            self.changed.emit()

        self.queue.list(model, Listener(finished=finished, failed=self.failed.emit))

    def remove_entry(self, entry: str) -> None:
        """Take an entry out of the queue; ``removed`` follows, and it can be restored."""

        def finished(_answer: Message) -> None:
            self.removed.emit(entry)
            self.load_queue(self._asked)

        self._ask(self._about("queue-remove", entry), finished)

    def restore_entry(self, entry: str) -> None:
        """Bring back an entry that was removed."""

        def finished(_answer: Message) -> None:
            self.restored.emit(entry)
            self.load_queue(self._asked)

        self._ask(self._about("queue-restore", entry), finished)

    def open_entry(self, entry: str) -> None:
        """Ask for what an entry holds; ``opened`` follows."""
        self._ask(self._about("queue-open", entry), self.opened.emit)

    def export(self, path: Path) -> None:
        """Write the newest revision of every pair into a zip archive; ``exported`` follows."""
        request = self._about("queue-export", "")
        request.values["path"] = str(path.absolute())  # the worker lives in another folder
        self._ask(request, lambda answer: self.exported.emit(answer.values["path"]))

    def _about(self, verb: str, entry: str) -> Message:
        if self.queue is None:
            raise BadInput(_("No folder for the queue is chosen; choose one."))
        return Message(verb=verb, values={**self.queue.place, "id": entry})

    def load_history(self, model: str) -> None:
        """Ask for a model's versions; ``changed`` follows."""

        def finished(answer: Message) -> None:
            self.history = tuple(answer.values["history"])
            self.changed.emit()

        self._ask(Message(verb="history", values={"model": model}), finished)

    @property
    def before(self) -> dict | None:
        """The version that ``roll_back`` would go back to, as ``load_history`` found it."""
        at = next((n for n, version in enumerate(self.history) if version["in_use"]), 0)
        whole = [version for version in reversed(self.history[:at]) if not version["damage"]]
        parents = [v for v in whole if v["sha256"] == self.history[at]["parent"]]
        return next(iter(parents or whole), None)

    def title(self, pair: str) -> str:
        """What a reader calls a pair or an entry of the queue; its id is drawn at random."""
        rows = enumerate(self.rows, 1)
        number, row = next(((n, row) for n, row in rows if pair in (row.pair, row.id)), (0, None))
        if row is None:
            return self.called.get(pair.rpartition(".r")[0] or pair, _("a pair"))
        return self.called.get(row.pair) or _("pair {}").format(number)

    def why_not(self) -> str:
        """One sentence saying why fine-tuning cannot start, or empty when it can."""
        if self.stage is LearnStage.FINE_TUNING:
            return _("A fine-tuning is running; wait for it, or cancel it.")
        if self.hindrance:
            return self.hindrance
        if self.queue is None:
            return _("No folder for the queue is chosen; choose one.")
        return "" if self.rows else _("The queue is empty; accept a corrected pair first.")

    def expectation(self) -> str:
        """What a fine-tuning could show now, in a sentence; empty while that is not known."""
        if not self.judged:
            return ""
        found = expectation(self.judged["gains"], self.judged["coming"])
        if found.change is None:
            one = _("One more corrected pair is needed before anything can be shown.")
            several = _("{more} more corrected pairs are needed before anything can be shown.")
            return (one if found.more == 1 else several).format(more=found.more)
        change, then = (-math.expm1(-gain) for gain in (found.change, found.then))
        told = _(
            "With {cases} pairs compared, {change:.0%} less error can be shown; {more} more would "
            "show {then:.0%}."
        )
        return told.format(cases=found.cases, change=change, more=found.more, then=then)

    def fine_tune(
        self, model: str, minutes: float = 10.0, device: str = "auto", folder: str = ""
    ) -> None:
        """Learn from the queue for some minutes, then compare with the model in use.

        Args:
            model: name of the model to start from.
            minutes: the budget.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
            folder: of scans that nobody has labelled, to rehearse on; none when empty.

        Raises:
            BadInput: with the sentence of ``why_not``, or for a budget that is not positive.
        """
        if reason := self.why_not():
            raise BadInput(reason)
        if not minutes > 0:
            told = _("{minutes} minutes are no time to learn; give a positive number.")
            raise BadInput(told.format(minutes=minutes))
        self.stage, self.curve, self.verdict, self._model = LearnStage.FINE_TUNING, [], {}, model
        assert self.queue  # ``why_not`` has seen to it
        values = {**self.queue.place, "model": model, "minutes": minutes, "device": device}
        values |= {"folder": folder} if folder else {}
        self._job = self.runner.start(
            Message(verb="finetune", values=values),
            Listener(
                progressed=self._on_progress,
                finished=self._on_finished,
                failed=self._on_failed,
                cancelled=self._on_cancelled,
            ),
        )
        self.started.emit()
        self.changed.emit()

    def cancel(self) -> None:
        """Stop the fine-tuning that runs, if any; ``cancelled`` follows within a second."""
        if self.stage is LearnStage.FINE_TUNING:
            self.runner.cancel(self._job)

    def changed_most(self) -> dict[str, float]:
        """The pairs kept back by how much they changed, most first, with their change of Dice."""
        return dict(self.verdict.get("cases", {}))

    def look_at(self, case: str, device: str = "auto") -> None:
        """Ask what the old and the new model say about a pair kept back; ``compared`` follows.

        Args:
            case: one of ``changed_most``.
            device: as in ``fine_tune``.

        Raises:
            BadInput: when there is no verdict, or the pair was not compared on.
        """
        if self.stage is not LearnStage.VERDICT:
            raise BadInput(_("There are no two models to compare; press Fine-tune first."))
        if case not in self.changed_most():
            raise BadInput(_("The models were not compared on {case!r}.").format(case=case))
        place = self.queue.place if self.queue else {}
        values = {**place, "model": self._model, "run": self.run, "case": case}
        request = Message(verb="look-at-both", values={**values, "device": device})

        def over(*_why: str) -> None:
            self.looking = ""
            self.changed.emit()

        def finished(answer: Message) -> None:
            over()
            self.compared.emit(answer)

        def failed(sentence: str, log: str) -> None:
            over()
            self.failed.emit(sentence, log)

        self.looking = case
        listener = Listener(
            progressed=self.progressed.emit, finished=finished, failed=failed, cancelled=over
        )
        self.runner.start(request, listener)
        self.changed.emit()

    def adopt(self, overrule: str = "", beside: str | None = None) -> None:
        """Use the fine-tuned model from now on; ``switched`` or ``kept_beside`` follows.

        Args:
            overrule: a reason, needed and kept when the verdict is against it.
            beside: the site that it is kept for, beside the one in use.

        Raises:
            BadInput: when there is no verdict, or it is against and no reason is given.
        """
        if self.stage is not LearnStage.VERDICT:
            raise BadInput(_("There is no fine-tuned model to adopt; press Fine-tune first."))
        if not is_made(self.verdict):
            raise BadInput(_("No new model was made; go on with the one in use."))
        if is_against(self.verdict) and not overrule.strip():
            raise BadInput(
                _(
                    "The comparison does not speak for the new model; give a reason to adopt it "
                    "nevertheless, or keep the old one."
                )
            )
        values = {"model": self._model, "run": self.run, "overrule": overrule.strip()}
        values |= {} if beside is None else {"beside": beside.strip()}

        def finished(answer: Message) -> None:
            self.stage = LearnStage.ADOPTED if beside is None else LearnStage.KEPT
            self.verdict = {}
            self.changed.emit()
            if beside is None:
                self.switched.emit(self._model)
            else:
                self.kept_beside.emit(answer.values["title"])
            self.load_queue(self._model)

        self._ask(Message(verb="adopt", values=values), finished)

    def keep(self) -> None:
        """Go on with the old model; the fine-tuned one stays in its folder."""
        if self.stage is LearnStage.VERDICT:
            self.stage, self.verdict = LearnStage.KEPT, {}
            self.changed.emit()

    def roll_back(self, model: str, to: str = "") -> None:
        """Use the version before, or the one named ``to``, from now on; ``switched`` follows."""

        def finished(answer: Message) -> None:  # noqa: ARG001
            self.stage, self.verdict = LearnStage.IDLE, {}
            self.changed.emit()
            self.switched.emit(model)
            self.load_queue(model)

        self._ask(Message(verb="rollback", values={"model": model, "to": to}), finished)

    def _ask(self, request: Message, finished) -> None:  # noqa: ANN001
        self.runner.start(request, Listener(finished=finished, failed=self.failed.emit))

    def _on_progress(self, progress: Progress) -> None:
        if progress.measures:
            self.curve.append((progress.fraction, progress.measures))
        self.progressed.emit(progress)

    def _on_finished(self, answer: Message) -> None:
        self.stage = LearnStage.VERDICT
        self.run, self.verdict = answer.values["run"], answer.values["verdict"]
        self.finished.emit(self.verdict)
        self.changed.emit()

    def _on_failed(self, sentence: str, log: str) -> None:
        self.stage = LearnStage.IDLE
        self.failed.emit(sentence, log)
        self.changed.emit()

    def _on_cancelled(self) -> None:
        self.stage = LearnStage.IDLE
        self.cancelled.emit()
        self.changed.emit()
