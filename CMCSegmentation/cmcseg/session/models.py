"""The models at hand, as the worker tells of them; here they come and go."""

from collections.abc import Callable
from pathlib import Path

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.session.i18n import _
from cmcseg.session.ports import Listener, Runner


class Models:
    """A list of models. Called, and answering, on the host's main thread.

    Args:
        runner: where the models lie and are changed.
        loaded: called with the name that is to be chosen, or empty, whenever the list is new.
        failed: called with a sentence and the path of a log, or empty.

    Attributes:
        cards: of the models, empty until ``load`` was answered.
        folders: where each lies, by name, in the version that is in use.
        tasks: titles, by name, of tasks that came with the program and have no model.
        trouble: why there is no list, one sentence, or empty.
    """

    def __init__(
        self,
        runner: Runner,
        loaded: Callable[[str], None],
        failed: Callable[[str, str], None],
    ) -> None:
        self.cards: tuple[ModelCard, ...] = ()
        self.folders: dict[str, str] = {}
        self.tasks: dict[str, str] = {}
        self.trouble = ""
        self._runner, self._loaded, self._failed = runner, loaded, failed
        self._own: tuple[str, ...] = ()

    def named(self, name: str) -> ModelCard:
        """The card of a model.

        Raises:
            BadInput: when there is no model of that name.
        """
        for card in self.cards:
            if card.name == name:
                return card
        known = ", ".join(card.name for card in self.cards) or _("none")
        sentence = _("There is no model {name!r}; there are: {known}.")
        raise BadInput(sentence.format(name=name, known=known))

    def load(self, select: str = "") -> None:
        """Ask which models there are.

        Args:
            select: name of the model to choose then, if it is among them.
        """

        def finished(answer: Message) -> None:
            values = answer.values
            self.cards = tuple(ModelCard.from_dict(card) for card in values["cards"])
            self.folders, self._own = values["folders"], tuple(values["own"])
            self.tasks = dict(values["tasks"])
            self.trouble = ""
            self._loaded(select)
            for sentence in values["damaged"]:
                self._failed(sentence, "")

        def failed(sentence: str, log: str) -> None:
            self.trouble = sentence
            self._failed(sentence, log)

        self._runner.start(Message(verb="models"), Listener(finished=finished, failed=failed))

    def import_(self, source: Path, over: Callable[[], None] = lambda: None) -> None:
        """Take over a model from a folder or a zip archive, and choose it.

        Args:
            source: the folder or archive.
            over: called in the end, whether it was taken or not.
        """
        # The worker lives in another folder.
        self._change("import-model", {"source": str(Path(source).absolute())}, over)

    def extend(self, name: str, organ: str) -> None:
        """Make a model with room for one organ more, which a fine-tuning can teach it; choose it.

        Raises:
            BadInput: when the organ has no name, or the model knows it.
        """
        organ = organ.strip()
        if not organ:
            raise BadInput(_("Give the organ a name."))
        if organ.casefold() in [label.name.casefold() for label in self.named(name).table]:
            raise BadInput(_("The model knows the {organ} already.").format(organ=organ))
        self._change("extend-model", {"model": name, "organ": organ})

    def begin(self, task: str, over: Callable[[], None] = lambda: None) -> None:
        """Make a model of a task that has learned nothing yet, and choose it.

        Its scans are drawn and accepted as with any other; a fine-tuning teaches it from nothing.

        Args:
            task: one of ``tasks``, or the path of a task's file.
            over: called in the end, whether it was made or not.
        """
        if task not in self.tasks:
            task = str(Path(task).absolute())  # the worker lives in another folder
        self._change("begin-model", {"task": task}, over)

    def remove(self, name: str) -> None:
        """Delete a model that was imported."""
        self._change("remove-model", {"model": name})

    def why_not_remove(self, card: ModelCard | None) -> str:
        """One sentence saying why a model stays, or empty when it can go."""
        if card is None:
            return _("There is no model to remove.")
        if card.name not in self._own:
            sentence = _("{title} came with the program; only imported models can be removed.")
            return sentence.format(title=card.title)
        return ""

    def _change(self, verb: str, values: dict, over: Callable[[], None] = lambda: None) -> None:
        def finished(answer: Message) -> None:
            over()
            self.load(select=answer.values["name"])

        def failed(sentence: str, log: str) -> None:
            over()
            self._failed(sentence, log)

        listener = Listener(finished=finished, failed=failed, cancelled=over)
        self._runner.start(Message(verb=verb, values=values), listener)
