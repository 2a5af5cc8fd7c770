"""What this machine has to test with. What it lacks is told once, at the end, by ``conftest``."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from cmcseg.core.system_packages import how_to_install

NOT_TESTED = "NOT TESTED"
NOT_INSTALLED = f"{NOT_TESTED}, not installed"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def cannot_test(what: str, *purposes: str) -> None:
    """Skip, and have it said after the last test.

    Args:
        what: is not tested here.
        purposes: of ``system-packages.txt``, whose packages would help.
    """
    pytest.skip(f"{NOT_TESTED}: {what}. What is missing: {how_to_install(*purposes)}")


def not_installed(what: str, extra: str) -> None:
    """The same of an extra that few install: said, but no failure where CI is set."""
    pytest.skip(f"{NOT_INSTALLED}: {what}. What is missing: pip install '{extra}'")


@cache
def browser() -> str | None:
    """A Chromium of the system, else that of Playwright, that Playwright's driver can start."""
    try:
        from playwright.sync_api import Error, sync_playwright

        with sync_playwright() as started:
            own = started.chromium.executable_path
    except (ImportError, Error):
        return None
    except Exception as error:  # the driver lacks a library: Playwright has no name for that
        if "Connection closed" in str(error):
            return None
        raise
    found = [path for name in BROWSERS if (path := shutil.which(name))]
    return next((path for path in (*found, own) if Path(path).exists()), None)


@cache
def panel_loads() -> bool:
    """PySide6 may be installed while the system lacks a library that it needs (libEGL, say)."""
    words = [sys.executable, "-c", "import PySide6.QtWidgets"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
