"""What an entry of the queue holds, as the open case."""

from __future__ import annotations

import numpy as np

from cmcseg.core.messages import Message
from cmcseg.core.prediction import Alignment, Prediction
from cmcseg.core.volume import Volume
from cmcseg.session.learn import LearnSession
from cmcseg.web.case_loader import CaseLoader
from cmcseg.web.case_states import CaseStates
from cmcseg.web.cases_actions import CasesActions
from cmcseg.web.draft_keeper import DraftKeeper
from cmcseg.web.folder import QUEUE, Case


class EntryOpener:
    """Opens accepted pairs: as the case of the folder that they were, or from the queue itself.

    Args:
        session: knows the queue.
        cases: of the folder.
        states: what became of them.
        loader: brings scans into the scene.
        drafts: take the corrections up.
    """

    def __init__(
        self,
        session: LearnSession,
        *,
        cases: CasesActions,
        states: CaseStates,
        loader: CaseLoader,
        drafts: DraftKeeper,
    ) -> None:
        self._session, self._cases, self._states = session, cases, states
        self._loader, self._drafts = loader, drafts
        session.opened.connect(self._on_opened)
        session.removed.connect(lambda entry: self._turn(entry, "accepted", "taken_out"))
        session.restored.connect(lambda entry: self._turn(entry, "taken_out", "accepted"))

    def cases(self) -> dict[str, str]:
        """The folder's cases by the pair that each was accepted as."""
        entries = {name: self._states.of(name).get("accepted", "") for name in self._cases.titles}
        return {entry.rpartition(".r")[0]: name for name, entry in entries.items() if entry}

    def titles(self) -> dict[str, str]:
        """What the list calls them."""
        return {pair: self._cases.titles[name] for pair, name in self.cases().items()}

    def open(self, entry: str) -> None:
        """Open the case that was accepted as an entry, or what the entry holds.

        Raises:
            BadInput: when a segmentation runs.
        """
        name = self.cases().get(entry.rpartition(".r")[0], "")
        if name:
            self._cases.choose(name)
        else:
            self._cases.check_free()
            self._cases.page.asked()
            self._session.open_entry(entry)

    def _turn(self, entry: str, before: str, after: str) -> None:
        """An entry left the queue, or came back: so does the case that it was."""
        for name in self._cases.titles:
            if self._states.of(name).get(before) == entry:
                self._states.set(name, **{before: "", after: entry})
        self._cases.page.touch()

    def _on_opened(self, answer: Message) -> None:
        self._cases.page.trying(self._show, Message)(answer)

    def _show(self, answer: Message) -> None:
        values = answer.values
        case = Case(id=f"{QUEUE}/{values['pair']}", files={})
        called = self._session.title(values["pair"])
        loaded = self._loader.put(case.id, called, answer.volumes, self._cases.title)
        self._states.set(case.id, accepted=values["id"])
        drawn = {role: answer.label_maps[f"corrected {role}"] for role in answer.volumes}
        if self._cases.open_loaded(case, loaded) and not self._drafts.is_kept(case.id):
            self._drafts.show_accepted(found_in(answer), drawn)


def found_in(answer: Message) -> Prediction:
    """What the model had found, by what the queue keeps of it: no doubt was kept."""
    values, volumes = answer.values, answer.volumes
    alignment = values["alignment"]
    return Prediction(
        labels={role: answer.label_maps[f"found {role}"] for role in volumes},
        doubt={
            role: Volume(array=np.zeros(volume.grid.shape, np.float32, order="F"), grid=volume.grid)
            for role, volume in volumes.items()
        },
        alignment=Alignment.from_dict(alignment) if alignment and len(volumes) == 2 else None,
        **{name: values[name] for name in ("model", "version", "sha256")},
    )
