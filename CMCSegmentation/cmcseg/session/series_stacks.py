"""What else the DICOM series of a scan holds: its other echoes, phases and acquisitions.

A host loads a series its own way, perhaps several stacks of slices as one volume. Where it knows
the files, a worker looks at the headers; every stack that is not in the scene is offered, and the
chosen one is read by the same code as everywhere.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cmcseg.core.messages import Message
from cmcseg.core.signal import Signal
from cmcseg.session.i18n import _
from cmcseg.session.ports import Listener, Runner, ScanInfo, Scene
from cmcseg.session.reading import numbered

MOST = 12  # stacks that a list offers


@dataclass(frozen=True, kw_only=True)
class _Stack:
    """One stack of a series.

    Attributes:
        source: as every reader takes it: ``FILE``, ``FILE#2``.
        title: what a list shows.
        images: UIDs of its DICOM images.
    """

    source: Path
    title: str
    images: frozenset[str]


class SeriesStacks:
    """The stacks of slices in the series of the chosen scans.

    Args:
        scene: holds the scans.
        runner: where files are read.
        file_of: the file of a DICOM image by its UID; empty where nobody knows it.

    Attributes:
        changed: ``()`` more is known.
        told: ``(sentence, log path or "")``: how a stack was read, or why it was not.
    """

    def __init__(self, scene: Scene, runner: Runner, file_of: Callable[[str], str]) -> None:
        self.changed, self.told = Signal(), Signal()
        self._scene, self._runner, self._file_of = scene, runner, file_of
        self._known: dict[tuple[str, ...], tuple[_Stack, ...]] = {}  # by the images of a scan
        self._offers: dict[str, tuple[_Stack, str]] = {}  # a stack, and the scan beside it
        self._reading: _Stack | None = None
        scene.closed.connect(self._on_closed)

    def close(self) -> None:
        """Let go of the scene."""
        self._scene.closed.disconnect(self._on_closed)

    def ask(self, keys: Iterable[str]) -> None:
        """Look once at the series of each scan; ``changed`` follows where it holds several."""
        infos = self._infos()
        for key in keys:
            images = infos[key].images if key in infos else ()
            if images and images not in self._known:
                self._known[images] = ()
                if file := self._file_of(images[0]):
                    self._look(images, Path(file))

    def offered(self, key: str) -> list[tuple[str, str]]:
        """What a list offers beside a scan: titles, and the keys by which ``load`` knows them."""
        infos = self._infos()
        there = {frozenset(info.images) for info in infos.values()}
        left = [stack for stack in self._stacks(infos, key) if stack.images not in there]
        offers = {f"{stack.source} beside {key}": (stack, key) for stack in left[:MOST]}
        self._offers |= offers
        return [(stack.title, name) for name, (stack, _beside) in offers.items()]

    def is_offer(self, key: str) -> bool:
        """Whether a key is one of ``offered``, no scan's."""
        return key in self._offers

    def note(self, key: str) -> str:
        """One sentence when a scan mixes stacks, or is one of several; else empty."""
        if self._reading:
            return _("Reading {title}.").format(title=self._reading.title)
        infos = self._infos()
        stacks = self._stacks(infos, key)
        shown = [stack for stack in stacks if stack.images & set(infos[key].images)]
        if len(shown) > 1:
            sentence = _(
                "{name} mixes {shown} of the {count} stacks of slices in its series; choose one of "
                "them in the list above."
            )
        elif shown:
            sentence = _(
                "{name} is one of {count} stacks of slices in its series; the list above has the "
                "others."
            )
        else:
            return ""
        return sentence.format(name=infos[key].name, shown=len(shown), count=len(stacks))

    def load(self, offer: str, done: Callable[[str], None]) -> None:
        """Read a stack into the scene.

        Args:
            offer: key of one of ``offered``.
            done: called with the key of the new scan; where there is none, ``told`` says why.
        """
        stack, beside = self._offers[offer]
        self._reading = stack

        def finished(answer: Message) -> None:
            if self._reading is not stack:
                return  # another was chosen, or the scene was closed
            self._reading = None
            scan = answer.volumes["scan"]
            done(self._scene.put(scan, stack.title, beside, sorted(stack.images)))
            self.changed.emit()
            if notes := " ".join(answer.values["notes"]):
                self.told.emit(notes, "")

        def failed(*told: str) -> None:
            self._reading = None
            self.changed.emit()
            if told:
                self.told.emit(*told)

        values = {"path": str(stack.source), "within": str(stack.source.parent)}
        self._runner.start(
            Message(verb="read-scan", values=values),
            Listener(finished=finished, failed=failed, cancelled=failed),
        )
        self.changed.emit()

    # Private

    def _look(self, images: tuple[str, ...], file: Path) -> None:
        def finished(answer: Message) -> None:
            titles, uids = answer.values["titles"], answer.values["images"]
            if len(titles) > 1:
                self._known[images] = tuple(
                    _Stack(
                        source=numbered(file, number),
                        title=f"#{number} {title}",
                        images=frozenset(mine),
                    )
                    for number, (title, mine) in enumerate(zip(titles, uids, strict=True), 1)
                )
                self.changed.emit()

        # What cannot be read this way was loaded the host's own way; nothing is offered beside it.
        self._runner.start(
            Message(verb="series-stacks", values={"file": str(file)}),
            Listener(finished=finished, failed=lambda *_told: None),
        )

    def _infos(self) -> dict[str, ScanInfo]:
        return {info.key: info for info in self._scene.scans()}

    def _stacks(self, infos: dict[str, ScanInfo], key: str) -> tuple[_Stack, ...]:
        return self._known.get(infos[key].images, ()) if key in infos else ()

    def _on_closed(self) -> None:
        self._known.clear()
        self._offers.clear()
        self._reading = None
