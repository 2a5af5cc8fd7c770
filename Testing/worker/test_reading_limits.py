"""The limits of the process that reads what nobody vouches for."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX")


def ended(code):
    """How a process ends that sets limits and then runs ``code``."""
    lines = "from cmcseg.worker import reading_limits as r\n" + code
    return subprocess.run(
        [sys.executable, "-c", lines], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_request_that_takes_too_long_ends_the_process_even_where_python_waits():
    code = (
        "import threading\nr.limit_seconds(0.3)\nlock = threading.Lock()\nwith lock: lock.acquire()"
    )
    assert ended(code).returncode == -14


def test_a_request_in_time_is_forgotten():
    code = "import time\nr.limit_seconds(0.2)\nr.limit_seconds(0)\ntime.sleep(0.4)"
    assert ended(code).returncode == 0


def test_memory_beyond_the_limit_is_refused():
    code = (
        "r.memory_bytes = lambda: 1 << 30\nr.confined()\n"
        "import numpy as np\ntry:\n    np.ones(1 << 28)\nexcept MemoryError:\n    print('refused')"
    )
    assert ended(code).stdout == "refused\n"
