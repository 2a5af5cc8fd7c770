"""Brings what pip cannot, where this machine allows it: ``python install_system.py [PURPOSE ...]``.

With root and apt: the packages of ``system-packages.txt``. Else Playwright's own browser, which
needs neither. It never fails: what is still missing is told by ``cmcseg web`` and the tests.
"""

import os
import shutil
import subprocess
import sys

from cmcseg.core.system_packages import system_packages


def main(purposes: list[str]) -> None:
    """Install what is missing of the purposes, or of all."""
    listed = system_packages()
    purposes = purposes or list(listed)
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        names = dict.fromkeys(name for purpose in purposes for name in listed[purpose])
        install([name for name in names if not is_installed(name)])
    elif "browser" in purposes and not shutil.which("chromium"):
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def install(packages: list[str]) -> None:
    """By apt, as root."""
    if not packages:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    subprocess.run([*apt, "update"], check=False, env=quiet)
    words = [*apt, "install", "--yes", "--no-install-recommends", *packages]
    subprocess.run(words, check=False, env=quiet, stdout=subprocess.DEVNULL)


def is_installed(package: str) -> bool:
    """Whether dpkg has it under this name."""
    words = ["dpkg-query", "--show", "--showformat", "${Status}", package]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout == "install ok installed"


if __name__ == "__main__":
    main(sys.argv[1:])
