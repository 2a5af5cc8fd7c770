"""Smart correction: strokes, what they propose, and what is taken of it.

stroke -> look at the scan (once) -> propose -> shown as an outline -> taken or dropped
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.mark import Mark, TakenMark
from cmcseg.core.messages import Message
from cmcseg.core.signal import Signal
from cmcseg.session.drawn import reading_drawn, writing_drawn
from cmcseg.session.i18n import _
from cmcseg.session.pen import carried_mark, mark_of
from cmcseg.session.ports import Listener, Runner, Scene
from cmcseg.session.proposal import Proposal, cut_out, merged, refined
from cmcseg.session.result import Result
from cmcseg.session.review import ReviewSession

TRUSTED = 0.5  # confidence of an alignment; no mixed-up pair of docs/alignment.md reaches it
_names = itertools.count(1)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Stroke:
    """A stroke that waits for its turn."""

    role: str
    organ: str
    mark: Mark
    carried: bool = False


class MarkSession:
    """Strokes on the scans of a review. Called, and answering, on the host's main thread.

    Args:
        scene: where the result lies and proposals are shown.
        runner: asks the worker.
        review: whose result is corrected.

    Attributes:
        changed: ``()`` anything that is shown may differ now.
        failed: ``(sentence, log path or "")``; the result and older proposals stay.
        proposals: what can be taken, by role.
    """

    def __init__(self, scene: Scene, runner: Runner, review: ReviewSession) -> None:
        self.changed = Signal()
        self.failed = Signal()
        self.proposals: dict[str, Proposal] = {}
        self._scene, self._runner, self._review = scene, runner, review
        self._result: Result | None = None
        self._line: list[_Stroke] = []
        self._busy = self._writing = False
        self._looked: dict[str, str] = {}
        self._looking: dict[str, list[Callable[[], object]]] = {}  # what waits for each scan
        self._taken: dict[str, list[Mark]] = {}
        review.changed.connect(self._follow)

    def close(self) -> None:
        """Let go of the review."""
        self._review.changed.disconnect(self._follow)
        self._forget()

    @property
    def busy(self) -> bool:
        """Whether a stroke is still being thought about."""
        return self._busy or bool(self._line)

    @property
    def begun(self) -> bool:
        """Whether there is something to drop: proposals, or strokes on the way to them."""
        return bool(self.proposals or self._line)

    def sentence(self) -> str:
        """What the line beside the tool says."""
        if self.busy:
            ready = not self._line or self._line[0].role in self._looked
            return _("Working out the border...") if ready else _("Looking at the scan once...")
        if not self.proposals:
            return _("Draw along the middle of what is wrong.")
        parts = []
        for role, proposal in self.proposals.items():
            words = _("{organ} in the {title}")
            title = self._result.title(role) if self._result else role
            parts.append(words.format(organ=proposal.organ, title=title))
        return _("Proposed: {what}. Enter takes it, Escape drops it.").format(what=", ".join(parts))

    def prepare(self, role: str) -> None:
        """Let the worker look at a scan before its first stroke, so that this one is quick.

        Raises:
            BadInput: when there is no such scan.
        """
        result = self._ready(role)
        if role not in self._looked:
            self._look(result, role, lambda: None)

    def stroke(
        self,
        role: str,
        organ: str,
        points: np.ndarray,
        *,
        is_organ: bool = True,
        seconds: float = 0,
    ) -> None:
        """Take a stroke; ``changed`` or ``failed`` follows. Several wait in line.

        Args:
            role: of the scan it was drawn on.
            organ: its name.
            points: ``(n, 3)`` RAS in mm, in the order they were drawn.
            is_organ: "this is the organ"; else "this is not".
            seconds: how long the hand took.

        Raises:
            BadInput: when it can belong to no scan or organ, or lies outside.
        """
        result = self._ready(role)
        value, title = result.value(organ), result.title(role)
        grid = result.prediction.labels[role].grid
        mark = mark_of(points, grid, title, value, is_organ, seconds)
        self._line.append(_Stroke(role=role, organ=organ, mark=mark))
        self._next()

    def take(self, role: str = "") -> None:
        """Take what is proposed, in one scan or in all, as one step of undo in each.

        Raises:
            BadInput: when nothing is proposed, or something is not finished.
        """
        result = self._ready(role)
        wanted = [role] if role else list(self.proposals)
        if self.busy or self._writing or self._review.busy:
            raise BadInput(_("The last step is still being finished; try again in a moment."))
        if not wanted or not set(wanted) <= set(self.proposals):
            raise BadInput(_("Nothing is proposed; draw a stroke first."))
        self._writing = True
        taken = {role: self.proposals[role] for role in wanted}
        roles = {role: result.scans[role] for role in wanted}

        def read(drawn: dict[str, LabelMap]) -> None:
            self._runner.aside(lambda: sums(drawn), write, self._on_failed)

        def sums(drawn: dict[str, LabelMap]) -> dict[str, dict[str, np.ndarray]]:
            return {result.scans[r]: merged(taken[r], now) for r, now in drawn.items()}

        def write(masks: dict[str, dict[str, np.ndarray]]) -> None:
            if self._result is not result:
                return
            work = writing_drawn(self._scene, masks)
            self._runner.steps(work, written, self._on_failed)

        def written(_key: object) -> None:
            if self._result is not result:
                return
            for done, proposal in taken.items():
                marks = proposal.marks
                self._taken.setdefault(done, []).extend(stroke.mark for stroke in marks)
                self._review.strokes += marks
                if self.proposals.get(done) is proposal:
                    self._hide(done)
            self._writing = False
            self._review.edited()
            self.changed.emit()

        self._runner.steps(reading_drawn(self._scene, roles), read, self._on_failed)

    def drop(self, role: str = "") -> None:
        """Forget what is proposed, in one scan or in all, and the strokes that wait for an answer.

        Nothing of the result changes; what is being taken already is taken.
        """
        self._line = [stroke for stroke in self._line if role and stroke.role != role]
        for dropped in [role] if role else list(self.proposals):
            self._hide(dropped)
        self.changed.emit()

    # Private

    def _ready(self, role: str) -> Result:
        self._follow()
        if self._result is None:
            raise BadInput(_("There is no result to correct; segment a scan first."))
        if role and role not in self._result.scans:
            raise BadInput(_("There is no result for {role!r}.").format(role=role))
        return self._result

    def _follow(self) -> None:
        """Begin anew when the review has gone on to another result, or has ended."""
        if self._review.result is not self._result:
            self._forget()
            self._result = self._review.result
            self.changed.emit()

    def _forget(self) -> None:
        self._line.clear()
        for role in list(self.proposals):
            self._hide(role)
        self._result = None
        self._looked.clear()
        self._looking.clear()
        self._taken.clear()
        self._busy = self._writing = False

    def _next(self) -> None:
        """Work on the first stroke of the line."""
        result = self._result
        if self._busy or not self._line or result is None:
            self.changed.emit()
            return
        self._busy = True
        self.changed.emit()
        stroke = self._line[0]
        if stroke.role not in self._looked:
            self._look(result, stroke.role, lambda: self._read(result, stroke))
        else:
            self._read(result, stroke)

    def _look(self, result: Result, role: str, then: Callable[[], object]) -> None:
        if role in self._looking:
            self._looking[role].append(then)
            return
        self._looking[role] = [then]
        name = f"{result.scans[role]} {next(_names)}"
        values = {"model": result.card.name, "scan": name, "device": "auto"}

        def finished(_answer: Message) -> None:
            if self._result is result:
                self._looked[role] = name
                for call in self._looking.pop(role, ()):
                    call()
                self.changed.emit()

        volumes = {role: result.volumes[role]}
        self._ask(result, Message(verb="look", values=values, volumes=volumes), finished)

    def _read(self, result: Result, stroke: _Stroke) -> None:
        """The organs as they are drawn now, and as they are proposed already."""

        def read(drawn: dict[str, LabelMap]) -> None:
            if self._result is result:
                self._propose(result, stroke, drawn[stroke.role])

        roles = {stroke.role: result.scans[stroke.role]}
        self._runner.steps(reading_drawn(self._scene, roles), read, self._on_failed)

    def _propose(self, result: Result, stroke: _Stroke, drawn: LabelMap) -> None:
        proposal = self.proposals.get(stroke.role)
        mark = stroke.mark
        if stroke.carried:
            new = self._carried(result, stroke, drawn)
            if new is None:
                self._done(stroke)
                return
            mark = new
        earlier = [*self._taken.get(stroke.role, ())]
        earlier += [taken.mark for taken in proposal.marks] if proposal else []
        part = cut_out(proposal.labels if proposal else drawn, mark)
        values = {
            "scan": self._looked[stroke.role],
            "mark": mark.to_dict(),
            "earlier": [other.to_dict() for other in earlier],
        }

        def finished(answer: Message) -> None:
            if self._result is not result:
                return
            if stroke not in self._line or not answer.values["known"]:
                if stroke in self._line:  # the worker was started anew since: it looks again
                    self._looked.pop(stroke.role, None)
                self._busy = False
                self._next()
                return
            new = TakenMark(
                role=stroke.role,
                organ=stroke.organ,
                mark=mark,
                changed=int((answer.label_maps["labels"].array != part.array).sum()),
                carried=stroke.carried,
            )
            base = proposal or Proposal(labels=drawn, before=drawn, marks=())
            found = answer.label_maps["labels"].array
            self._runner.aside(lambda: refined(base, new, found), shown, self._on_failed)

        def shown(answer: tuple[Proposal, LabelMap]) -> None:
            if self._result is not result:
                return
            if stroke in self._line:
                self.proposals[stroke.role], border = answer
                self._scene.outline(result.scans[stroke.role], border)
            self._done(stroke)
            if stroke.role in self.proposals and not stroke.carried:
                self._carry(result, stroke)

        message = Message(verb="propose", values=values, label_maps={"labels": part})
        self._ask(result, message, finished)

    def _carry(self, result: Result, stroke: _Stroke) -> None:
        """Propose the same in the other scan, where it is known how the two lie."""
        alignment = result.prediction.alignment
        other = next((role for role in result.scans if role != stroke.role), "")
        if other and alignment and alignment.trust >= TRUSTED:
            self._line.append(replace(stroke, role=other, carried=True))
            self._next()

    def _carried(self, result: Result, stroke: _Stroke, drawn: LabelMap) -> Mark | None:
        alignment = result.prediction.alignment
        assert alignment
        matrix = alignment.matrix
        if stroke.role == alignment.moving:
            matrix = np.linalg.inv(matrix)
        source = next(role for role in result.scans if role != stroke.role)
        grid = result.prediction.labels[source].grid
        return carried_mark(stroke.mark, grid, drawn.grid, drawn.array, matrix)

    def _ask(self, result: Result, request: Message, finished: Callable[[Message], None]) -> None:
        def failed(sentence: str, log: str) -> None:
            if self._result is result:
                self._on_failed(sentence, log)

        listener = Listener(
            finished=finished, failed=failed, cancelled=lambda: failed(_("It was stopped."), "")
        )
        self._runner.start(request, listener)

    def _done(self, stroke: _Stroke) -> None:
        self._busy = False
        self._line = [other for other in self._line if other is not stroke]
        self.changed.emit()
        self._next()

    def _on_failed(self, sentence: str, log: str) -> None:
        """The stroke in hand is lost; what was proposed before it stays."""
        self._line = self._line[1:] if self._busy else self._line
        self._busy = self._writing = False
        self._looking.clear()
        self.failed.emit(sentence, log)
        self._next()

    def _hide(self, role: str) -> None:
        if self.proposals.pop(role, None) and self._result:
            self._scene.outline(self._result.scans[role], None)
