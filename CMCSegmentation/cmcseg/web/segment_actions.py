"""Scans, model, Segment and its result: steps 1 to 3."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from trame_server.utils.typed_state import TypedState

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Progress
from cmcseg.core.signal import Signal
from cmcseg.session.progress_line import progress_line
from cmcseg.session.result import Result, notes, volume_words
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession
from cmcseg.session.setting_words import align_words, device_words, memory_words
from cmcseg.session.stage import Stage
from cmcseg.web.open_case import OpenCase
from cmcseg.web.page import Page
from cmcseg.web.widgets import share

BY_HAND = "hand"  # among the ways to align


@dataclass
class SegmentState:
    """What the panel shows."""

    models: list[dict] = field(default_factory=list)
    model: str = ""
    model_line: str = ""
    site_line: str = ""
    site_action: str = ""
    site_model: str = ""
    roles: list[dict] = field(default_factory=list)
    scans: list[dict] = field(default_factory=list)
    placement: str = ""
    hint: str = ""
    align: str = "auto"
    aligns: list[dict] = field(default_factory=list)
    device: str = "auto"
    devices: list[dict] = field(default_factory=list)
    memory: str = "smaller"
    memories: list[dict] = field(default_factory=list)
    overlap: int | float = 10
    why_not: str = ""
    running: bool = False
    percent: int = 0
    progress_line: str = ""
    rows: list[dict] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    aligned: str = ""
    warnings: list[str] = field(default_factory=list)


class SegmentActions:
    """Steps 1 to 3.

    Args:
        page: that they are shown on.
        session: does the work.
        case: that is open.
        review: knows the organs as they are drawn now.

    Attributes:
        starting: ``()`` the result that is shown is about to be replaced.
    """

    def __init__(
        self,
        page: Page,
        session: SegmentSession,
        *,
        case: OpenCase,
        review: ReviewSession,
    ) -> None:
        self.page, self._session = page, session
        self.starting = Signal()
        self._case, self._review = case, review
        self._progress: Progress | None = None
        self._nudged: tuple[dict[str, str], tuple[float, ...]] | None = None
        self.state = TypedState(page.server.state, SegmentState)
        session.started.connect(self._on_started)
        session.progressed.connect(self._on_progress)
        for ended in (session.finished, session.failed, session.cancelled):
            ended.connect(self._on_ended)

    def choose_scan(self, role: str, key: str | None) -> None:
        """Choose a scan for a role, or none.

        Raises:
            BadInput: when it is gone.
        """
        if key and key not in [scan.key for scan in self._session.scans()]:
            raise BadInput("That scan is no longer there; choose another.")
        self._session.set_scan(role, key or "")
        self._case.show()

    def swap(self) -> None:
        """Exchange the two scans."""
        self._session.swap()
        self._case.show()

    def choose_model(self, name: str) -> None:
        """Choose a model and make it ready."""
        self._session.choose_model(name)
        self._case.show()
        self._session.warm_up()

    def choose_align(self, align: str) -> None:
        """How the two scans are aligned first; what was nudged by hand is forgotten.

        Raises:
            BadInput: when there is no such way.
        """
        if align == BY_HAND:
            return
        self._nudged = None
        self._set(align=align)

    def choose_device(self, device: str) -> None:
        """Where the network runs.

        Raises:
            BadInput: when there is no such device.
        """
        if device not in device_words():
            raise BadInput(f"There is no device {device!r}.")
        self._set(device=device)
        self._session.warm_up()

    def choose_memory(self, way: str) -> None:
        """What to do when memory runs out.

        Raises:
            BadInput: when there is no such way.
        """
        self._set(out_of_memory=way)

    def choose_overlap(self, percent: float) -> None:
        """By how much neighbouring windows overlap.

        Raises:
            BadInput: when it is none that can be.
        """
        self._set(overlap=round(share(percent), 2))

    def nudge(self, across: np.ndarray) -> None:
        """The second scan was moved by hand; the next segmentation takes it as it lies.

        Args:
            across: 4 x 4 RAS in mm, from the first scan's world to the second one's.
        """
        matrix = tuple(np.linalg.inv(across).ravel().tolist())
        self._nudged = (dict(self._session.chosen), matrix)
        self.page.touch()

    def segment(self) -> None:
        """Segment the chosen scans.

        Raises:
            BadInput: when they cannot be.
        """
        if reason := self._session.why_not():
            raise BadInput(reason)
        self._set(matrix=self._matrix)
        self.starting.emit()
        self._session.segment()

    def cancel(self) -> None:
        """Stop segmenting."""
        self._session.cancel()

    def refresh(self) -> None:
        """Show the session's state."""
        data, session, card = self.state.data, self._session, self._session.card
        data.models = [{"title": c.title, "value": c.name} for c in session.models.cards]
        data.model = card.name if card else ""
        data.model_line = _model_line(card) if card else ""
        sites = session.sites
        data.site_line, data.site_action, data.site_model = (
            sites.sentence,
            sites.action,
            sites.model,
        )
        data.scans = [
            {"title": "none", "value": ""},
            *({"title": scan.name, "value": scan.key} for scan in session.scans()),
        ]
        data.roles = [
            {"role": spec.role, "title": spec.title, "key": session.chosen.get(spec.role, "")}
            for spec in (card.inputs if card else ())
        ]
        data.placement, data.hint = session.placement, session.hint()
        self._show_settings()
        data.running = session.stage is Stage.SEGMENTING
        data.why_not = session.why_not()
        if self._progress:
            data.percent = self._progress.percent
            line = progress_line(self._progress, session.device.upper())
            data.progress_line = f"{data.percent} % · {line}"
        self._show_result(session.result)

    # Private

    @property
    def _matrix(self) -> tuple[float, ...] | None:
        """Where the second of the chosen scans was put by hand."""
        scans, matrix = self._nudged or ({}, None)
        return matrix if scans == self._session.chosen else None

    def _set(self, **values: object) -> None:
        try:
            self._session.settings = replace(self._session.settings, **values)
        except ValueError as error:
            raise BadInput(str(error)) from error
        self.page.touch()

    def _show_settings(self) -> None:
        data, settings = self.state.data, self._session.settings
        by_hand = {BY_HAND: "as placed by hand"} if self._matrix else {}
        data.align = BY_HAND if by_hand else settings.align
        data.aligns = _items({**align_words(), **by_hand})
        data.devices, data.memories = _items(device_words()), _items(memory_words())
        data.device, data.memory = settings.device, settings.out_of_memory
        data.overlap = round(100 * settings.overlap)

    def _show_result(self, result: Result | None) -> None:
        data = self.state.data
        data.titles = [result.card.input(role).title for role in result.scans] if result else []
        rows = (self._review.rows or result.rows) if result else ()
        data.rows = [
            {
                "organ": row.organ,
                "color": row.color,
                "ml": [volume_words(f.ml, f.is_cut) for f in row.found.values()],
                "doubt": max(found.level for found in row.found.values()).word,
            }
            for row in rows
        ]
        alignment = result.prediction.alignment if result else None
        data.aligned = alignment.sentence() if alignment else ""
        is_any_cut = any(found.is_cut for row in rows for found in row.found.values())
        data.warnings = list(notes(result, is_any_cut)) if result else []

    def _on_started(self) -> None:
        self._progress = None
        data = self.state.data
        data.percent, data.progress_line = 0, ""
        self.page.tell("")

    def _on_progress(self, progress: Progress) -> None:
        self._progress = progress

    def _on_ended(self, *_told: object) -> None:
        self._progress = None


def _items(words: dict[str, str]) -> list[dict]:
    return [{"value": value, "title": title} for value, title in words.items()]


def _model_line(card: ModelCard) -> str:
    organs = ", ".join(label.name for label in card.table)
    return f"{organs} · version {card.version} · research use"
