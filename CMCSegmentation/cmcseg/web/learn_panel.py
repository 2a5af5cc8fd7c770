"""Step 5 of the page: the queue, fine-tuning, the verdict, adopt, keep, roll back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Progress
from cmcseg.session.stage import LearnStage

if TYPE_CHECKING:
    from cmcseg.web.app import App

VERDICTS = {
    "adopt": "The new model is better.",
    "keep": "The new model is not better.",
    "insufficient": "There is not enough evidence.",
}
POINTS = 120  # of the curve that is drawn
LONGEST = 600  # minutes of a fine-tuning


class LearnPanel:
    """Step 5.

    Args:
        app: the app.
    """

    def __init__(self, app: App) -> None:
        self._app, self._session = app, app.learn
        self._progress: Progress | None = None
        self._told = ""
        app.state.update(
            {
                "entries": [],
                "new_entries": 0,
                "minutes": 10,
                "tuning": False,
                "tune_why": "",
                "tune_share": 0,
                "tune_line": "",
                "curve": [],
                "verdict": "",
                "verdict_line": "",
                "verdict_rows": [],
                "judging": False,
                "reason": "",
                "learn_stage": "",
                "history": [],
            }
        )
        self._session.progressed.connect(self._on_progress)
        self._session.switched.connect(self._on_switched)
        app.segment.changed.connect(self._on_model)

    def build(self) -> None:
        """Lay the panel out."""
        app, session = self._app, self._session
        with html.Div(v_show="step === 'learn'", classes="pane"):
            html.P(
                "{{ entries.length === 1 ? '1 pair' : entries.length + ' pairs' }} in the queue, "
                "{{ new_entries }} new since the model was made.",
                id="queue-line",
            )
            with v.VTable(density="compact", v_if="entries.length", classes="queue"):
                with html.Thead(), html.Tr():
                    html.Th("pair")
                    html.Th("when")
                    html.Th("what changed")
                with html.Tbody(), html.Tr(v_for="e in entries", key="e.id"):
                    html.Td("{{ e.pair }}")
                    html.Td("{{ e.at }}")
                    html.Td("{{ e.summary }}", title=("e.status",))
            with html.Div(classes="line mt-3"):
                v.VBtn(
                    "Fine-tune",
                    v_if="!tuning",
                    click=app.trying(self._tune),
                    color="primary",
                    disabled=("!!tune_why",),
                    classes="grow",
                    id="fine-tune",
                )
                v.VBtn(
                    "Cancel",
                    v_if="tuning",
                    click=app.trying(session.cancel),
                    variant="outlined",
                    classes="grow",
                    id="cancel-tuning",
                )
                v.VTextField(
                    v_model=("minutes",),
                    type="number",
                    min=1,
                    max=LONGEST,
                    suffix="minutes",
                    hide_details=True,
                    style="max-width: 9.5em",
                    disabled=("tuning",),
                    aria_label="Minutes to learn for",
                    id="minutes",
                )
            html.P("{{ tune_why }}", v_if="tune_why && !tuning", classes="quiet")
            with html.Div(v_if="tuning"):
                v.VProgressLinear(model_value=("tune_share",), height=6, rounded=True)
                html.P("{{ tune_line }}", classes="quiet", id="tune-line")
            with html.Div(v_if="curve.length > 1", classes="mt-2"):
                html.P("loss", classes="quiet")
                v.VSparkline(
                    model_value=("curve",),
                    smooth=4,
                    line_width=1.5,
                    height=60,
                    color="primary",
                    auto_draw=False,
                )
            with html.Div(v_if="verdict", id="verdict"):
                html.H3("{{ verdict }}")
                html.P("{{ verdict_line }}")
                with v.VTable(density="compact", v_if="verdict_rows.length"):
                    with html.Thead(), html.Tr():
                        html.Th("organ")
                        html.Th("old", classes="number")
                        html.Th("new", classes="number")
                        html.Th("cases", classes="number")
                    with html.Tbody(), html.Tr(v_for="r in verdict_rows", key="r.name"):
                        html.Td("{{ r.name }}")
                        html.Td("{{ r.old }}", classes="number")
                        html.Td("{{ r.new }}", classes="number")
                        html.Td("{{ r.cases }}", classes="number")
                v.VTextField(
                    v_model=("reason",),
                    label="Reason to adopt it nevertheless",
                    v_if="judging && verdict !== 'The new model is better.'",
                    hide_details=True,
                    density="compact",
                    classes="mt-2",
                    id="reason",
                )
                with html.Div(classes="line mt-2", v_if="judging"):
                    v.VBtn(
                        "Adopt",
                        click=app.trying(self._adopt),
                        color="primary",
                        classes="grow",
                        id="adopt",
                    )
                    v.VBtn(
                        "Keep the old one",
                        click=app.trying(session.keep),
                        variant="outlined",
                        id="keep",
                    )
            html.P("{{ learn_stage }}", v_if="learn_stage", classes="good", id="learn-stage")
            v.VBtn(
                "Roll back",
                click=app.trying(self._roll_back),
                variant="text",
                size="small",
                disabled=("history.length < 2",),
                classes="mt-2",
                id="roll-back",
                prepend_icon="mdi-history",
            )

    def refresh(self) -> None:
        """Show the session's state."""
        state, session = self._app.state, self._session
        state.entries = [
            {
                "id": row.id,
                "pair": row.pair,
                "at": row.at[:16].replace("T", " "),
                "summary": row.summary,
                "status": row.status,
            }
            for row in session.rows
        ]
        state.new_entries = session.new
        state.tuning = session.stage is LearnStage.FINE_TUNING
        state.tune_why = session.why_not()
        if self._progress:
            state.tune_share = round(100 * self._progress.fraction)
            state.tune_line = f"{self._progress.stage} · {state.tune_share} %"
        state.curve = _thinned([sum(losses.values()) for _, losses in session.curve])
        verdict = session.verdict
        state.verdict = VERDICTS.get(verdict.get("verdict", ""), "")
        state.verdict_line = verdict.get("reason", "")
        state.verdict_rows = [_row(name, row) for name, row in verdict.get("organs", {}).items()]
        state.judging = session.stage is LearnStage.VERDICT
        state.learn_stage = {
            LearnStage.ADOPTED: "The new model is in use.",
            LearnStage.KEPT: "The old model stays in use.",
        }.get(session.stage, "")
        state.history = [
            {
                "version": str(row.get("version", "")),
                "at": str(row.get("change", {}).get("at", ""))[:16].replace("T", " "),
            }
            for row in session.history
        ]

    def _tune(self) -> None:
        card = self._app.segment.card
        self._progress = None
        self._app.state.reason = ""
        try:
            minutes = float(self._app.state.minutes)
        except (TypeError, ValueError):
            minutes = math.nan
        if not 0 < minutes <= LONGEST:
            raise BadInput(f"Learning takes a number of minutes up to {LONGEST}; give another.")
        self._session.fine_tune(card.name if card else "", minutes)

    def _adopt(self) -> None:
        self._session.adopt(str(self._app.state.reason or ""))

    def _roll_back(self) -> None:
        if card := self._app.segment.card:
            self._session.roll_back(card.name)

    def _on_progress(self, progress: Progress) -> None:
        self._progress = progress

    def _on_model(self) -> None:
        """Another model is chosen, or it has become another version."""
        card = self._app.segment.card
        told = f"{card.name} {card.sha256}" if card else ""
        if told != self._told:
            self._told = told
            if card:
                self._session.load_queue(card.name)
                self._session.load_history(card.name)

    def _on_switched(self, name: str) -> None:
        self._session.load_history(name)
        self._app.tell(f"The model {name} was switched.", kind="success")


def _thinned(values: list[float]) -> list[float]:
    step = max(1, len(values) // POINTS)
    return [round(value, 4) for value in values[::step] if math.isfinite(value)]


def _row(name: str, row: dict) -> dict:
    def shown(key: str) -> str:
        value = row.get(key)
        return f"{value:.3f}" if isinstance(value, int | float) and math.isfinite(value) else "–"

    return {"name": name, "old": shown("old"), "new": shown("new"), "cases": row.get("cases", "")}
