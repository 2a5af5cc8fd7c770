"""How what the worker needs is installed: asked first, never at start-up."""

import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from cmcseg.core.errors import BadInput, CMCSegError
from cmcseg.desktop.environment import LEAST_TORCH, has_torch, missing, version

READABLE = re.compile(r"\d[\w.+!]*")  # enough of PEP 440
TORCH = f"torch>={LEAST_TORCH}"
LEAVE_ALONE = ("numpy", "SimpleITK", "torch")  # Slicer's own, and the PyTorch extension's


def ready(requirements: Path) -> bool:
    """Whether a worker could start."""
    return has_torch() and not missing(requirements)


def install(requirements: Path, wheels: Path | None = None) -> str:
    """Ask, then install torch through the PyTorch extension and the rest through pip.

    Args:
        requirements: the file that lists the rest.
        wheels: a folder of wheels to install from without a network; torch comes from it, too.

    Returns:
        What is left to do for the user, or empty.

    Raises:
        BadInput: when the PyTorch extension is missing.
        CMCSegError: when pip fails.
    """
    lacking = list(missing(requirements))
    names = [*([] if has_torch() else ["torch"]), *lacking]
    question = _("Install into Slicer's Python: {}?").format(", ".join(names))
    if not names or not slicer.util.confirmOkCancelDisplay(question):
        return ""
    try:
        if wheels:
            return _pip([TORCH] * ("torch" in names) + lacking, wheels)
        if "torch" in names:
            _install_torch()
        return _install_rest(lacking) if lacking else ""
    except (subprocess.CalledProcessError, ImportError, OSError, RuntimeError) as error:
        raise CMCSegError(_trouble(wheels).format(type(error).__name__)) from error
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


def _install_torch() -> None:
    try:
        import PyTorchUtils
    except ImportError:
        raise BadInput(_no_extension()) from None
    least = TORCH.removeprefix("torch")
    if PyTorchUtils.PyTorchUtilsLogic().installTorch(torchVersionRequirement=least) is None:
        raise BadInput(_("PyTorch could not be installed; the Python console tells why."))


def _install_rest(lacking: list[str]) -> str:
    try:
        # Slicer 5.10 has no such module, and later ones do not import it at their start.
        from slicer.packaging import pip_ensure
    except ImportError:
        return _pip(lacking)
    with _constraints() as pins:
        pip_ensure(  # it asks for a restart itself
            lacking,
            constraints=pins,
            skip_packages=list(LEAVE_ALONE),
            prompt_install=False,
            requester="CMCSeg",
        )
    return ""


def _pip(packages: list[str], wheels: Path | None = None) -> str:
    """Install with pip's own words, which all versions of Slicer take as a list.

    Returns:
        A word on what was replaced while Slicer has the old one loaded, as Slicer 5.10 has an older
        pydicom of its own; or empty.
    """
    names = [re.split(r"[<>=]", package)[0] for package in packages]
    loaded = [name for name in names if name in sys.modules]
    offline = ["--no-index", "--find-links", str(wheels)] if wheels else []
    with _constraints(free=names) as pins:
        slicer.util.pip_install(["--constraint", str(pins), *offline, *packages])
    if not loaded:
        return ""
    return _("Restart Slicer; it still works with the old {}.").format(", ".join(loaded))


@contextmanager
def _constraints(free: Collection[str] = ()) -> Iterator[Path]:
    """A file that pins what nobody may replace but those that are asked for."""
    with tempfile.TemporaryDirectory() as folder:
        found = {name: version(name) for name in LEAVE_ALONE if name not in free}
        # A version that pip cannot read would stop it; such a package is its own anyway.
        pins = [f"{name}=={text}" for name, text in found.items() if READABLE.fullmatch(text)]
        path = Path(folder) / "constraints.txt"
        path.write_text("\n".join(pins), encoding="utf-8")
        yield path


def _trouble(wheels: Path | None) -> str:
    if wheels:
        return _(
            "The packages could not be installed from the folder ({}); the Python console tells "
            "why. It must hold wheels of all of them and of what they need, for Slicer's Python "
            "and this system."
        )
    return _(
        "The packages could not be installed ({}); the Python console tells why. Check the network "
        "and the free disk, and try again."
    )


def _no_extension() -> str:
    return _(
        "Slicer's PyTorch extension is not installed; install it with the Extensions Manager and "
        "restart Slicer."
    )
