"""``cmcseg doctor``: is everything there that the work needs?"""

import platform
from dataclasses import dataclass

from cmcseg import __version__
from cmcseg.cli.screen import SCREEN


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Check Python, torch, device, memory and models."""

    def run(self) -> None:
        """Print a line per check; exit 1 when a model is damaged."""
        import psutil
        import torch

        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.store import default_store
        from cmcseg.nets.device import pick_device

        store = default_store()
        SCREEN.print(f"cmcseg {__version__}, Python {platform.python_version()}")
        SCREEN.print(f"torch {torch.__version__}, device {pick_device('auto')}")
        memory = psutil.virtual_memory()
        SCREEN.print(
            f"memory {memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free"
        )
        for name in store.names():
            load_bundle(store.find(name))
            SCREEN.print(f"model {name}: verified")
