"""Which cases lie in the folder, and which one is open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.session.ports import Listener
from cmcseg.web.folder import Case, filed

if TYPE_CHECKING:
    from cmcseg.web.app import App

SAMPLE = "sample"
CASE = "CMCSeg.case"  # attribute of the scans of the open case


class CasesPanel:
    """The list of cases; a click opens one.

    Args:
        app: the app.

    Attributes:
        open: id of the open case, or empty.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.open = ""
        self._cases: tuple[Case, ...] = ()
        self._pictures: dict[str, str] = {}
        self._wanted: set[str] = set()
        self._seen = -1
        self.notes: dict[str, str] = {}
        app.state.update({"cases": [], "opened": "", "uploading": False, "making": False})
        app.segment.changed.connect(self._on_models)

    def build(self) -> None:
        """Lay the panel out."""
        app = self._app
        with html.Div(v_show="step === 'cases'", classes="pane"):
            html.P("{{ cases.length ? 'Choose a case.' : 'There is no scan in the folder yet.' }}")
            with v.VList(density="compact", lines="two", classes="pa-0 cases"):
                with v.VListItem(
                    v_for="row in cases",
                    key="row.id",
                    active=("row.id === opened",),
                    click=(app.trying(self.choose, str), "[row.id]"),
                    title=("row.id",),
                    subtitle=("row.about",),
                    classes="case",
                ):
                    with v.Template(v_slot_prepend=True):
                        html.Img(v_if="row.picture", src=("row.picture",), classes="thumb", alt="")
                        html.Div(v_else=True, classes="thumb")
                    with v.Template(v_slot_append=True):
                        v.VChip("{{ row.state }}", v_if="row.state", size="x-small", label=True)
            with html.Label(classes="drop", for_="cmcseg-files"):
                v.VIcon("mdi-tray-arrow-down", classes="mr-2")
                html.Span("{{ uploading ? 'Reading…' : 'Drop scans, DICOM files or a zip here' }}")
                html.Input(
                    id="cmcseg-files", type="file", multiple=True, raw_attrs=['data-to="/upload"']
                )
            v.VBtn(
                "Make a sample pair",
                click=app.trying(self.make_sample),
                loading=("making",),
                variant="text",
                size="small",
                prepend_icon="mdi-flask-outline",
                classes="sample",
            )

    def refresh(self) -> None:
        """Show what is in the folder now."""
        drafts = self._app.drafts.cases()
        self._app.state.opened = self.open
        self._app.state.cases = [
            {
                "id": case.id,
                "about": self._about(case),
                "state": self._state(case, drafts),
                "picture": self._pictures.get(case.id, ""),
            }
            for case in self._cases
        ]

    def look(self) -> None:
        """Read the folder again."""
        roles = {role for card in self._app.segment.cards for role in card.roles}
        self._cases = self._app.folder.cases(roles)
        for case in self._cases:
            self._want_picture(case)
        self._app.touch()

    def choose(self, case_id: str) -> None:
        """Open a case: its scans into the scene, its draft on top of them.

        Raises:
            BadInput: when it is gone or cannot be read; the open case stays then.
        """
        app = self._app
        if app.segment.stage.value == "segmenting":
            raise BadInput("A segmentation is running; cancel it before you open another case.")
        case = next((case for case in self._cases if case.id == case_id), None)
        if case is None:
            raise BadInput(f"{case_id} is no longer in the folder.")
        if case_id == self.open:  # reading it again would lose what was found
            app.state.step = "review" if app.review.result else "segment"
            return
        app.reviewing.save_now()
        loaded = self._load(case)
        self._close()
        self.open = case_id
        for role, key in loaded:
            node = app.slicer.scene.GetNodeByID(key)
            node.SetAttribute(CASE, case_id)
            node.SetName(f"{self._title(role) or node.GetName()} of {case_id}")
        self._suit_model({role for role, _ in loaded if role})
        roles = app.segment.card.roles if app.segment.card else ()
        for role, key in loaded:
            if role in roles:
                app.segment.set_scan(role, key)
        if not any(role in roles for role, _ in loaded):
            app.segment.guess()
        self.show()
        app.state.step = "segment"
        if app.segment.card:
            app.segment.warm_up()
            app.reviewing.offer(case_id)

    def show(self) -> None:
        """Show the chosen scans, each in its own view."""
        card = self._app.segment.card
        inputs = {spec.role: spec for spec in card.inputs} if card else {}
        self._app.views.show(self._app.segment.chosen, inputs)

    def arrived(self, folder: Path) -> None:
        """A new case lies in the folder: list it and open it."""
        self.look()
        mine = [case for case in self._cases if case.id.split("/")[0] == folder.name]
        if mine:
            self._app.trying(self.choose, str)(mine[0].id)

    def note(self, case_id: str, words: str) -> None:
        """Say something of a case in the list (its doubt, that it was accepted)."""
        self.notes[case_id] = words
        self._app.touch()

    def make_sample(self) -> None:
        """Render a misaligned pair into the folder and open it."""
        app = self._app
        if any(case.id == SAMPLE for case in self._cases):
            self.choose(SAMPLE)
            return
        app.state.making = True

        def done(answer: Message) -> None:
            app.state.making = False
            self.arrived(Path(answer.values["folder"]))

        def failed(sentence: str, log: str) -> None:
            app.state.making = False
            app.tell(sentence, log)

        values = {"folder": str(app.folder.inside(SAMPLE))}
        app.runner.start(
            Message(verb="sample", values=values), Listener(finished=done, failed=failed)
        )

    # Private

    def _on_models(self) -> None:
        """The roles that files are told apart by come with the models."""
        if len(self._app.segment.cards) != self._seen:
            self._seen = len(self._app.segment.cards)
            self.look()

    def _load(self, case: Case) -> list[tuple[str, str]]:
        """Read the scans of a case; (role, key of the node). None is left when one fails."""
        scene, loaded = self._app.slicer.scene, []
        try:
            for role, files in case.files.items():
                paths = [str(self._app.folder.inside(*_parts(self._app, path))) for path in files]
                nodes = self._app.slicer.io_manager.load_volumes(paths)
                if not nodes or any(node is None for node in nodes):
                    raise BadInput(f"{files[0].name} cannot be read as a scan; it may be damaged.")
                loaded += [(role, node.GetID()) for node in nodes]
        except Exception as error:
            for _, key in loaded:
                scene.RemoveNode(scene.GetNodeByID(key))
            if isinstance(error, BadInput):
                raise
            raise BadInput(f"{case.id} cannot be read: {error}.") from error
        return loaded

    def _close(self) -> None:
        """Take the case that was open out of the scene, all but what was just loaded."""
        app = self._app
        app.editor.drop()
        app.review.clear()
        app.views.clear()
        scene = app.slicer.scene
        for key in self._keys_of_open():
            if node := scene.GetNodeByID(key):
                scene.RemoveNode(node)

    def _keys_of_open(self) -> list[str]:
        app, keys = self._app, []
        for info in app.scene.scans():
            node = app.slicer.scene.GetNodeByID(info.key)
            if node.GetAttribute(CASE) == self.open:
                keys += [
                    app.scene.doubt(info.key),
                    app.scene.disagreement(info.key),
                    app.scene.segmentation(info.key),
                    info.key,
                ]
        return [key for key in keys if key]

    def _suit_model(self, roles: set[str]) -> None:
        """Choose a model that takes the roles of the case, unless the chosen one does."""
        segment = self._app.segment
        if segment.card and roles & set(segment.card.roles):
            return
        for card in segment.cards:
            if roles & set(card.roles):
                segment.choose_model(card.name)
                return

    def _title(self, role: str) -> str:
        """What a clinician calls a role; a role that no model has is called as it is."""
        word = role.strip("'")
        titles = {spec.role: spec.title for card in self._app.segment.cards for spec in card.inputs}
        return titles.get(word, word)

    def _about(self, case: Case) -> str:
        names = [self._title(role) or "scans" for role in case.files]
        note = self.notes.get(case.id, "")
        return " + ".join(names) + (f" · {note}" if note else "")

    def _state(self, case: Case, drafts: set[str]) -> str:
        return "draft" if filed(case.id) in drafts else ""

    def _want_picture(self, case: Case) -> None:
        if case.id in self._wanted:
            return
        self._wanted.add(case.id)
        files = next(iter(case.files.values()))

        def done(answer: Message) -> None:
            self._pictures[case.id] = answer.values["picture"]
            self._app.touch()

        path = files[0] if len(files) == 1 else files[0].parent
        self._app.runner.start(
            Message(verb="thumbnail", values={"scan": str(path)}),
            Listener(finished=done, failed=lambda *_told: None),
        )


def _parts(app: App, path: Path) -> tuple[str, ...]:
    return path.relative_to(app.folder.root).parts
