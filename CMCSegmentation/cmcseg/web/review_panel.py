"""Step 4 of the page: the places of doubt, the tools, what has changed, and Accept."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.core.card import RESEARCH_USE
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.review_places import Place
from cmcseg.session.result import Result
from cmcseg.session.stage import Stage
from cmcseg.web.views import ORIENTATIONS

if TYPE_CHECKING:
    from cmcseg.web.app import App

CALM = 0.4  # seconds after the last stroke before volumes are measured
EVERY = 3.0  # seconds between two drafts
ICONS = {
    "": ("mdi-cursor-move", "Move and zoom (Esc)"),
    "brush": ("mdi-brush", "Brush (B)"),
    "erase": ("mdi-eraser", "Erase (E)"),
    "scissors": ("mdi-content-cut", "Scissors"),
    "threshold": ("mdi-contrast-circle", "Threshold"),
    "islands": ("mdi-island", "Islands: keep the largest piece"),
    "smooth": ("mdi-blur", "Smooth"),
}
APPLIED = ("threshold", "islands", "smooth")
THICKEST = 40  # mm, of the brush
NUMBER = int | float


class ReviewPanel:
    """Step 4.

    Args:
        app: the app.

    Attributes:
        volumes: by role and organ, as the organs are drawn now: mL, and whether the scan cuts
            the organ off.
    """

    def __init__(self, app: App) -> None:
        self._app, self._session = app, app.review
        self.volumes: dict[tuple[str, str], tuple[float, bool]] = {}
        self._touched = 0.0
        self._measured = self._saved = 0.0
        self._reading = False
        self._role = self._organ = self._veiled = ""
        self._brush_mm, self._ball = 10.0, True
        self._opacity = 0.45
        self._hidden: set[str] = set()
        self._in_3d = False
        self._pending: dict[str, LabelMap] | None = None
        app.state.update(
            {
                "place": "",
                "has_places": False,
                "edit_role": "",
                "edit_roles": [],
                "organ": "",
                "organs": [],
                "tool": "",
                "brush_mm": 10,
                "brush_ball": True,
                "low": 0,
                "high": 200,
                "range": [0, 200],
                "can_undo": False,
                "can_redo": False,
                "blend": 0,
                "opacity": 45,
                "veil": "",
                "orientation": "Axial",
                "solid": False,
                "hidden": [],
                "changed_line": "",
                "accept_why": "",
                "accepted": "",
                "draft_of": "",
            }
        )
        self._session.jumped.connect(self._on_jumped)
        self._session.accepted.connect(self._on_accepted)
        for name, call in (("blend", self._blend), ("opacity", self._paint)):
            app.state.change(name)(_watching(name, app.trying(call, NUMBER)))

    def build(self) -> None:
        """Lay the panel out."""
        app, session = self._app, self._session
        brush = app.trying(self._brush, NUMBER, bool)
        with html.Div(v_show="step === 'review'", classes="pane"):
            with v.VAlert(v_if="draft_of", type="info", density="compact", classes="mb-2"):
                html.Div("There is a draft of this case that was not accepted.")
                v.VBtn(
                    "Go on with it",
                    click=app.trying(self.take_draft),
                    size="small",
                    classes="mt-1 mr-2",
                    id="take-draft",
                )
                v.VBtn(
                    "Discard it", click=app.trying(self.drop_draft), size="small", variant="text"
                )
            html.P(
                "Segment a case first; here you look through the result and correct it.",
                v_if="!organs.length && !draft_of",
            )
            with html.Div(v_show="organs.length > 0"):
                with html.Div(classes="line"):
                    _icon(
                        "mdi-chevron-left",
                        "Previous doubt (P)",
                        app.trying(session.previous),
                        disabled=("!has_places",),
                        id="previous",
                    )
                    html.Span("{{ place }}", classes="grow place", id="place")
                    _icon(
                        "mdi-chevron-right",
                        "Next doubt (N)",
                        app.trying(session.next),
                        disabled=("!has_places",),
                        id="next",
                    )
                with v.VBtnToggle(
                    model_value=("edit_role",),
                    update_modelValue=(app.trying(self._edit, str), "[$event]"),
                    mandatory=True,
                    density="compact",
                    classes="mb-2 mt-1",
                    v_if="edit_roles.length > 1",
                ):
                    v.VBtn(
                        "{{ r.title }}",
                        v_for="r in edit_roles",
                        key="r.role",
                        value=("r.role",),
                        size="small",
                    )
                with html.Div(classes="organs"):
                    with html.Div(
                        v_for="(o, n) in organs",
                        key="o.name",
                        classes=("['organ', {'chosen': o.name === organ}]",),
                        click=(app.trying(self.choose_organ, str), "[o.name]"),
                    ):
                        html.Span(classes="swatch", style=("{background: o.color}",))
                        html.Span("{{ o.name }}", classes="grow")
                        html.Span(
                            "{{ o.ml }} mL",
                            classes="quiet number",
                            raw_attrs=[':data-organ="o.name"'],
                        )
                        v.VIcon(
                            icon=("hidden.includes(o.name) ? 'mdi-eye-off' : 'mdi-eye'",),
                            size="small",
                            click=(app.trying(self._toggle_organ, str), "[o.name]"),
                            title="Show or hide",
                            raw_attrs=["@click.stop"],
                            classes="ml-2",
                        )
                with html.Div(classes="tools"):
                    for tool, (icon, title) in ICONS.items():
                        _icon(
                            icon,
                            title,
                            app.trying(lambda tool=tool: self.use(tool)),
                            active=(f"tool === '{tool}'",),
                            id=f"tool-{tool or 'none'}",
                        )
                    v.VSpacer()
                    _icon(
                        "mdi-undo",
                        "Undo (Z)",
                        app.trying(self.undo),
                        disabled=("!can_undo",),
                        id="undo",
                    )
                    _icon(
                        "mdi-redo",
                        "Redo (Shift-Z)",
                        app.trying(self.redo),
                        disabled=("!can_redo",),
                        id="redo",
                    )
                with html.Div(v_if="tool === 'brush' || tool === 'erase'", classes="line"):
                    html.Span("{{ brush_mm }} mm", classes="quiet unit")
                    v.VSlider(
                        model_value=("brush_mm",),
                        update_modelValue=(brush, "[$event, brush_ball]"),
                        min=1,
                        max=THICKEST,
                        step=1,
                        hide_details=True,
                    )
                    v.VCheckbox(
                        model_value=("brush_ball",),
                        update_modelValue=(brush, "[brush_mm, $event]"),
                        label="ball",
                        hide_details=True,
                        density="compact",
                    )
                with html.Div(v_if="tool === 'threshold'"):
                    v.VRangeSlider(
                        model_value=("[low, high]",),
                        update_modelValue=(
                            app.trying(self._threshold, NUMBER, NUMBER),
                            "[$event[0], $event[1]]",
                        ),
                        min=("range[0]",),
                        max=("range[1]",),
                        step=1,
                        thumb_label=True,
                        hide_details=True,
                    )
                v.VBtn(
                    "{{ tool === 'threshold' ? 'Fill the range' : "
                    "tool === 'islands' ? 'Keep the largest piece' : 'Smooth by 3 mm' }}",
                    v_if=f"{list(APPLIED)}.includes(tool)".replace('"', "'"),
                    click=app.trying(self._apply),
                    size="small",
                    variant="tonal",
                    block=True,
                    classes="mb-2",
                )
                with html.Div(classes="choices"):
                    v.VBtn(
                        "Copy to the other scan",
                        v_if="edit_roles.length > 1",
                        click=app.trying(self._copy),
                        size="small",
                        variant="text",
                        id="copy",
                    )
                    v.VBtn(
                        "Back to the model's result",
                        click=app.trying(self._restore),
                        size="small",
                        variant="text",
                        id="restore",
                    )
                html.P("{{ changed_line }}", classes="quiet", id="changes")
                v.VBtn(
                    "Accept",
                    click=app.trying(self.accept),
                    disabled=("!!accept_why",),
                    color="primary",
                    block=True,
                    classes="mt-1",
                    id="accept",
                )
                html.P("{{ accepted }}", v_if="accepted", classes="good", id="accepted")
                html.P(RESEARCH_USE, classes="research")

    def build_bar(self) -> None:
        """The bar below the views: how they are shown."""
        app = self._app
        with html.Div(classes="bar"):
            with v.VBtnToggle(
                model_value=("orientation",),
                update_modelValue=(app.trying(self._orient, str), "[$event]"),
                mandatory=True,
                density="compact",
                variant="text",
            ):
                for name in ORIENTATIONS:
                    v.VBtn(name, value=name, size="small")
            _icon("mdi-fit-to-screen-outline", "Fit", app.trying(app.views.fit))
            _icon(
                "mdi-cube-outline",
                "Organs in 3D",
                app.trying(self._solid),
                active=("solid",),
                id="solid",
            )
            # One part, so that a narrow window breaks the line before it and not within it.
            with html.Div(classes="shown"):
                html.Span("organs", classes="quiet")
                v.VSlider(
                    v_model=("opacity",),
                    min=0,
                    max=100,
                    hide_details=True,
                    classes="short",
                    aria_label="How strongly the organs are drawn",
                    id="opacity",
                )
                html.Span("blend", classes="quiet", v_if="corners[1]")
                v.VSlider(
                    v_model=("blend",),
                    min=0,
                    max=100,
                    hide_details=True,
                    classes="short",
                    v_if="corners[1]",
                    aria_label="Blend in the other scan",
                    id="blend",
                )
                with v.VBtnToggle(
                    model_value=("veil",),
                    update_modelValue=(app.trying(self._veil, str | None), "[$event]"),
                    density="compact",
                    variant="text",
                    disabled=("!organs.length",),
                ):
                    v.VBtn("doubt", value="doubt", size="small", id="show-doubt")
                    v.VBtn(
                        "disagreement",
                        value="disagreement",
                        size="small",
                        v_if="edit_roles.length > 1",
                        id="show-disagreement",
                    )

    def refresh(self) -> None:
        """Show the session's state."""
        state, session, result = self._app.state, self._session, self._session.result
        state.place, state.has_places = session.sentence(), bool(session.places)
        roles = list(result.scans) if result else []
        if self._role not in roles:
            self._role = roles[0] if roles else ""
        state.edit_role, state.organ = self._role, self._organ
        state.brush_mm, state.brush_ball = self._brush_mm, self._ball
        state.hidden, state.veil, state.solid = sorted(self._hidden), self._veiled, self._in_3d
        state.edit_roles = [{"role": r, "title": result.card.input(r).title} for r in roles]
        found = {row.organ: row for row in result.rows} if result else {}
        state.organs = [
            {
                "name": label.name,
                "color": label.color,
                "ml": f"{self._ml(label.name, found):.1f}",
            }
            for label in (result.card.table if result else ())
        ]
        state.tool = self._app.editor.tool
        state.can_undo, state.can_redo = self._app.editor.can_undo, self._app.editor.can_redo
        state.accept_why = session.why_not()
        state.changed_line = _changes(session)
        if result is None:
            self._hidden, self._veiled, state.accepted = set(), "", ""

    # What the app tells

    def begin(self, result: Result) -> None:
        """A result is there: put it into the editor's hands, and keep it on disk."""
        self.volumes, self._touched = {}, 0.0
        self._role = next(iter(result.scans))
        self._edit(self._role)
        self.choose_organ(result.card.table.labels[0].name)
        self._hidden, self._veiled = set(), ""
        self._app.state.update({"accepted": "", "blend": 0})
        self._app.views.opacity(self._opacity)
        worst = max((f.doubt for row in result.rows for f in row.found.values()), key=_rank)
        self._app.cases.note(self._app.cases.open, f"doubt {worst}")
        case, drafts = self._app.cases.open, self._app.drafts
        if self._pending is not None:
            drawn, self._pending = self._pending, None
            self._session.redraw(drawn)
        elif case:
            self._app.runner.aside(
                lambda: drafts.keep_found(case, result.prediction) or "",
                self._app.touch,
                self._app.tell,
            )

    def edited(self) -> None:
        """Something was drawn."""
        if self._session.result is not None:
            self._touched = time.monotonic()
            if not self._session.busy:
                self._session.edited()
            self._app.touch()

    def tick(self) -> None:
        """Measure volumes and keep a draft, once the hand rests."""
        now = time.monotonic()
        if not self._touched or self._reading or now - self._touched < CALM:
            return
        if self._session.result is None or self._session.stage is Stage.ACCEPTED:
            return
        if self._measured < self._touched:
            self._measured = now
            self._read(keep=now - self._saved > EVERY)
        elif self._saved < self._touched and now - self._saved > EVERY:
            self._read(keep=True)

    def save_now(self) -> None:
        """Keep the draft at once: the case is about to be closed."""
        result, case = self._session.result, self._app.cases.open
        if result is None or not case or self._saved >= self._touched:
            return
        if self._session.stage is Stage.CORRECTING:
            drawn = {}
            for role, key in result.scans.items():
                for labels in self._app.scene.reading_labels(key):
                    if labels is not None:
                        drawn[role] = labels
            self._keep(case, result, drawn)
            self._saved = time.monotonic()

    def offer(self, case: str) -> None:
        """Say that there is a draft of the case that was opened."""
        kept = self._app.drafts.open(case)
        self._app.state.draft_of = case if kept else ""
        if kept:
            self._app.state.step = "review"

    def take_draft(self) -> None:
        """Show what was drawn before, on top of what the model had found.

        Raises:
            BadInput: when the draft is damaged or belongs to other scans.
        """
        app, segment = self._app, self._app.segment
        kept = app.drafts.open(app.cases.open)
        if kept is None:
            app.state.draft_of = ""
            return
        prediction, drawn = kept
        if prediction.model in [card.name for card in segment.cards]:
            segment.choose_model(prediction.model)
        for role in [role for role in segment.chosen if role not in prediction.labels]:
            segment.set_scan(role, "")
        segment.resume(prediction)
        self._pending = drawn
        app.state.draft_of = ""
        app.cases.show()

    def drop_draft(self) -> None:
        """Forget the draft of the open case."""
        self._app.drafts.drop(self._app.cases.open)
        self._app.state.draft_of = ""

    def accept(self) -> None:
        """Hand the pair to the queue, once for each time that it was corrected.

        Raises:
            BadInput: when there is nothing to hand over.
        """
        self._session.accept()

    # Tools

    def use(self, tool: str) -> None:
        """Take a tool in hand, or lay it down when it is in hand already."""
        editor, state = self._app.editor, self._app.state
        editor.use("" if tool == editor.tool else tool)
        if tool in ("brush", "erase"):
            editor.brush(self._brush_mm, self._ball)
        if tool == "threshold":
            scan = self._app.slicer.scene.GetNodeByID(self._session.result.scans[self._role])
            low, high = scan.GetImageData().GetScalarRange()
            state.range = [low, high]
            self._threshold((low + high) / 2, high)

    def choose_organ(self, organ: str) -> None:
        """The organ that the tools work on."""
        result = self._session.result
        if result and organ in [label.name for label in result.card.table]:
            self._organ = organ
            self._app.editor.choose(organ)
            self._app.touch()

    def undo(self) -> None:
        """Take the last change back."""
        self._app.editor.undo()

    def redo(self) -> None:
        """Do it again."""
        self._app.editor.redo()

    # Private

    def _edit(self, role: str) -> None:
        result = self._session.result
        if result and role in result.scans:
            self._role = role
            self._app.editor.edit(result.segmentations[role], result.scans[role])
            self._app.editor.choose(self._organ)
            if self._in_3d:
                self._app.editor.solid(True)
                self._app.views.solid(result.segmentations[role])

    def _brush(self, mm: float, ball: bool) -> None:
        if not 1 <= mm <= THICKEST:
            raise BadInput(f"A brush of {mm} mm is none; choose 1 to {THICKEST}.")
        self._brush_mm, self._ball = float(mm), ball
        self._app.editor.brush(self._brush_mm, ball)

    def _threshold(self, low: float, high: float) -> None:
        if not -math.inf < low <= high < math.inf:
            raise BadInput(f"{low} to {high} is no range; the first number is the smaller one.")
        self._app.state.update({"low": low, "high": high})
        self._app.editor.threshold(float(low), float(high))

    def _apply(self) -> None:
        self._app.editor.apply()

    def _copy(self) -> None:
        roles = self._session.result.scans if self._session.result else ()
        other = next((role for role in roles if role != self._role), "")
        self._session.copy_organ(self._organ, self._role, other)
        self.edited()

    def _restore(self) -> None:
        self._session.restore(self._role, self._organ)
        self.edited()

    def _toggle_organ(self, organ: str) -> None:
        self._app.views.show_organ(organ, organ in self._hidden)
        self._hidden ^= {organ}

    def _orient(self, name: str) -> None:
        if name not in ORIENTATIONS:
            raise BadInput(f"There is no view {name!r}; there are: {', '.join(ORIENTATIONS)}.")
        self._app.state.orientation = name
        self._app.views.orient(name)

    def _solid(self) -> None:
        result, shown = self._session.result, not self._in_3d
        if shown and result is None:
            raise BadInput("There are no organs to show yet; segment a scan first.")
        self._in_3d = shown
        self._app.editor.solid(shown)
        self._app.views.solid(result.segmentations[self._role] if shown else "")

    def _blend(self, percent: float) -> None:
        if percent > 0:
            self._veiled = ""
        if not self._veiled:
            self._app.views.blend(_share(percent))

    def _paint(self, percent: float) -> None:
        self._opacity = _share(percent)
        self._app.views.opacity(self._opacity)

    def _veil(self, kind: str | None) -> None:
        result, scene = self._session.result, self._app.scene
        asks = {"doubt": scene.doubt, "disagreement": scene.disagreement}
        self._veiled = kind if result and kind in asks else ""
        self._app.state.blend = 0
        scans = result.scans.values() if self._veiled else ()
        self._app.views.veil([asks[self._veiled](key) for key in scans])

    def _ml(self, organ: str, found: dict) -> float:
        drawn = self.volumes.get((self._role, organ))
        return drawn[0] if drawn else found[organ].found[self._role].ml

    def _on_jumped(self, place: Place) -> None:
        self._app.views.jump(
            [
                place.points.get(role, place.points[place.role])
                for role in self._session.result.scans
            ]
        )

    def _on_accepted(self, entry: str) -> None:
        self._app.drafts.drop(self._app.cases.open)
        self._saved = self._touched = 0.0
        self._app.state.accepted = f"Kept in the queue as {entry}."
        self._app.cases.note(self._app.cases.open, "accepted")
        self._app.learn.load_queue(self._app.segment.card.name if self._app.segment.card else "")

    def _keep(self, case: str, result: Result, drawn: dict[str, LabelMap]) -> None:
        drafts = self._app.drafts
        if not drafts.has_found(case):
            drafts.keep_found(case, result.prediction)
        drafts.keep_drawn(case, drawn)

    def _read(self, *, keep: bool) -> None:
        """Read the organs as they are drawn; measure them, and keep them when asked to."""
        result, case = self._session.result, self._app.cases.open
        self._reading = True
        at = time.monotonic()

        def reading() -> Iterator[dict[str, LabelMap] | None]:
            drawn = {}
            for role, key in result.scans.items():
                for labels in self._app.scene.reading_labels(key):
                    if labels is None:
                        yield None
                    else:
                        drawn[role] = labels
            yield drawn

        def sums(drawn: dict[str, LabelMap]) -> dict[tuple[str, str], tuple[float, bool]]:
            if keep and case:
                self._keep(case, result, drawn)
            cut = {role: labels.cut_off() for role, labels in drawn.items()}
            return {
                (role, organ): (ml, organ in cut[role])
                for role, labels in drawn.items()
                for organ, ml in labels.volumes_ml().items()
            }

        def done(volumes: dict[tuple[str, str], tuple[float, bool]]) -> None:
            self._reading = False
            if self._session.result is result:
                self.volumes = volumes
                self._saved = at if keep else self._saved
            self._app.touch()

        def failed(sentence: str, log: str) -> None:
            self._reading, self._saved = False, at  # tried again after the next stroke
            self._app.tell(sentence, log)

        self._app.runner.steps(
            reading(),
            lambda drawn: self._app.runner.aside(lambda: sums(drawn), done, failed),
            failed,
        )


def _icon(icon: str, title: str, click: object, **more: object) -> None:
    v.VBtn(
        icon=icon, title=title, aria_label=title, click=click, size="small", variant="text", **more
    )


def _share(percent: float) -> float:
    if not 0 <= percent <= 100:
        raise BadInput(f"{percent} is no percentage; choose 0 to 100.")
    return percent / 100


def _watching(name: str, call: object) -> object:
    """A listener of one variable of the page."""

    def changed(**state: object) -> None:
        call(state[name])

    return changed


def _changes(session: object) -> str:
    changes = session.changes
    if session.stage is Stage.ACCEPTED or not changes:
        return ""
    parts = [f"{c.organ} +{c.added_ml:.1f} −{c.removed_ml:.1f} mL" for c in changes]
    return "Changed: " + ", ".join(parts)


def _rank(level: str) -> int:
    return ("low", "some", "high", "not found").index(level)
