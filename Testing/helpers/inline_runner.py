"""A runner without a process: the work is done within ``pump``. For tests."""

from collections.abc import Callable

from cmcseg.core.errors import Cancelled
from cmcseg.core.messages import Message
from cmcseg.core.progress import Progress, Report
from cmcseg.core.steps import Steps
from cmcseg.session.background import BackgroundTasks, Done, Failed, sentence_of
from cmcseg.session.ports import Listener

Handle = Callable[[Message, Report], Message]


class InlineRunner:
    """Answer requests by calling a function.

    Args:
        handle: gets the request and a function to report progress to, returns the answer; its
            exceptions become failures.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._line: list[tuple[int, Message, Listener]] = []
        self._background = BackgroundTasks()
        self._last = 0
        self._running = 0
        self._stop = False

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        return bool(self._line or self._running or self._background.busy)

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
        """Stop a request: a waiting one at once, the running one at its next report."""
        if job == self._running:
            self._stop = True
        for item in [item for item in self._line if item[0] == job]:
            self._line.remove(item)
            item[2].cancelled()

    def pump(self) -> None:
        """Do the first request of the line, wholly."""
        self._background.pump()
        if not self._line or self._running:
            return
        job, request, listener = self._line.pop(0)
        self._running, self._stop = job, False

        def report(progress: Progress) -> None:
            listener.progressed(progress)
            if self._stop:
                raise Cancelled

        try:
            answer = self._handle(request, report)
        except Cancelled:
            self._running = 0
            listener.cancelled()
        except Exception as error:
            self._running = 0
            listener.failed(sentence_of(error), "")
        else:
            self._running = 0
            listener.finished(answer)

    def finish(self) -> None:
        """Pump until nothing is left to do."""
        while self.busy:
            self.pump()

    def close(self) -> None:
        """Forget what waits."""
        self._line.clear()
        self._background.close()
