"""What a process gives up before it opens a file from a stranger; there is no way back for it.

On Linux the kernel holds the limits. Elsewhere Python itself refuses the network and other
programs, which stops a script but no machine code; macOS and Windows know no such limit of memory.
"""

import ctypes
import platform
import struct
import sys

_REFUSED_BY_PYTHON = (
    *("socket.", "ftplib.", "urllib."),
    *("subprocess.", "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.startfile"),
)
# Architecture as the kernel tells it; system calls that open sockets (io_uring can), start other
# programs, or reach into other processes.
_CALLS = {
    "x86_64": (0xC000003E, (41, 59, 101, 310, 311, 322, 425)),
    "aarch64": (0xC00000B7, (117, 198, 221, 270, 271, 281, 425)),
}
_X32 = 0x40000000  # x86_64 has its calls a second time from here on


def confine(memory: int, seconds: int) -> None:
    """Give up the network and other programs, and all memory and time beyond a limit.

    Args:
        memory: bytes that this process may hold.
        seconds: of computing; the system ends the process then.
    """
    _limit(memory, seconds)
    _refuse_calls()
    sys.addaudithook(_refuse)


def _limit(memory: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    for what, most in ((kind, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):  # macOS does not take every limit
            continue


def _refuse(event: str, _: tuple) -> None:
    if event.startswith(_REFUSED_BY_PYTHON):
        raise PermissionError(f"{event} was refused: this process reads a file and does no more")


def _refuse_calls() -> None:
    """A seccomp filter: the kernel answers "not permitted". Best done before threads are started.

    The filter is a program for the kernel's packet filter, four instructions and one for each
    refused call; its words are in linux/filter.h and linux/seccomp.h.
    """
    wide = sys.maxsize > 2**32  # a 32-bit Python has other calls
    if sys.platform != "linux" or not wide or platform.machine() not in _CALLS:
        return
    architecture, calls = _CALLS[platform.machine()]
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    kill, allow, refuse = 0x80000000, 0x7FFF0000, 0x00050001
    steps = [
        (load, 0, 0, 4),
        (equal, 1, 0, architecture),
        (answer, 0, 0, kill),
        (load, 0, 0, 0),
        (at_least, len(calls) + 1, 0, _X32),
        *((equal, len(calls) - n, 0, call) for n, call in enumerate(calls)),
        (answer, 0, 0, allow),
        (answer, 0, 0, refuse),
    ]
    words = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))

    class Program(ctypes.Structure):
        _fields_ = (("steps", ctypes.c_ushort), ("first", ctypes.c_void_p))

    program = Program(len(steps), ctypes.addressof(words))
    call = ctypes.CDLL(None).prctl
    no_new_privileges, set_filter, by_program = 38, 22, 2
    call(no_new_privileges, 1, 0, 0, 0)
    # A kernel without filters says no; then Python's own refusal is all there is, as on macOS.
    call(set_filter, by_program, ctypes.byref(program), 0, 0)
