"""How two chosen scans lie to each other, asked of the worker before anything is segmented."""

from collections.abc import Callable

from cmcseg.core.messages import Message
from cmcseg.session.ports import Listener, Runner, Scene


class Placement:
    """The line about a pair; one question at a time, and the answer of an older pair is dropped.

    Args:
        scene, runner: as in the session.
        changed: called when an answer came.

    Attributes:
        sentence: how the scans lie to each other, or empty while nobody has said so.
        refusal: why they cannot be taken as they lie, or empty.
    """

    def __init__(self, scene: Scene, runner: Runner, changed: Callable[[], None]) -> None:
        self.sentence = self.refusal = ""
        self._scene, self._runner, self._changed = scene, runner, changed
        self._scans: dict[str, str] = {}
        self._asked: tuple = ()  # what the line is, or will be, about
        self._waiting = False

    def ask(self, scans: dict[str, str]) -> None:
        """Ask about a pair, unless it is the one that is known; anything but a pair has no line.

        Args:
            scans: key of the scan by what people call it ("CT").
        """
        self._scans = dict(scans)
        keys = list(scans.values())
        infos = {scan.key: scan for scan in self._scene.scans()}
        usable = all(key in infos and not infos[key].refusal for key in keys)
        if len(keys) != 2 or keys[0] == keys[1] or not usable:
            self._asked, self.sentence, self.refusal = (), "", ""
            return
        values = {
            "grids": [self._scene.grid(key).to_dict() for key in keys],
            "titles": list(scans),
        }
        asked = (tuple(keys), str(values))
        if asked == self._asked:
            return
        self._asked, self.sentence, self.refusal = asked, "", ""
        if self._waiting:  # a transform that is dragged changes faster than anybody answers
            return
        self._waiting = True

        def finished(answer: Message) -> None:
            self._waiting = False
            if self._asked == asked:
                self.sentence = answer.values["sentence"]
                self.refusal = answer.values["refusal"]
                self._changed()
            else:
                again()

        def failed(*_told: str) -> None:
            self._waiting = False
            if self._asked != asked:
                again()  # of the pair that was chosen meanwhile nobody has been asked yet
            else:
                self._asked = ()  # the line stays empty; Segment tells what is wrong

        def again() -> None:
            self._asked = ()
            self.ask(self._scans)

        self._runner.start(
            Message(verb="describe", values=values),
            Listener(finished=finished, failed=failed, cancelled=failed),
        )
