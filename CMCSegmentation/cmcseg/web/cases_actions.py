"""Which cases lie in the folder, and which one is open."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from trame_server.utils.typed_state import TypedState

from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.core.signal import Signal
from cmcseg.session.ports import Listener, Runner
from cmcseg.session.reading import ScanReader
from cmcseg.session.segment import SegmentSession
from cmcseg.session.stage import Stage
from cmcseg.web.case_loader import CaseLoader, LoadedScan
from cmcseg.web.drafts import Drafts
from cmcseg.web.folder import Case, Folder, filed
from cmcseg.web.open_case import OpenCase
from cmcseg.web.page import STEPS, Page
from cmcseg.web.uploads import Received

SAMPLE = "sample"
ALL, WAITING, LISTED = "all", "waiting", "listed"
FILTERS = {ALL: "all cases", WAITING: "not accepted", LISTED: "the review list"}


@dataclass
class CasesState:
    """What the list shows."""

    cases: list[dict] = field(default_factory=list)
    opened: str = ""
    uploading: bool = False
    making: bool = False
    shown: str = ALL
    filters: list[dict] = field(default_factory=list)


class CasesActions:
    """The list of cases.

    Args:
        page: that it is shown on.
        folder: where the cases lie.
        drafts: of the cases.
        loader: brings a case into the scene.
        case: the one that is open.
        segment: what its scans are chosen for.
        runner: makes the sample.
        reader: makes pictures.

    Attributes:
        closing: ``()`` the open case is about to leave the scene; whoever raises keeps it there.
        opened: ``(case id)`` another case is in the scene.
        titles: what the list calls the cases of the folder, by their ids.
    """

    def __init__(
        self,
        page: Page,
        *,
        folder: Folder,
        drafts: Drafts,
        loader: CaseLoader,
        case: OpenCase,
        segment: SegmentSession,
        runner: Runner,
        reader: ScanReader,
    ) -> None:
        self.page = page
        self.closing, self.opened = Signal(), Signal()
        self._folder, self._drafts, self._loader = folder, drafts, loader
        self._case, self._segment, self._runner, self._reader = case, segment, runner, reader
        self._cases: tuple[Case, ...] = ()
        self._pictures: dict[str, str] = {}
        self._wanted: set[str] = set()
        self._ranked: dict[str, str] = {}
        self.titles: dict[str, str] = {}
        self._models = -1
        self.state = TypedState(page.server.state, CasesState)
        segment.changed.connect(self._on_models)

    def refresh(self) -> None:
        """Show what is in the folder now."""
        data, drafts = self.state.data, self._drafts.cases()
        data.opened = self._case.id
        kinds = [kind for kind in FILTERS if kind != LISTED or self._ranked]
        data.filters = [{"value": kind, "title": FILTERS[kind]} for kind in kinds]
        if data.shown not in kinds:
            data.shown = ALL
        data.cases = [
            {
                "id": case.id,
                "title": case.title,
                "about": self._about(case),
                "state": self._word(case, drafts),
                "picture": self._pictures.get(case.id, ""),
            }
            for case in self._in_order
            if self._is_shown(case.id, data.shown)
        ]

    def filter(self, shown: str) -> None:
        """Which cases the list shows, of ``FILTERS``.

        Raises:
            BadInput: when there is no such choice.
        """
        if shown not in FILTERS:
            raise BadInput(f"There are no cases {shown!r}; there are: {', '.join(FILTERS)}.")
        self.state.data.shown = shown

    def rank(self, words: dict[str, str]) -> None:
        """Put these cases first, in this order, each with a word why."""
        self._ranked = words
        self.state.data.shown = LISTED if words else ALL
        self.page.touch()

    def accepted(self, case_id: str) -> bool:
        """Whether a case lies in the queue."""
        return bool(self._case.states.of(case_id).get("accepted"))

    def scans(self, case_id: str) -> list[Path]:
        """The file or folder of each scan of a case."""
        case = next(case for case in self._cases if case.id == case_id)
        return [self._loader.place(files) for files in case.files.values()]

    @property
    def open_id(self) -> str:
        """Of the open case, or empty."""
        return self._case.id

    def look(self) -> None:
        """Read the folder again."""
        roles = {role for card in self._segment.models.cards for role in card.roles}
        self._cases = self._folder.cases(roles)
        self.titles = {case.id: case.title for case in self._cases}
        for case in self._cases:
            self._want_picture(case)
        self.page.touch()

    def choose(self, case_id: str, said: str = "") -> None:
        """Open a case: its scans are read, and then come into the scene, its draft on top of them.

        Where one cannot be read the open case stays, and the page is told.

        Args:
            case_id: which.
            said: what the user should know of how it came, beside how it is read.

        Raises:
            BadInput: when it is gone, or a segmentation runs.
        """
        self.check_free()
        case = next((case for case in self._cases if case.id == case_id), None)
        if case is None:
            raise BadInput(f"{case_id} is no longer in the folder.")
        if case_id == self._case.id:  # reading it again would lose what was found
            self.page.go("review" if self._segment.result else "segment")
            return
        self.page.asked()
        self._loader.load(
            case,
            {role: self.title(role) for role in case.files},
            done=lambda loaded, notes: self.open_loaded(case, loaded, said, *notes),
            failed=self._not_opened,
        )
        self.page.touch()

    def check_free(self) -> None:
        """Another case may be opened.

        Raises:
            BadInput: when a segmentation runs.
        """
        if self._segment.stage is Stage.SEGMENTING:
            raise BadInput("A segmentation is running; cancel it before you open another case.")

    def next(self) -> None:
        """Open the next case that was not accepted."""
        ids = [case.id for case in self._in_order]
        at = ids.index(self._case.id) + 1 if self._case.id in ids else 0
        for name in ids[at:] + ids[:at]:
            if name != self._case.id and not self.accepted(name):
                self.choose(name)
                return
        self.page.tell("Every case of the folder was accepted.", kind="success")

    def _not_opened(self, sentence: str, log: str) -> None:
        self.page.tell(sentence, log)
        self.page.touch()

    def open_loaded(self, case: Case, loaded: list[LoadedScan], *told: str) -> bool:
        """The scans of a case have come into the scene: they take the place of the open one.

        Args:
            case: whose.
            loaded: its scans.
            told: what the user should know of how they came.

        Returns:
            Whether they have.
        """
        keys = [scan.key for scan in loaded]
        try:
            if self._segment.stage is Stage.SEGMENTING:
                raise BadInput("A segmentation was started meanwhile; open the case after it.")
            self.closing.emit()
        except BadInput as error:
            self._loader.unload(case.id)
            self._not_opened(str(error), "")
            return False
        self._loader.unload(self._case.id, keep=keys)
        self._case.id = case.id
        self._case.sources = {scan.key: scan.source for scan in loaded if scan.source.name}
        said = " ".join(filter(None, told))
        self.page.tell(said, kind="warning")  # what was told of the case before goes
        self._choose_scans(loaded)
        self._case.show()
        self.page.arrive("segment")
        if self._segment.card:
            self._segment.warm_up()
            self.opened.emit(case.id)
        return True

    def arrived(self, came: Received) -> None:
        """A new case lies in the folder: list it and open it."""
        self.look()
        if came.note:
            self.page.tell(came.note, kind="warning")
        mine = [case for case in self._cases if case.id.split("/")[0] == came.folder.name]
        if mine:
            self.page.trying(self.choose, str, str)(mine[0].id, came.note)

    def make_sample(self) -> None:
        """Render a misaligned pair into the folder and open it."""
        if any(case.id == SAMPLE for case in self._cases):
            self.choose(SAMPLE)
            return
        self.state.data.making, before = True, self._case.id

        def done(answer: Message) -> None:
            self.state.data.making = False
            # Whoever went on to something else meanwhile is not pulled away from it.
            if self.page.state.data.step == "cases" and self._case.id == before:
                self.arrived(Received(folder=Path(answer.values["folder"])))
            else:
                self.look()
                self.page.tell("The sample pair lies among the cases.", kind="success")

        def failed(sentence: str, log: str) -> None:
            self.state.data.making = False
            self.page.tell(sentence, log)

        values = {"folder": str(self._folder.inside(SAMPLE))}
        self._runner.start(
            Message(verb="sample", values=values), Listener(finished=done, failed=failed)
        )

    def upload_began(self, step: str) -> None:
        """The page sends files from one of its steps; when that is empty, it has sent them."""
        self.state.data.uploading = bool(step)
        if step in STEPS:
            self.page.go(step)

    def upload_failed(self, words: str) -> None:
        """The page could not send files."""
        self.page.tell(f"The upload failed: {words}.")

    # Private

    @property
    def _in_order(self) -> list[Case]:
        """Those of the review list first."""
        places = {name: place for place, name in enumerate(self._ranked)}
        return sorted(self._cases, key=lambda case: places.get(case.id, len(places)))

    def _is_shown(self, case_id: str, shown: str) -> bool:
        if case_id == self._case.id or shown == ALL:
            return True
        return case_id in self._ranked if shown == LISTED else not self.accepted(case_id)

    def _on_models(self) -> None:
        """The roles that files are told apart by come with the models."""
        if len(self._segment.models.cards) != self._models:
            self._models = len(self._segment.models.cards)
            self.look()

    def _choose_scans(self, loaded: list[LoadedScan]) -> None:
        """Choose a model that takes the roles of the case, and the scans for its roles."""
        segment = self._segment
        roles = {scan.role for scan in loaded if scan.role}
        if not (segment.card and roles & set(segment.card.roles)):
            suited = (card.name for card in segment.models.cards if roles & set(card.roles))
            if name := next(suited, ""):
                segment.choose_model(name)
        known = segment.card.roles if segment.card else ()
        for scan in loaded:
            if scan.role in known:
                segment.set_scan(scan.role, scan.key)
        if not any(scan.role in known for scan in loaded):
            segment.guess()

    def title(self, role: str) -> str:
        """What a clinician calls a role; a role that no model has is called as it is."""
        word = role.strip("'")
        titles = {
            spec.role: spec.title for card in self._segment.models.cards for spec in card.inputs
        }
        return titles.get(word, word)

    def _word(self, case: Case, drafts: set[str]) -> str:
        if case.id == self._loader.loading:
            return "reading…"
        if self.accepted(case.id):
            return "accepted"
        return "draft" if filed(case.id) in drafts else self._ranked.get(case.id, "")

    def _about(self, case: Case) -> str:
        names = [self.title(role) or "scans" for role in case.files]
        doubt = self._case.states.of(case.id).get("doubt", "")
        return " + ".join(names) + (f" · doubt {doubt}" if doubt else "")

    def _want_picture(self, case: Case) -> None:
        if case.id in self._wanted:
            return
        self._wanted.add(case.id)
        files = next(iter(case.files.values()))

        def done(picture: str) -> None:
            self._pictures[case.id] = picture
            self.page.touch()

        path = files[0] if len(files) == 1 else files[0].parent
        self._reader.picture(path, within=self._folder.root, done=done, failed=lambda *_told: None)
