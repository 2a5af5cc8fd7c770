"""``cmcseg work``: the process behind a window; people do not call it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Work:
    """Answer requests on stdin, a JSON line each; Slicer and the browser start this themselves."""

    folder: Path
    """A private folder for scans on their way; it is removed at the end."""

    reading: bool = False
    """Read scans and nothing else, with limits on memory and time."""

    def run(self) -> None:
        """Serve until stdin ends."""
        from cmcseg.worker.serve import serve

        serve(self.folder, reading=self.reading)
