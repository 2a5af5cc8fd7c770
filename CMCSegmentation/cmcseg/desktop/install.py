"""What the worker needs, what is missing, and how to get it: asked first, never at start-up."""

import importlib
import importlib.metadata
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from cmcseg.core.errors import BadInput
from cmcseg.desktop.controls import allow, fill_table, trying

LEAVE_ALONE = ("numpy", "SimpleITK", "torch")  # Slicer's own, and the PyTorch extension's
ROOM_GB = 8.0  # of disk: torch for CUDA, unpacked, takes most of it


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the page: what was looked at, what was found, what to do (empty: all is well)."""

    name: str
    found: str
    fix: str = ""


def checks(requirements: Path) -> list[Check]:
    """Look, and change nothing."""
    lacking = missing(requirements)
    free = shutil.disk_usage(Path.home()).free / 1e9
    torch = _version("torch")
    return [
        Check(
            name="PyTorch",
            found=torch or _("not installed"),
            fix="" if torch else _("Install (through the PyTorch extension)"),
        ),
        Check(
            name=_("Other packages"),
            found=_("missing: {}").format(", ".join(lacking)) if lacking else _("all there"),
            fix=_("Install") if lacking else "",
        ),
        Check(
            name=_("Free disk"),
            found=f"{free:.0f} GB",
            fix=_("Make room: {:.0f} GB are needed").format(ROOM_GB)
            if free < ROOM_GB and not torch
            else "",
        ),
    ]


def missing(requirements: Path) -> list[str]:
    """Requirements of the file that are not installed."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    wanted = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [line for line in wanted if not _version(line.split(">=")[0])]


def install(requirements: Path, wheels: Path | None = None) -> None:
    """Ask, then install torch through the PyTorch extension and the rest through pip.

    Args:
        requirements: the file that lists the rest.
        wheels: a folder of wheels to install from without a network.

    Raises:
        BadInput: when the PyTorch extension is missing.
    """
    lacking = missing(requirements)
    names = [*([] if _version("torch") else ["torch"]), *lacking]
    question = _("Install into Slicer's Python: {}?").format(", ".join(names))
    if not names or not slicer.util.confirmOkCancelDisplay(question):
        return
    if "torch" in names:
        _install_torch(wheels)
    if lacking:
        _install_rest(lacking, wheels)
    importlib.invalidate_caches()


def _install_torch(wheels: Path | None) -> None:
    if wheels:
        slicer.util.pip_install(["--no-index", "--find-links", str(wheels), "torch>=2.4"])
        return
    try:
        import PyTorchUtils
    except ImportError:
        raise BadInput(
            "Slicer's PyTorch extension is not installed; install it with the Extensions Manager "
            "and restart Slicer."
        ) from None
    if PyTorchUtils.PyTorchUtilsLogic().installTorch(torchVersionRequirement=">=2.4") is None:
        raise BadInput("PyTorch could not be installed; the Python console tells why.")


def _install_rest(lacking: list[str], wheels: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fixed = Path(folder) / "constraints.txt"
        pins = [f"{name}=={_version(name)}" for name in LEAVE_ALONE if _version(name)]
        fixed.write_text("\n".join(pins), encoding="utf-8")
        packaging = getattr(slicer, "packaging", None)
        if packaging is None or wheels:
            offline = ["--no-index", "--find-links", str(wheels)] if wheels else []
            slicer.util.pip_install(["--constraint", str(fixed), *offline, *lacking])
        else:
            packaging.pip_ensure(
                lacking,
                constraints=fixed,
                skip_packages=list(LEAVE_ALONE),
                prompt_install=False,
                requester="CMCSeg",
            )


def _version(name: str) -> str:
    try:
        # A local build ("2.5.1+cu121") is its own version, and must stay.
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


class InstallSection:
    """The page, and its two buttons."""

    def __init__(self, ui: object, requirements: Path, done: Callable, tell: Callable) -> None:
        self._ui, self._requirements, self._done = ui, requirements, done
        ui.installButton.clicked.connect(trying(self._install, tell))
        ui.wheelsButton.clicked.connect(trying(self._from_wheels, tell))
        self.refresh()
        ui.installSection.collapsed = self.ready

    @property
    def ready(self) -> bool:
        """Whether nothing is left to fix."""
        return not any(check.fix for check in checks(self._requirements))

    def refresh(self) -> None:
        """Look again."""
        found = checks(self._requirements)
        rows = [[check.name, check.found, check.fix] for check in found]
        fill_table(self._ui.installTable, [_("what"), _("found"), _("to do")], rows)
        why = "" if any(check.fix for check in found) else _("Everything is installed.")
        allow(self._ui.installButton, why)
        allow(self._ui.wheelsButton, why)

    def _install(self) -> None:
        install(self._requirements)
        self.refresh()
        self._done()

    def _from_wheels(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder of wheels"))
        if folder:
            install(self._requirements, Path(folder))
            self.refresh()
            self._done()
