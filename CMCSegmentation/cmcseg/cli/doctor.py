"""``cmcseg doctor``: is everything there that the work needs?"""

import os
import platform
import shutil
import webbrowser
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cmcseg import __version__
from cmcseg.cli.console import SCREEN
from cmcseg.core.errors import BadInput, CMCSegError
from cmcseg.core.privacy import open_to_others

CLOSE = "'cmcseg queue verify --queue FOLDER' closes a queue and its key, 'cmcseg web' the rest"
LITTLE_GIB = 4.0  # of memory or disk, below which an abdominal pair may not fit
PACKAGES = ("numpy", "monai", "SimpleITK", "pydicom", "highdicom", "vtk", "trame-slicer")


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Check Python, its packages, device, memory, disk, what draws, and models."""

    folder: Path = Path("cmcseg-web")
    """The folder of 'cmcseg web', whose rights are looked at."""

    def run(self) -> None:
        """Print a line per check; exit 1 when a model is damaged."""
        import psutil
        import torch

        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.store import default_store, user_folder
        from cmcseg.nets.device import pick_device

        device = pick_device("auto")
        _line("cmcseg", f"{__version__}, Python {platform.python_version()}")
        _line("torch", f"{torch.__version__}, CUDA build {torch.version.cuda or 'none'}")
        _line("packages", ", ".join(f"{name} {_version(name)}" for name in PACKAGES))
        _line("device", _device(device))
        memory = psutil.virtual_memory()
        _line("memory", _room(memory.available, memory.total), memory.available)
        disk = shutil.disk_usage(Path.cwd())
        _line("disk here", _room(disk.free, disk.total), disk.free)
        _line("writing", _writing(Path.cwd(), user_folder()))
        _line("drawing", _drawing())
        _line("browser", _browser())
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
    from cmcseg.nets.device import inference_type

    if device.type != "cuda":
        kind = str(inference_type(device)).removeprefix("torch.")
        return f"{device}, {kind} (no GPU; a pair takes seconds to a minute)"
    import torch

    free, total = torch.cuda.mem_get_info(device)
    return f"{torch.cuda.get_device_name(device)}, {_room(free, total)}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _writing(*folders: Path) -> str:
    """Which folders can be written to; of one that is not there yet, its nearest parent counts."""
    faults = [
        str(folder)
        for folder in folders
        if not os.access(next(p for p in (folder, *folder.parents) if p.exists()), os.W_OK)
    ]
    return f"not allowed in {', '.join(faults)}" if faults else "allowed here and for models"


def _drawing() -> str:
    from cmcseg.core.system_packages import how_to_install
    from cmcseg.web.drawing import can_draw

    if can_draw():
        return "works without a screen"
    if "missing" in (_version("vtk"), _version("trame-slicer")):
        return "the browser app needs: pip install 'cmcseg[web]'"
    return f"impossible; the browser app needs: {how_to_install('drawing')}"


def _browser() -> str:
    try:
        return f"{webbrowser.get().name} opens 'cmcseg web'"
    except webbrowser.Error:
        return "none found; open the link that 'cmcseg web' prints"


def _room(free: float, total: float) -> str:
    return f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"


def _line(what: str, found: str, free: float | None = None) -> None:
    little = free is not None and free < LITTLE_GIB * 2**30
    SCREEN.print(f"{what}: {found}{' - little' if little else ''}", soft_wrap=True, markup=False)
