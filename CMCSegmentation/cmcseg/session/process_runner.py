"""A runner that keeps one worker process warm, and starts another one when it is gone."""

import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cmcseg.core.isolation import isolated, isolated_environment
from cmcseg.core.messages import Message
from cmcseg.core.privacy import private_folder
from cmcseg.core.progress import Progress
from cmcseg.core.steps import Steps
from cmcseg.session.background import BackgroundTasks, Done, Failed
from cmcseg.session.i18n import _
from cmcseg.session.ports import Listener
from cmcseg.session.worker_process import WorkerProcess

IDLE_SECONDS = 600.0  # a worker nobody needs gives its memory, and the GPU's, back
LOGS_KEPT = 10
LAUNCHER = "exit abnormally"  # PythonSlicer hides the signal that ended the Python it started


class ProcessRunner:
    """Run requests in ``cmcseg work``, one after the other.

    Args:
        python: the Python to start, with options if it needs any; inside Slicer this is
            PythonSlicer, as ``sys.executable`` may be empty there.
        options: of ``work``.
        environment: of the worker; None inherits.
        logs: folder for the workers' log files; the system's folder for temporary files when None.
        idle_seconds: after which a worker without work is ended.
        cause: the sentence for a worker that is gone, by its exit code and last words.
    """

    def __init__(
        self,
        python: str | list[str],
        *options: str,
        environment: dict[str, str] | None = None,
        logs: Path | None = None,
        idle_seconds: float = IDLE_SECONDS,
        cause: Callable[[int, str], str] | None = None,
    ) -> None:
        program = [python] if isinstance(python, str) else list(python)
        self._command = [*isolated(program, "cmcseg"), "work", *options]
        self._environment = isolated_environment(environment or dict(os.environ))
        self._logs = logs or _own_logs()
        self._idle_seconds = idle_seconds
        self._cause = cause or cause_of_end
        self._line: list[tuple[int, Message, Listener]] = []
        self._running: tuple[int, Listener] | None = None
        self._ending = False
        self._worker: WorkerProcess | None = None
        self._background = BackgroundTasks()
        self._last = 0
        self._idle_since = time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        return bool(self._line or self._running or self._background.busy)

    @property
    def pid(self) -> int:
        """Process id of the warm worker, or 0."""
        return self._worker.pid if self._worker else 0

    @property
    def log(self) -> str:
        """Path of the newest log, or empty."""
        return str(self._worker.log) if self._worker else ""

    def start(self, request: Message, listener: Listener) -> int:
        """Put a request in line."""
        self._last += 1
        self._line.append((self._last, request, listener))
        return self._last

    def steps(self, work: Steps, done: Done, failed: Failed) -> None:
        """Drive a generator of the scene."""
        self._background.steps(work, done, failed)

    def aside(self, work: Callable[[], object], done: Done, failed: Failed) -> None:
        """Run a function in a thread."""
        self._background.aside(work, done, failed)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call a function after a pause."""
        self._background.later(seconds, call)

    def cancel(self, job: int) -> None:
        """Stop a request; the one that runs takes its whole process tree with it.

        Killing is the only way that surely stops a network half-way and frees the GPU within a
        second. The next request starts a new worker.
        """
        if self._worker and self._running and self._running[0] == job and not self._ending:
            self._ending = True
            self._worker.end()
        for item in [item for item in self._line if item[0] == job]:
            self._line.remove(item)
            item[2].cancelled()

    def pump(self) -> None:
        """Deliver what happened, send what waits."""
        self._background.pump()
        self._deliver()
        if self._line and not self._running:
            self._send()
        elif self._worker and not self._running:
            self._rest()

    def close(self) -> None:
        """End everything; returns when no process is left."""
        self._line.clear()
        self._running = None
        self._background.close()
        worker, self._worker = self._worker, None
        if worker:
            worker.end_now()

    def finish(self) -> None:
        """Pump until nothing is left to do. For scripts; a window uses a timer."""
        while self.busy:
            self.pump()
            time.sleep(0.01)

    def _send(self) -> None:
        if self._worker and not self._worker.alive:
            self._worker = None  # it was ended while nobody needed it: no news for anybody
        number, request, listener = self._line.pop(0)
        if self._worker is None:
            try:
                self._worker = WorkerProcess(self._command, self._environment, self._new_log())
            except OSError as error:
                sentence = _(
                    "The worker cannot be started with {program} ({reason}); check the "
                    "installation."
                )
                reason = error.strerror or error
                listener.failed(sentence.format(program=self._command[0], reason=reason), "")
                return
        self._running, self._ending = (number, listener), False
        self._worker.send(number, request)

    def _deliver(self) -> None:
        worker, latest = self._worker, None
        while worker and self._running and not worker.news.empty():
            kind, *rest = worker.news.get()
            number, listener = self._running
            if kind == "gone":
                self._on_gone(worker, rest[0])
            elif kind == "refused":
                if rest[0] == number:
                    self._finish(listener.failed, rest[1], "")
            elif rest[0].get("id") == number and not self._ending:
                event, answer = rest
                if event["event"] == "progress":
                    latest = (listener, event)  # older ones would only cost time
                    continue
                self._on_end(listener, event, answer)
            latest = None
        if latest:
            listener, event = latest
            listener.progressed(
                Progress(
                    stage=event["stage"],
                    done=event["done"],
                    total=event["total"],
                    seconds_left=event["seconds_left"],
                    measures=event["measures"],
                )
            )

    def _on_end(self, listener: Listener, event: dict, answer: Message | None) -> None:
        if event["event"] == "finished":
            plain = Message(verb=event["verb"], values=event["values"])
            self._finish(listener.finished, answer or plain)
        elif event["event"] == "failed":
            self._finish(listener.failed, event["text"], self._worker and str(self._worker.log))

    def _on_gone(self, worker: WorkerProcess, code: int) -> None:
        assert self._running  # only a request that runs hears of its worker's end
        listener = self._running[1]
        self._worker = None
        if self._ending:
            self._finish(listener.cancelled)
        else:
            self._finish(listener.failed, self._cause(code, worker.last_words()), str(worker.log))

    def _finish(self, tell: Callable, *values: object) -> None:
        self._running, self._ending = None, False
        self._idle_since = time.monotonic()
        tell(*values)

    def _rest(self) -> None:
        if self._worker and time.monotonic() - self._idle_since > self._idle_seconds:
            worker, self._worker = self._worker, None
            worker.end()

    def _new_log(self) -> Path:
        """A file of its own; where the folder for logs does not take one, among temporary files."""
        try:
            private_folder(self._logs)
            old = sorted(self._logs.glob("worker-*.log"))
            for path in old[: max(0, len(old) - LOGS_KEPT + 1)]:
                path.unlink(missing_ok=True)
            return _fresh_log(self._logs)
        except OSError:
            return _fresh_log(None)


def _fresh_log(folder: Path | None) -> Path:
    prefix = time.strftime("worker-%Y%m%d-%H%M%S-")
    descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=".log", dir=folder)
    os.close(descriptor)
    return Path(name)


def _own_logs() -> Path:
    """A folder of this user's alone: the temporary files of Linux are everybody's."""
    who = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    return Path(tempfile.gettempdir()) / f"cmcseg-logs{who}"


def cause_of_end(code: int, words: str) -> str:
    """Why a worker is gone, and what to do, in one sentence."""
    if missing := re.search(r"No module named '([^']+)'", words):
        sentence = _(
            "The worker could not start, as the Python package {name} is missing; install the "
            "requirements of CMCSeg and try again."
        )
        return sentence.format(name=missing[1])
    if LAUNCHER in words:
        return _(
            "The worker was killed from outside or crashed, as happens when memory runs out; close "
            "other programs and try again."
        )
    if code == -9:
        return _(
            "The worker was killed from outside, as happens when memory runs out; close other "
            "programs and try again."
        )
    if code < 0:
        sentence = _(
            "The worker crashed (signal {number}); try again, and see the log if it recurs."
        )
        return sentence.format(number=-code)
    said = f": {words}" if words else ""
    sentence = _(
        "The worker ended unexpectedly (exit code {code}){said}; try again, or see the log."
    )
    return sentence.format(code=code, said=said)
