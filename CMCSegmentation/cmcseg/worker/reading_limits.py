"""What a process that reads files of strangers may use: memory, and time for each request.

A file that was made to do harm ends this process and nothing else.
"""

import faulthandler
import signal

from cmcseg.core.sandbox import confine
from cmcseg.imaging.header import memory_bytes

SECONDS = 300.0  # for one file or folder; a thousand packed slices take a minute
SHARE = 0.75  # of this computer's memory
MOST_MEMORY = 16 << 30  # bytes, where the system does not say what there is
LIFE = 1 << 20  # seconds of computing of the whole process


def confined() -> None:
    """Give up the network, other programs and most of the memory, before a thread is started.

    What asks for more memory gets a MemoryError, or ends the process, which whoever asked tells.
    """
    confine(int((memory_bytes() or MOST_MEMORY) * SHARE), LIFE)


def limit_seconds(seconds: float) -> None:
    """End this process when it has not been called again within so many seconds; 0 never does.

    Neither way waits for Python's lock, which a library may hold.
    """
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    elif seconds:
        faulthandler.dump_traceback_later(seconds, exit=True)
    else:
        faulthandler.cancel_dump_traceback_later()
