"""The worker's loop: one JSON request a line on stdin, JSON events on stdout.

    {"id": 1, "verb": "segment", "values": {...}, "file": "request-1.npz"}
    {"id": 1, "event": "progress", "stage": "...", "done": 0.4, "total": 1.0, ...}
    {"id": 1, "event": "finished", "verb": "segment", "values": {...}, "file": "..."}
    {"id": 1, "event": "failed", "text": "one sentence"}

When stdin ends, whoever asked is gone, and so is the worker at once.
"""

import contextlib
import json
import os
import queue
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from cmcseg.core.errors import CMCSegError
from cmcseg.core.messages import Message, read_message, write_message
from cmcseg.core.progress import Progress
from cmcseg.worker.model_cache import ModelCache
from cmcseg.worker.reading_limits import SECONDS, confined, limit_seconds
from cmcseg.worker.reading_verbs import READING_VERBS
from cmcseg.worker.verbs import VERBS, Verb

EVERY = 0.1  # seconds between two reports; a window shows no more


def serve(folder: Path, *, reading: bool = False) -> None:
    """Answer requests until stdin ends.

    Args:
        folder: for arrays, private to this worker; removed with it.
        reading: read scans and nothing else, with limits on memory and time.
    """
    os.umask(0o077)  # what it writes is about patients
    if reading:
        confined()
    channel = _take_stdout()
    lines: queue.SimpleQueue = queue.SimpleQueue()
    threading.Thread(target=_read_lines, args=(lines, folder), daemon=True).start()
    cache = ModelCache(folder=folder)
    while True:
        request = json.loads(lines.get())
        limit_seconds(SECONDS if reading else 0)
        event = _answer(request, cache, channel, READING_VERBS if reading else VERBS)
        limit_seconds(0)
        channel.say({"id": request["id"], **event})


class Channel:
    """The line back to whoever asks."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "wb", buffering=0)

    def say(self, event: dict) -> None:
        """Send one event; when nobody listens any more, the end of stdin will tell."""
        with contextlib.suppress(BrokenPipeError):
            self._file.write(json.dumps(event).encode("utf-8") + b"\n")


def _answer(request: dict, cache: ModelCache, channel: Channel, verbs: dict[str, Verb]) -> dict:
    """Do what a request asks for; the event that ends it."""
    last = [-EVERY]

    def report(progress: Progress) -> None:
        now = time.monotonic()
        if now - last[0] >= EVERY or progress.measures:
            last[0] = now
            channel.say({"id": request["id"], "event": "progress", **progress.__dict__})

    try:
        message = Message(verb=request["verb"], values=request["values"])
        if path := request.get("file"):
            message = read_message(Path(path))
            Path(path).unlink(missing_ok=True)
        answer = verbs[request["verb"]](message, cache, report)
        event = {"event": "finished", "verb": answer.verb, "values": answer.values}
        if answer.has_arrays:
            out = cache.folder / f"answer-{request['id']}.npz"
            write_message(answer, out)
            event["file"] = str(out)
        return event
    except CMCSegError as error:
        return _failed(str(error))
    except ImportError as error:
        traceback.print_exc()
        return _failed(
            f"The Python package {error.name} is missing; install the requirements of CMCSeg and "
            "try again."
        )
    except MemoryError:
        traceback.print_exc()
        return _failed("The memory is full; close other programs and try again.")
    except OSError as error:
        traceback.print_exc()
        return _failed(
            f"The disk did not do as asked ({error.strerror or error}); make room and try again."
        )
    except Exception as error:
        traceback.print_exc()
        return _failed(
            f"Something unforeseen happened ({type(error).__name__}: {error}); please report it "
            "with the log."
        )


def _failed(sentence: str) -> dict:
    return {"event": "failed", "text": sentence}


def _take_stdout() -> Channel:
    """Keep the real stdout for events; whatever a library prints goes to the error stream."""
    sys.stdout.flush()
    descriptor = os.dup(1)
    os.dup2(2, 1)
    return Channel(descriptor)


def _read_lines(lines: queue.SimpleQueue, folder: Path) -> None:
    for line in sys.stdin.buffer:
        lines.put(line.decode("utf-8", errors="replace"))
    _leave(folder)


def _leave(folder: Path) -> None:
    """End this process and everything it started, whatever it is doing."""
    shutil.rmtree(folder, ignore_errors=True)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)
