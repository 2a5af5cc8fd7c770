"""The packages of the system that the work needs beside Python's."""

from cmcseg.core.resources import resource_folder


def system_packages() -> dict[str, tuple[str, ...]]:
    """Debian's package names by purpose: ``drawing``, ``panel``, ``browser``, ``display``."""
    text = (resource_folder() / "system-packages.txt").read_text(encoding="utf-8")
    lines = (line.partition("#")[0].partition(":") for line in text.splitlines())
    return {purpose.strip(): tuple(names.split()) for purpose, colon, names in lines if colon}


def how_to_install(*purposes: str) -> str:
    """The command that brings what the purposes need on Debian and its relatives."""
    found = system_packages()
    names = dict.fromkeys(name for purpose in purposes for name in found[purpose])
    return f"apt-get install {' '.join(names)}"
