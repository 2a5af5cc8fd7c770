"""What became of each case, kept on disk: its doubt, the entry that it was accepted as or was."""

import json
from contextlib import suppress

from cmcseg.core.atomic_write import write_whole
from cmcseg.web.folder import Folder, filed

KEPT = ("doubt", "accepted", "taken_out")


class CaseStates:
    """A small file per case.

    Args:
        folder: of the app.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._known: dict[str, dict[str, str]] = {}

    def of(self, case: str) -> dict[str, str]:
        """``doubt``, ``accepted`` and ``taken_out`` of a case, where they are known."""
        if case not in self._known:
            self._known[case] = self._read(case)
        return self._known[case]

    def set(self, case: str, **values: str) -> None:
        """Keep some values; an empty one is forgotten.

        Raises:
            BadInput: when the disk does not take it.
        """
        state = {**self.of(case), **values}
        self._known[case] = {key: value for key, value in state.items() if value}
        path = self._folder.own("cases", f"{filed(case)}.json")
        with suppress(OSError):
            self._folder.make("cases")
        write_whole(path, json.dumps(self._known[case]))

    def _read(self, case: str) -> dict[str, str]:
        """Of a damaged file nothing: it holds no work of anybody."""
        path = self._folder.own("cases", f"{filed(case)}.json")
        with suppress(OSError, ValueError):
            told = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(told, dict):
                return {key: str(told[key])[:200] for key in KEPT if key in told}
        return {}
