"""What a confined process can no longer do, tried from inside it."""

import json
import subprocess
import sys

import pytest
from cmcseg.core.isolation import isolated_environment

ASK = """
import ctypes, json, os, socket, subprocess, sys
from cmcseg.core.sandbox import confine
confine({memory}, 30)
def outcome(call):
    try:
        call()
        return "done"
    except BaseException as error:
        return type(error).__name__
def raw(number):
    def call():
        if ctypes.CDLL(None, use_errno=True).syscall(number, 2, 1, 0) < 0:
            raise OSError(ctypes.get_errno(), "the kernel refused")
    return call
print(json.dumps({{name: outcome(call) for name, call in {{
    "socket": socket.socket,
    "shell": lambda: os.system("true"),
    "program": lambda: subprocess.run(["true"]),
    "replace": lambda: os.execv("/bin/true", ["true"]),
    "memory": lambda: bytearray({memory} + 1),
    "machine code": raw({socket_call}),
    "reading": lambda: open(sys.executable, "rb").read(1),
    "thinking": lambda: sum(range(1000)),
}}.items()}}))
"""
SOCKET_CALL = {"x86_64": 41, "aarch64": 198}


@pytest.fixture(scope="module")
def outcomes():
    import platform

    code = ASK.format(memory=300 << 20, socket_call=SOCKET_CALL.get(platform.machine(), -1))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=isolated_environment({}),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["socket", "shell", "program", "replace"])
def test_no_network_and_no_other_program(outcomes, name):
    assert outcomes[name] == "PermissionError"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own limits are Linux's")
def test_the_kernel_holds_where_python_is_gone_around(outcomes):
    assert outcomes["machine code"] in ("OSError", "PermissionError")
    assert outcomes["memory"] == "MemoryError"


def test_reading_and_thinking_stay(outcomes):
    assert (outcomes["reading"], outcomes["thinking"]) == ("done", "done")
