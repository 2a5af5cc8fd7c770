"""How what the worker needs is installed: asked first, never at start-up."""

import importlib
import re
import subprocess
import tempfile
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from cmcseg.core.errors import BadInput, CMCSegError
from cmcseg.desktop.environment import missing, version

READABLE = re.compile(r"\d[\w.+!]*")  # enough of PEP 440
LEAVE_ALONE = ("numpy", "SimpleITK", "torch")  # Slicer's own, and the PyTorch extension's


def ready(requirements: Path) -> bool:
    """Whether a worker could start."""
    return bool(version("torch")) and not missing(requirements)


def install(requirements: Path, wheels: Path | None = None) -> None:
    """Ask, then install torch through the PyTorch extension and the rest through pip.

    Args:
        requirements: the file that lists the rest.
        wheels: a folder of wheels to install from without a network.

    Raises:
        BadInput: when the PyTorch extension is missing.
        CMCSegError: when pip fails.
    """
    lacking = list(missing(requirements))
    names = [*([] if version("torch") else ["torch"]), *lacking]
    question = _("Install into Slicer's Python: {}?").format(", ".join(names))
    if not names or not slicer.util.confirmOkCancelDisplay(question):
        return
    try:
        if "torch" in names:
            _install_torch(wheels)
        if lacking:
            _install_rest(lacking, wheels)
    except (subprocess.CalledProcessError, ImportError, OSError, RuntimeError) as error:
        raise CMCSegError(
            _(
                "The packages could not be installed ({}); the Python console tells why. Check "
                "the network and the free disk, and try again."
            ).format(type(error).__name__)
        ) from error
    finally:
        importlib.invalidate_caches()


def open_pytorch() -> None:
    """Show the PyTorch extension's module, where builds of torch are chosen.

    Raises:
        BadInput: when the extension is missing.
    """
    if not hasattr(slicer.modules, "pytorchutils"):
        raise BadInput(_no_extension())
    slicer.util.selectModule("PyTorchUtils")


def _install_torch(wheels: Path | None) -> None:
    if wheels:
        slicer.util.pip_install(["--no-index", "--find-links", str(wheels), "torch>=2.4"])
        return
    try:
        import PyTorchUtils
    except ImportError:
        raise BadInput(_no_extension()) from None
    if PyTorchUtils.PyTorchUtilsLogic().installTorch(torchVersionRequirement=">=2.4") is None:
        raise BadInput(_("PyTorch could not be installed; the Python console tells why."))


def _install_rest(lacking: list[str], wheels: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fixed = Path(folder) / "constraints.txt"
        found = {name: version(name) for name in LEAVE_ALONE}
        # A version that pip cannot read would stop it; such a package is its own anyway.
        pins = [f"{name}=={text}" for name, text in found.items() if READABLE.fullmatch(text)]
        fixed.write_text("\n".join(pins), encoding="utf-8")
        if not hasattr(slicer, "packaging") or wheels:  # Slicer 5.10 has none
            offline = ["--no-index", "--find-links", str(wheels)] if wheels else []
            slicer.util.pip_install(["--constraint", str(fixed), *offline, *lacking])
        else:
            slicer.packaging.pip_ensure(
                lacking,
                constraints=fixed,
                skip_packages=list(LEAVE_ALONE),
                prompt_install=False,
                requester="CMCSeg",
            )


def _no_extension() -> str:
    return _(
        "Slicer's PyTorch extension is not installed; install it with the Extensions Manager and "
        "restart Slicer."
    )
