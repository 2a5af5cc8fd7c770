"""What is there on this computer: looked up without Qt, so that a thread can do it.

Nothing here imports torch, which takes seconds and memory that the application has better use for.
"""

import hashlib
import importlib.metadata
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cmcseg.core.isolation import system_program

LEAST_TORCH = "2.10"  # as in pyproject.toml; monai and safe loading need it
ASK_GPU = ("name", "driver_version", "memory.free", "memory.total")
GPU_SECONDS = 10.0  # a driver that takes longer to answer does not work
MAX_PATH = 259  # characters of a path that Windows takes where long paths are not allowed
# Characters of the longest file that is written below a folder; a test holds ours against the disk.
TORCH_FILE = 171  # a licence of torch 2.13.0
MODULE_FILE = 66
MODEL_FILE = 99  # of an adopted version while it is written, with a name of 40 characters
QUEUE_FILE = 98  # of a fine-tuning's candidate while it is written, with such a name


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """An NVIDIA GPU as its driver describes it; memory in GB."""

    name: str
    driver: str
    free: float
    total: float


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What was found.

    Attributes:
        python: its version.
        torch: its version, or empty.
        cuda: of the CUDA that torch was built for, or empty.
        missing: requirements that are not met.
        disk: GB free where packages and where temporary files go, the smaller of the two.
        memory: GB free and in all, or None where nothing tells.
        gpu: the first one, or None.
        models: by name, whether the files are those that were shipped.
        own: the same of imported and of adopted models.
        paths: characters of the longest path that would be written, by what is written.
        path_limit: how many the system takes, or None where that does not matter.
    """

    python: str
    torch: str
    cuda: str
    missing: tuple[str, ...]
    disk: float
    memory: tuple[float, float] | None
    gpu: Gpu | None
    models: dict[str, bool]
    own: dict[str, bool]
    paths: dict[str, int]
    path_limit: int | None


def gather(requirements: Path, models: Path, folders: dict[str, str], queue: Path) -> Environment:
    """Look, and change nothing.

    Args:
        requirements: the file that lists packages.
        models: folder of the models that were shipped.
        folders: of the models in use, by name; the shipped ones may be among them.
        queue: folder of the accepted pairs.
    """
    own = {name: Path(folder) for name, folder in folders.items()}
    places = (sys.prefix, tempfile.gettempdir())
    return Environment(
        python=platform.python_version(),
        torch=version("torch"),
        cuda=_cuda(),
        missing=missing(requirements),
        disk=min(shutil.disk_usage(place).free for place in places) / 1e9,
        memory=_memory(),
        gpu=_gpu(),
        models={path.parent.name: _whole(path) for path in sorted(models.glob("*/SHA256SUMS"))},
        own={
            name: _whole(folder / "SHA256SUMS")
            for name, folder in own.items()
            if folder.resolve().parent != models.resolve()
        },
        paths=longest_paths(models.parents[1], queue),
        path_limit=_path_limit(),
    )


def longest_paths(module: Path, queue: Path) -> dict[str, int]:
    """Characters of the longest path that is written, by what is written."""
    packages = sysconfig.get_path("purelib")
    models = Path.home() / "AppData" / "Local" / "cmcseg" / "models"  # on Windows alone
    below = {
        "packages": (packages, TORCH_FILE),
        "extension": (module, MODULE_FILE),
        "models": (models, MODEL_FILE),
        "queue": (queue, QUEUE_FILE),
    }
    return {what: len(str(place)) + 1 + longest for what, (place, longest) in below.items()}


def missing(requirements: Path) -> tuple[str, ...]:
    """Requirements of the file that are not installed, or too old."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    wanted = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return tuple(line for line in wanted if not _met(*line.split(">=")))


def has_torch() -> bool:
    """Whether a torch is there that will do."""
    return _met("torch", LEAST_TORCH)


def version(name: str) -> str:
    """Of an installed package; a local build ("2.5.1+cu121") counts as its own. Empty: none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def numbers(text: str) -> tuple[int, ...]:
    """The numbers that a version begins with: (2, 5, 1) of "2.5.1+cu121"."""
    return tuple(int(part) for part in re.match(r"[\d.]*", text)[0].split(".") if part)


def _path_limit() -> int | None:
    if sys.platform != "win32":
        return None
    import winreg

    place = r"SYSTEM\CurrentControlSet\Control\FileSystem"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
            allowed = winreg.QueryValueEx(key, "LongPathsEnabled")[0]
    except OSError:
        allowed = 0
    return None if allowed else MAX_PATH


def _met(name: str, least: str = "0") -> bool:
    installed = version(name)
    return bool(installed) and numbers(installed) >= numbers(least)


def _cuda() -> str:
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return ""
    path = Path(found.origin).with_name("version.py")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    line = re.search(r"^cuda\b.*= *['\"]([\d.]+)['\"]", text, flags=re.M)
    return line[1] if line else ""


def _memory() -> tuple[float, float] | None:
    try:
        import psutil  # a requirement itself, so it may be missing now
    except ImportError:
        return None
    found = psutil.virtual_memory()
    return found.available / 1e9, found.total / 1e9


def _gpu() -> Gpu | None:
    query = f"--query-gpu={','.join(ASK_GPU)}"
    command = [system_program("nvidia-smi"), query, "--format=csv,noheader,nounits"]
    hidden = {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}
    try:
        told = subprocess.run(
            command, capture_output=True, text=True, timeout=GPU_SECONDS, check=True, **hidden
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_gpu(told)


def parse_gpu(told: str) -> Gpu | None:
    """The first line of nvidia-smi's answer; MiB become GB."""
    parts = [part.strip() for part in told.partition("\n")[0].split(",")]
    try:
        name, driver, free, total = parts
        return Gpu(
            name=name,
            driver=driver,
            free=float(free) * 2**20 / 1e9,
            total=float(total) * 2**20 / 1e9,
        )
    except ValueError:
        return None


def _whole(sums: Path) -> bool:
    """Whether the files beside a list of SHA-256 sums have these sums."""
    try:
        lines = [line.split(maxsplit=1) for line in sums.read_text(encoding="utf-8").splitlines()]
        return all(
            hashlib.sha256((sums.parent / name).read_bytes()).hexdigest() == digest
            for digest, name in lines
        )
    except (OSError, ValueError):
        return False
