"""``cmcseg web``: the same work in a browser."""

import contextlib
import os
import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from cmcseg.cli.console import SCREEN
from cmcseg.core.errors import BadInput
from cmcseg.core.user_path import user_path

OPENING = "open-cmcseg.html"  # with no dot, as some browsers may not read hidden files


@dataclass(frozen=True, kw_only=True)
class Web:
    """Segment, correct and learn in a browser; needs the extra 'web'."""

    folder: Positional[Path] = Path("cmcseg-web")
    """Where scans and the queue live; made when it does not exist."""
    port: int = 8080
    """0 takes any that is free."""
    host: str = "127.0.0.1"
    """Any other address can be reached from other computers; all need the printed link's token."""
    name: str = ""
    """The name under which a proxy with TLS serves the app, as in viewer.hospital.example."""
    no_open: bool = False
    """Print the link only; the system's browser is not opened."""

    def run(self) -> None:
        """Serve until Ctrl-C.

        Raises:
            BadInput: for a port that cannot be had, and where nothing can be drawn.
        """
        try:
            from cmcseg.web.drawing import can_draw

            drawn = can_draw()  # before VTK is imported: it is told there how to draw
            from cmcseg.web.app import App
        except ModuleNotFoundError as error:
            raise BadInput(
                f"The browser app needs more packages ({error.name} is missing); install them "
                "with: pip install 'cmcseg[web]'"
            ) from error
        from cmcseg.core.system_packages import how_to_install
        from cmcseg.web.access import Guard, is_loopback, new_token

        if not 0 <= self.port <= 65535:
            raise BadInput(f"{self.port} is no port; give 0 to 65535.")
        if not drawn:
            raise BadInput(
                "This computer lacks what draws pictures without a screen; install it, on Debian "
                f"and Ubuntu with: {how_to_install('drawing')}"
            )
        guard = Guard(new_token(), near=is_loopback(self.host), name=self.name)
        os.umask(0o077)  # what is kept is about patients
        sys.argv[1:] = []  # trame reads the command line too, and would take our words for its own

        def ready(port: int) -> None:
            link = guard.link(self.host, port)
            SCREEN.print(f"CMCSeg: {link}", soft_wrap=True)
            if not self.no_open:
                with contextlib.suppress(OSError):  # the printed link opens it as well
                    page.write(link)
                    webbrowser.open(page.path.as_uri())

        page = _OpeningPage(user_path(self.folder).absolute() / OPENING)
        try:
            App(self.folder, guard).serve(self.host, self.port, ready)
        except OSError as error:
            raise BadInput(
                f"Port {self.port} of {self.host} cannot be used ({error.strerror}); choose "
                "another with --port, or --port 0 for any."
            ) from error
        finally:
            page.remove()


class _OpeningPage:
    """A page of the user's own that leads to the link.

    The words that a browser is started with are shown to every account of the computer, and the
    link holds the token.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, link: str) -> None:
        self.remove()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(self.path, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(f'<!doctype html><meta http-equiv="refresh" content="0;url={link}">')

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()
