"""``cmcseg web``: the same work in a browser."""

import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from cmcseg.cli.console import SCREEN
from cmcseg.core.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Web:
    """Segment, correct and learn in a browser; needs the extra 'web'."""

    folder: Positional[Path] = Path("cmcseg-web")
    """Where scans and the queue live; made when it does not exist."""
    port: int = 8080
    """0 takes any that is free."""
    host: str = "127.0.0.1"
    """Any other address can be reached by others; they need the token in the printed link."""
    open: bool = True
    """Open the system's browser."""

    def run(self) -> None:
        """Serve until Ctrl-C.

        Raises:
            BadInput: for a port that cannot be had, and where nothing can be drawn.
        """
        try:
            from cmcseg.web.drawing import can_draw

            drawn = can_draw()  # before VTK is imported: it is told there how to draw
            from cmcseg.web.app import App
        except ImportError as error:
            raise BadInput(
                f"The browser app needs more packages ({error.name} is missing); install them "
                "with: pip install 'cmcseg[web]'"
            ) from error
        from cmcseg.core.system_packages import how_to_install
        from cmcseg.web.access import is_loopback, new_token

        if not 0 <= self.port <= 65535:
            raise BadInput(f"{self.port} is no port; give 0 to 65535.")
        if not drawn:
            raise BadInput(
                "This computer lacks what draws pictures without a screen; install it, on Debian "
                f"and Ubuntu with: {how_to_install('drawing')}"
            )
        token = "" if is_loopback(self.host) else new_token()
        sys.argv[1:] = []  # trame reads the command line too, and would take our words for its own

        def ready(port: int) -> None:
            link = f"http://{self.host}:{port}/" + (f"?token={token}" if token else "")
            SCREEN.print(f"CMCSeg: {link}", soft_wrap=True)
            if self.open:
                webbrowser.open(link)

        try:
            App(self.folder, token).serve(self.host, self.port, ready)
        except OSError as error:
            raise BadInput(
                f"Port {self.port} of {self.host} cannot be used ({error.strerror}); choose "
                "another with --port, or --port 0 for any."
            ) from error
