"""One worker: a process of its own, spoken to in JSON lines, ended with everything it started.

Threads keep the window free: one writes requests and their volumes, one reads answers and theirs,
one keeps what the worker says on its error stream, one waits for its end.
"""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import Any

from cmcseg.core.isolation import system_program
from cmcseg.core.messages import Message, read_message, write_message
from cmcseg.session.background import sentence_of
from cmcseg.session.i18n import _

TAIL = 20  # lines of the error stream that are kept for the sentence
QUIET = 5.0  # seconds that an ending process is waited for


class WorkerProcess:
    """A running worker.

    Args:
        command: program and arguments; the folder for volumes is added to them.
        environment: of the process.
        log: file that receives its error stream.

    Attributes:
        news: what happened, one tuple each: ``("event", dict, Message | None)``,
            ``("refused", id, sentence)`` for a request that could not be written, and in the end
            ``("gone", exit code)``.

    Raises:
        OSError: when the program cannot be started, or there is no room for its folder.
    """

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.news: queue.SimpleQueue = queue.SimpleQueue()
        self.log = log
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._wanted: queue.SimpleQueue = queue.SimpleQueue()
        self._killing = threading.Lock()
        self._log = log.open("ab")
        self.folder = Path(tempfile.mkdtemp(prefix="cmcseg-"))  # readable by this user only
        try:
            # The type of a pipe says "or None"; ours are there.
            self._process: Any = subprocess.Popen(
                [*command, "--folder", str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.folder,  # wherever the window was started, nothing there is meant for it
                env={**environment, "PYTHONIOENCODING": "utf-8:replace"},
                **OWN_GROUP,
            )
        except OSError:
            self._log.close()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self._threads = [
            threading.Thread(target=work, name=f"cmcseg-{work.__name__}", daemon=True)
            for work in (self._listen, self._write, self._read, self._wait)
        ]  # in this order: reading ends by waiting for the listener
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """Of the process that was started; its children belong to the same group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def send(self, number: int, request: Message) -> None:
        """Hand over a request; a thread writes it."""
        self._wanted.put((number, request))

    def end(self) -> None:
        """Kill the process and everything it started; ``gone`` follows. Returns at once."""
        self._wanted.put(None)
        threading.Thread(target=self._kill, name="cmcseg-kill", daemon=True).start()

    def end_now(self) -> None:
        """As ``end``, but returns when nothing is left."""
        self._wanted.put(None)
        self._kill()
        for thread in self._threads:
            thread.join(QUIET)
        shutil.rmtree(self.folder, ignore_errors=True)

    def last_words(self) -> str:
        """The last line of its error stream that says something."""
        return next((line for line in reversed(self._tail) if line.strip()), "").strip()

    def _write(self) -> None:
        while (item := self._wanted.get()) is not None:
            number, request = item
            line = {"id": number, "verb": request.verb, "values": request.values}
            path = self.folder / f"request-{number}.npz"
            try:
                if request.has_arrays:
                    write_message(request, path)
                    line["file"] = str(path)
                self._process.stdin.write(json.dumps(line).encode("utf-8") + b"\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                break  # it is gone; the reader tells
            except OSError as error:
                path.unlink(missing_ok=True)
                self.news.put(("refused", number, _no_room(self.folder, error)))
            except Exception as error:
                self.news.put(("refused", number, sentence_of(error)))
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def _read(self) -> None:
        for raw in self._process.stdout:
            try:
                event = json.loads(raw.decode("utf-8", errors="replace"))
            except ValueError:
                continue  # a library's own print
            answer = None
            if path := event.get("file"):
                try:
                    answer = read_message(Path(path))
                except Exception as error:
                    event = {"id": event.get("id"), "event": "failed", "text": sentence_of(error)}
                Path(path).unlink(missing_ok=True)
            self.news.put(("event", event, answer))
        self._process.stdout.close()
        code = self._process.wait()
        self._wanted.put(None)
        self._threads[0].join(QUIET)  # its last words belong to the news
        shutil.rmtree(self.folder, ignore_errors=True)
        self.news.put(("gone", code))

    def _listen(self) -> None:
        for raw in self._process.stderr:
            with contextlib.suppress(OSError):  # a full disk must not stop the worker
                self._log.write(raw)
                self._log.flush()
            self._tail.append(raw.decode("utf-8", errors="replace").rstrip())
        self._process.stderr.close()
        self._log.close()

    def _wait(self) -> None:
        self._process.wait()
        self._kill()  # children that outlive it, and hold its streams open

    def _kill(self) -> None:
        with self._killing:
            kill_tree(self._process)


if sys.platform == "win32":
    FLAGS = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    OWN_GROUP: dict[str, Any] = {"creationflags": FLAGS}

    def kill_tree(process: subprocess.Popen) -> None:
        """End a process and everything it started."""
        words = [system_program("taskkill"), "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(words, capture_output=True, check=False)
else:
    OWN_GROUP: dict[str, Any] = {"start_new_session": True}

    def kill_tree(process: subprocess.Popen) -> None:
        """End a process and everything it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _no_room(folder: Path, error: OSError) -> str:
    sentence = _(
        "The scans could not be handed to the worker, as {folder} does not take them ({reason}); "
        "make room there and try again."
    )
    return sentence.format(folder=folder.parent, reason=error.strerror or error)
