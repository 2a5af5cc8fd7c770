"""``cmcseg doctor``: is everything there that the work needs?"""

import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from cmcseg import __version__
from cmcseg.cli.console import SCREEN
from cmcseg.core.errors import BadInput, CMCSegError
from cmcseg.core.privacy import open_to_others

CLOSE = "'cmcseg queue verify --queue FOLDER' closes a queue and its key, 'cmcseg web' the rest"
LITTLE_GIB = 4.0  # of memory or disk, below which an abdominal pair may not fit


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Check Python, torch, device, memory, disk and models."""

    folder: Path = Path("cmcseg-web")
    """The folder of 'cmcseg web', whose rights are looked at."""

    def run(self) -> None:
        """Print a line per check; exit 1 when a model is damaged."""
        import psutil
        import torch

        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.store import default_store
        from cmcseg.nets.device import pick_device

        device = pick_device("auto")
        _line("cmcseg", f"{__version__}, Python {platform.python_version()}")
        _line("torch", f"{torch.__version__}, CUDA build {torch.version.cuda or 'none'}")
        _line("device", _device(device))
        memory = psutil.virtual_memory()
        _line("memory", _room(memory.available, memory.total), memory.available)
        disk = shutil.disk_usage(Path.cwd())
        _line("disk here", _room(disk.free, disk.total), disk.free)
        store = default_store()
        damaged = []
        for name in store.names():
            try:
                card = load_bundle(store.find(name)).card
                _line(name, f"{card.version}, verified ({card.sha256[:12]})")
            except BadInput as error:
                damaged.append(name)
                _line(name, str(error))
        for sentence in store.in_place_of_shipped():
            _line("note", sentence)
        for place in (self.folder / "queue", self.folder / "queue-key", self.folder / ".cmcseg"):
            if open_to_others(place):
                _line(str(place), "other accounts of this computer can read it; " + CLOSE)
        if damaged:
            raise CMCSegError(f"{', '.join(damaged)}: damaged; import the model again.")


def _device(device) -> str:  # noqa: ANN001
    if device.type != "cuda":
        return f"{device} (no GPU; a pair takes seconds to a minute)"
    import torch

    free, total = torch.cuda.mem_get_info(device)
    return f"{torch.cuda.get_device_name(device)}, {_room(free, total)}"


def _room(free: float, total: float) -> str:
    return f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"


def _line(what: str, found: str, free: float | None = None) -> None:
    little = free is not None and free < LITTLE_GIB * 2**30
    SCREEN.print(f"{what}: {found}{' - little' if little else ''}", soft_wrap=True, markup=False)
