"""Scans, model, Segment and its result: steps 1 to 3 of the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.core.card import RESEARCH_USE, ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Progress
from cmcseg.core.settings import ALIGNMENTS
from cmcseg.session.result import Result, notes, volume_words
from cmcseg.session.stage import Stage
from cmcseg.web.folder import filed

if TYPE_CHECKING:
    from cmcseg.web.app import App


class SegmentPanel:
    """Step 1 to 3.

    Args:
        app: the app.
    """

    def __init__(self, app: App) -> None:
        self._app, self._session = app, app.segment
        self._progress: Progress | None = None
        app.state.update(
            {
                "models": [],
                "model": "",
                "model_line": "",
                "aligned": "",
                "roles": [],
                "scans": [],
                "placement": "",
                "hint": "",
                "align": "auto",
                "why_not": "",
                "running": False,
                "progress": 0,
                "progress_line": "",
                "rows": [],
                "titles": [],
                "warnings": [],
                "report": "",
            }
        )
        self._session.started.connect(self._on_started)
        self._session.progressed.connect(self._on_progress)
        self._session.reported.connect(self._on_reported)
        for ended in (self._session.finished, self._session.failed, self._session.cancelled):
            ended.connect(self._on_ended)

    def build(self) -> None:
        """Lay the panel out."""
        app = self._app
        with html.Div(v_show="step === 'segment'", classes="pane"):
            with html.Div(v_for="role in roles", key="role.role"):
                v.VSelect(
                    model_value=("role.key",),
                    update_modelValue=(
                        app.trying(self._choose_scan, str, str | None),
                        "[role.role, $event]",
                    ),
                    items=("scans",),
                    label=("role.title",),
                    no_data_text="Open a case first",
                    classes="mb-2",
                )
            with html.Div(classes="line mb-3", v_if="roles.length"):
                html.Span("{{ placement }}", classes="quiet grow")
                v.VBtn(
                    icon="mdi-swap-vertical",
                    click=app.trying(self._swap),
                    title="Swap the scans",
                    aria_label="Swap the scans",
                    size="small",
                    variant="text",
                    v_if="roles.length === 2",
                )
            v.VAlert("{{ hint }}", v_if="hint", type="info", density="compact", classes="mb-2")
            v.VSelect(
                model_value=("model",),
                update_modelValue=(app.trying(self._choose_model, str), "[$event]"),
                items=("models",),
                label="Model",
                hint=("model_line",),
                persistent_hint=True,
                classes="mb-3",
            )
            v.VSelect(
                model_value=("align",),
                update_modelValue=(app.trying(self._choose_align, str), "[$event]"),
                items=(
                    "[{title: 'Align when it helps', value: 'auto'}, "
                    "{title: 'Always align', value: 'rigid'}, "
                    "{title: 'Trust the files', value: 'none'}]",
                ),
                label="Alignment",
                v_if="roles.length === 2",
                classes="mb-2",
            )
            with html.Div(classes="line mb-2"):
                v.VBtn(
                    "Segment",
                    click=app.trying(self._segment),
                    disabled=("!!why_not",),
                    v_if="!running",
                    color="primary",
                    classes="grow primary-action",
                    id="segment",
                )
                v.VBtn(
                    "Cancel",
                    click=app.trying(self._session.cancel),
                    v_if="running",
                    variant="outlined",
                    classes="grow",
                    id="cancel",
                )
            html.P("{{ why_not }}", v_if="why_not && !running && roles.length", classes="quiet")
            with html.Div(v_if="running", classes="mb-3"):
                v.VProgressLinear(model_value=("progress",), height=6, rounded=True)
                html.P("{{ progress_line }}", classes="quiet", id="progress-line")
            with html.Div(v_if="rows.length"):
                with v.VTable(density="compact", classes="result"):
                    with html.Thead(), html.Tr():
                        html.Th("organ")
                        html.Th("{{ t }} mL", v_for="t in titles", key="t", classes="number")
                        html.Th("doubt")
                    with html.Tbody():
                        with html.Tr(v_for="row in rows", key="row.organ"):
                            with html.Td():
                                html.Span(classes="swatch", style=("{background: row.color}",))
                                html.Span("{{ row.organ }}")
                            html.Td(
                                "{{ ml }}",
                                v_for="(ml, n) in row.ml",
                                key="n",
                                classes="number",
                            )
                            html.Td(
                                "{{ row.doubt }}",
                                classes=("{'doubtful': row.doubt === 'high'}",),
                            )
                html.P("{{ aligned }}", v_if="aligned", classes="quiet warning-line", id="aligned")
                html.P("{{ w }}", v_for="w in warnings", key="w", classes="quiet warning-line")
                with html.Div(classes="line mt-2"):
                    v.VBtn(
                        "Review",
                        click="step = 'review'",
                        color="primary",
                        classes="grow",
                        id="to-review",
                    )
                    v.VBtn(
                        "Report",
                        click=app.trying(self._report),
                        variant="outlined",
                        id="make-report",
                    )
                with html.P(v_if="report", classes="mt-1"):
                    html.A("Open the report", href=("report",), target="_blank", rel="noopener")
                html.P(RESEARCH_USE, classes="research")

    def refresh(self) -> None:
        """Show the session's state."""
        state, session, card = self._app.state, self._session, self._session.card
        state.models = [{"title": c.title, "value": c.name} for c in session.cards]
        state.model = card.name if card else ""
        state.model_line = _model_line(card) if card else ""
        state.scans = [
            {"title": "none", "value": ""},
            *({"title": scan.name, "value": scan.key} for scan in session.scans()),
        ]
        state.roles = [
            {"role": spec.role, "title": spec.title, "key": session.chosen.get(spec.role, "")}
            for spec in (card.inputs if card else ())
        ]
        state.placement, state.hint = session.placement, session.hint()
        state.align = session.settings.align
        state.running = session.stage is Stage.SEGMENTING
        state.why_not = session.why_not()
        if self._progress:
            state.progress = round(100 * self._progress.fraction)
            state.progress_line = _progress_line(self._progress, session.device)
        result = session.result
        state.titles = [result.card.input(role).title for role in result.scans] if result else []
        shown = _volumes(result, self._app.reviewing.volumes) if result else {}
        state.rows = [
            {
                "organ": row.organ,
                "color": row.color,
                "ml": [volume_words(*shown[role, row.organ]) for role in result.scans],
                "doubt": _worst(found.doubt for found in row.found.values()),
            }
            for row in (result.rows if result else ())
        ]
        alignment = result.prediction.alignment if result else None
        state.aligned = alignment.sentence() if alignment else ""
        is_any_cut = any(is_cut for _, is_cut in shown.values())
        state.warnings = list(notes(result, is_any_cut)) if result else []
        if not result:
            state.report = ""

    def _choose_scan(self, role: str, key: str | None) -> None:
        if key and key not in [scan.key for scan in self._session.scans()]:
            raise BadInput("That scan is no longer there; choose another.")
        self._session.set_scan(role, key or "")
        self._app.cases.show()

    def _swap(self) -> None:
        self._session.swap()
        self._app.cases.show()

    def _choose_model(self, name: str) -> None:
        self._session.choose_model(name)
        self._app.cases.show()
        self._session.warm_up()

    def _choose_align(self, align: str) -> None:
        if align not in ALIGNMENTS:
            raise BadInput(f"There is no alignment {align!r}.")
        self._session.settings = replace(self._session.settings, align=align)

    def _segment(self) -> None:
        self._app.reviewing.save_now()
        self._app.editor.drop()
        self._session.segment()

    def _report(self) -> None:
        path = self._app.folder.own("reports", f"{filed(self._app.cases.open)}.html")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"The report cannot be written: {error.strerror}.") from error
        self._session.write_report(path)

    def _on_reported(self, path: str) -> None:
        self._app.state.report = f"/report/{path.replace(chr(92), '/').split('/')[-1]}"
        self._app.touch()

    def _on_started(self) -> None:
        self._progress = None
        self._app.state.update({"progress": 0, "progress_line": "", "notice": "", "report": ""})

    def _on_progress(self, progress: Progress) -> None:
        self._progress = progress

    def _on_ended(self, *_told: object) -> None:
        self._progress = None


def _model_line(card: ModelCard) -> str:
    organs = ", ".join(label.name for label in card.table)
    return f"{organs} · version {card.version} · research use"


def _progress_line(progress: Progress, device: str) -> str:
    parts = [progress.stage, f"{round(100 * progress.fraction)} %"]
    if progress.seconds_left is not None:
        parts.append(f"about {progress.seconds_left:.0f} s left")
    if device:
        parts.append(device.upper())
    return " · ".join(parts)


def _volumes(
    result: Result, drawn: dict[tuple[str, str], tuple[float, bool]]
) -> dict[tuple[str, str], tuple[float, bool]]:
    """By role and organ: mL, and whether the scan cuts it off; as drawn, where it was measured."""
    return {
        (role, row.organ): (row.found[role].ml, row.found[role].is_cut)
        for row in result.rows
        for role in result.scans
    } | drawn


def _worst(levels: Iterable[str]) -> str:
    order = ("low", "some", "high", "not found")
    return max(levels, key=order.index, default="low")
