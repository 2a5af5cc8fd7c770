"""In which versions of Slicer the names that we use stand, read in its sources.

    python Testing/helpers/slicer_sources.py path/to/Slicer/.git > Testing/desktop/slicer_names.txt

A member counts when the header of its class, or of a class of Slicer's that it inherits from, has
it; a function when its Python file defines it. Where the classes beneath are VTK's or Qt's, they
have the rest: those are asked of the real classes by the tests.
"""

import re
import subprocess
import sys
from pathlib import Path

from slicer_names import MODULE, ROOT, UI, slicer_files, uses, widgets_of

VERSIONS = {"5.10": "v5.10.0", "5.12": "v5.12.3", "5.13": "main"}
# What Python calls by a name of its own.
CLASSES = {
    "slicer.app": "qSlicerApplication",
    "slicer.app.layoutManager()": "qSlicerLayoutManager",
}
FILES = {
    "slicer.util": "Base/Python/slicer/util.py",
    "slicer.packaging": "Base/Python/slicer/packaging.py",
}
PARENT = re.compile(r"class\s+(?:\w+\s+)?(\w+)\s*:\s*public\s+(\w+)")


def names_used() -> list[tuple[str, str]]:
    """``(owner, member)`` of all that is Slicer's own in our module and in the script for it."""
    files = [
        *slicer_files(),
        *sorted((MODULE / "cmcseg" / "mrml").glob("*.py")),
        *sorted((ROOT / "Testing" / "slicer_real").glob("*.py")),
    ]
    widgets = widgets_of(UI)
    found = {(use.owner, use.member) for path in files for use in uses(path, widgets)}
    ours = ("slicer.modules", "slicer.mrmlScene")
    plain = ("app", "modules", "mrmlScene", "packaging", "util")
    return sorted(
        (owner, member)
        for owner, member in found
        if owner.startswith("slicer")
        and not owner.startswith(ours)
        and not (owner == "slicer" and member in plain)
    )


class Sources:
    """One version, in a git directory."""

    def __init__(self, folder: str, version: str) -> None:
        self._git = ["git", f"--git-dir={folder}"]
        self._version = version
        listed = self._run("ls-tree", "-r", "--name-only", version, "Libs", "Base", "Modules")
        self._places = {Path(line).name: line for line in listed.splitlines()}
        self._texts: dict[str, str] = {}

    def has(self, owner: str, member: str) -> bool | None:
        """Whether a name stands there; None where classes beneath Slicer's may have it."""
        if owner in FILES:
            if Path(FILES[owner]).name not in self._places:
                return False
            return f"def {member}(" in self._text(FILES[owner])
        if owner == "slicer":
            return f"{member}.h" in self._places
        kind = CLASSES.get(owner, owner.removeprefix("slicer."))
        if f"{kind}.h" not in self._places:
            return False
        words = {
            member,
            re.sub(r"^[GS]et|^set|^is", "", member),
        }  # as macros and properties have it
        while f"{kind}.h" in self._places:
            text = self._text(self._places[f"{kind}.h"])
            if any(re.search(rf"\b{word}", text, re.I) for word in words if word):
                return True
            kind = dict(PARENT.findall(text)).get(kind, "")
        return None

    def _text(self, path: str) -> str:
        if path not in self._texts:
            self._texts[path] = self._run("show", f"{self._version}:{path}")
        return self._texts[path]

    def _run(self, *words: str) -> str:
        done = subprocess.run([*self._git, *words], capture_output=True, check=True)
        return done.stdout.decode("utf-8", "replace")


def main() -> None:
    """Print a line a name."""
    sys.stdout.write("# Written by Testing/helpers/slicer_sources.py from Slicer's own sources.\n")
    versions = {name: Sources(sys.argv[1], tag) for name, tag in VERSIONS.items()}
    for owner, member in names_used():
        there = {name: sources.has(owner, member) for name, sources in versions.items()}
        told = (
            "beneath" if set(there.values()) == {None} else " ".join(n for n in there if there[n])
        )
        sys.stdout.write(f"{owner}.{member}: {told}\n")


if __name__ == "__main__":
    main()
