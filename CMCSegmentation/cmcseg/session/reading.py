"""Scans of files that nobody vouches for: read by ``imaging``, in a process of their own.

A host makes one reader beside its runner, pumps it as it pumps the runner, and puts what it is
handed into its scene::

    reader = ScanReader(reading_runner(sys.executable, logs=logs))
    job = reader.read(path, within=folder, done=on_scan, failed=on_trouble)
    reader.pump()  # from the timer
    reader.close()

``on_scan(scan)`` gets ``scan.volume`` (its array is laid out with i running fastest, so that VTK
can take it as it lies; ``facts`` hold "modality" and "series" where known) and ``scan.notes``, the
sentences that belong beside it on the screen. ``on_trouble(sentence, log)`` gets one sentence; so
it does when the file ended its reader or took too long.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cmcseg.core.messages import Message
from cmcseg.core.volume import Volume
from cmcseg.session.i18n import _
from cmcseg.session.ports import Listener
from cmcseg.session.process_runner import LAUNCHER, ProcessRunner, cause_of_end

TOO_LONG = -getattr(signal, "SIGALRM", 14)  # how a process ends whose time is over


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadScan:
    """One scan as it was read.

    Attributes:
        volume: what the file holds; ``array`` is ``(I, J, K)`` in Fortran order.
        notes: what the user should know: slices that were interpolated, files that were passed
            over, a voxel size that was assumed.
        stacks: titles of all stacks that a DICOM folder holds, for a list to choose from.
        stack: number of the one that was read, from 1.
    """

    volume: Volume
    notes: tuple[str, ...]
    stacks: tuple[str, ...] = ()
    stack: int = 1


class ScanReader:
    """Reads scans; requests wait in line.

    Args:
        runner: of ``reading_runner``; it is closed with the reader.
    """

    def __init__(self, runner: ProcessRunner) -> None:
        self._runner = runner

    @property
    def busy(self) -> bool:
        """Whether anything is still to be read."""
        return self._runner.busy

    def read(
        self,
        path: Path,
        *,
        within: Path,
        done: Callable[[ReadScan], None],
        failed: Callable[[str, str], None],
        stack: int = 1,
    ) -> int:
        """Read a file or a DICOM folder; returns the number to cancel it by.

        Args:
            path: what to read.
            stack: which stack of a DICOM folder, from 1.
            within: a folder that nothing may lead out of: no link, no data file.
            done, failed: exactly one of them is called, within ``pump``.
        """
        values = {"path": str(numbered(path, stack)), "within": str(within)}

        def finished(answer: Message) -> None:
            values = answer.values
            scan = ReadScan(
                volume=answer.volumes["scan"],
                notes=tuple(values["notes"]),
                stacks=tuple(values["stacks"]),
                stack=values["stack"],
            )
            done(scan)

        return self._start("read-scan", values, path, finished, failed)

    def picture(
        self,
        path: Path,
        *,
        within: Path,
        done: Callable[[str], None],
        failed: Callable[[str, str], None],
    ) -> int:
        """A small picture of the middle axial plane, as a data address."""
        values = {"scan": str(path), "within": str(within)}
        return self._start(
            "thumbnail", values, path, lambda answer: done(answer.values["picture"]), failed
        )

    def cancel(self, job: int) -> None:
        """Stop reading; nothing is told."""
        self._runner.cancel(job)

    def pump(self) -> None:
        """Tell what was read."""
        self._runner.pump()

    def close(self) -> None:
        """End the process."""
        self._runner.close()

    def _start(
        self,
        verb: str,
        values: dict,
        path: Path,
        finished: Callable[[Message], None],
        failed: Callable[[str, str], None],
    ) -> int:
        def on_failed(sentence: str, log: str) -> None:
            failed(sentence.replace("{name}", path.name), log)

        return self._runner.start(
            Message(verb=verb, values=values), Listener(finished=finished, failed=on_failed)
        )


def numbered(path: Path, stack: int) -> Path:
    """A stack of a DICOM folder as every reader takes it: ``FOLDER``, ``FOLDER#2``."""
    return path if stack == 1 else path.with_name(f"{path.name}#{stack}")


def reading_runner(
    python: str | list[str],
    *,
    environment: dict[str, str] | None = None,
    logs: Path | None = None,
) -> ProcessRunner:
    """A runner whose process reads scans and can do nothing else; see ``ProcessRunner``."""
    return ProcessRunner(
        python, "--reading", environment=environment, logs=logs, cause=cause_of_death
    )


def cause_of_death(code: int, words: str) -> str:
    """Why a reader is gone; ``{name}`` stands for the file that it read."""
    if code == TOO_LONG:
        return _(
            "{name} was not read to its end within five minutes; it is damaged, or far too large: "
            "export it again."
        )
    if code > 0 and LAUNCHER not in words:
        return cause_of_end(code, words)
    return _(
        "{name} could not be read: its reader crashed or ran out of memory. The file is damaged "
        "or was made to do harm; export it again, or convert it to NIfTI."
    )
