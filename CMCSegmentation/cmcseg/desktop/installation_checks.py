"""From facts to lines: what was found, whether that will do, and what helps."""

from dataclasses import dataclass

from slicer.i18n import tr as _

from cmcseg.desktop.environment import LEAST_TORCH, Environment, numbers

LEAST_PYTHON = (3, 10)
INSTALL_GB = 8.0  # of disk: torch for CUDA, unpacked, takes most of it
WORK_GB = 2.0  # of disk: scans on their way to the worker and back
MEMORY_GB = 4.0  # below which an abdominal pair may not fit
GPU_GB = 2.0  # below which the worker goes on without the GPU
# First driver for each CUDA, https://docs.nvidia.com/deploy/cuda-compatibility (Linux).
LEAST_DRIVER = {11: 450, 12: 525, 13: 580}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the page.

    Attributes:
        name: what was looked at.
        found: what was found, and what to do where that will not do.
        well: whether nothing is left to do.
        fix: what a press of the line's button does: ``install``, ``pytorch``, ``import`` or empty.
    """

    name: str
    found: str
    well: bool = True
    fix: str = ""


def checks(env: Environment) -> list[Check]:
    """All lines, in the order of the page."""
    return [
        _python(env),
        _torch(env),
        _packages(env),
        _disk(env),
        _paths(env),
        _memory(env),
        _gpu(env),
        _models(env),
    ]


def _python(env: Environment) -> Check:
    if numbers(env.python) >= LEAST_PYTHON:
        return Check(name=_("Python"), found=env.python)
    advice = _("{}; too old, use Slicer 5.10 or newer").format(env.python)
    return Check(name=_("Python"), found=advice, well=False)


def _torch(env: Environment) -> Check:
    name, gpu = _("PyTorch"), env.gpu
    if not env.torch:
        return Check(name=name, found=_("not installed"), well=False, fix="install")
    build = _("for CUDA {}").format(env.cuda) if env.cuda else _("for the processor alone")
    found = f"{env.torch}, {build}"
    if numbers(env.torch) < numbers(LEAST_TORCH):
        advice = _("too old; {} or newer is needed").format(LEAST_TORCH)
        return Check(name=name, found=f"{found}; {advice}", well=False, fix="install")
    if gpu and not env.cuda:
        advice = _("the GPU stays unused; install a build for CUDA with the PyTorch module")
        return Check(name=name, found=f"{found}; {advice}", well=False, fix="pytorch")
    least = LEAST_DRIVER.get(numbers(env.cuda)[0], 0) if env.cuda else 0
    if gpu and numbers(gpu.driver)[:1] < (least,):
        advice = _(
            "the NVIDIA driver {} is too old for it; update it to {} or newer, or install another "
            "build with the PyTorch module"
        ).format(gpu.driver, least)
        return Check(name=name, found=f"{found}; {advice}", well=False, fix="pytorch")
    return Check(name=name, found=found)


def _packages(env: Environment) -> Check:
    if not env.missing:
        return Check(name=_("Packages"), found=_("all there"))
    found = _("missing or too old: {}").format(", ".join(env.missing))
    return Check(name=_("Packages"), found=found, well=False, fix="install")


def _disk(env: Environment) -> Check:
    needed = WORK_GB if env.torch else INSTALL_GB
    return _room(_("Free disk"), f"{env.disk:.0f} GB", env.disk, needed, _("make room"))


def _paths(env: Environment) -> Check:
    name, limit = _("Path lengths"), env.path_limit
    if limit is None:
        return Check(name=name, found=_("no limit here"))
    words = {
        "packages": _(
            "installed packages; install Slicer into a shorter folder, such as C:\\Slicer"
        ),
        "extension": _("the extension; install Slicer into a shorter folder, such as C:\\Slicer"),
        "models": _("imported models; use an account with a shorter name"),
        "queue": _("accepted pairs; use an account with a shorter name"),
    }
    what = max(env.paths, key=env.paths.get)
    length = env.paths[what]
    if length <= limit:
        return Check(name=name, found=_("at most {} of {} characters").format(length, limit))
    found = _("{} characters where Windows takes {}: {}, or allow long paths in Windows")
    return Check(name=name, found=found.format(length, limit, words[what]), well=False)


def _memory(env: Environment) -> Check:
    if env.memory is None:
        return Check(name=_("Memory"), found=_("not known before the packages are installed"))
    free, total = env.memory
    found = _("{:.0f} of {:.0f} GB free").format(free, total)
    return _room(_("Memory"), found, free, MEMORY_GB, _("close other programs"))


def _gpu(env: Environment) -> Check:
    if env.gpu is None:
        found = _("no NVIDIA GPU; a pair takes longer")
        return Check(name=_("GPU memory"), found=found)
    found = _("{:.0f} of {:.0f} GB free, {}, driver {}").format(
        env.gpu.free, env.gpu.total, env.gpu.name, env.gpu.driver
    )
    advice = _("close what uses it, or choose cpu under Advanced")
    return _room(_("GPU memory"), found, env.gpu.free, GPU_GB, advice)


def _models(env: Environment) -> Check:
    damaged = [name for each in (env.models, env.own) for name, whole in each.items() if not whole]
    name = _("Models")
    if damaged:
        advice = _("{}: damaged; import it again, or reinstall the extension")
        found = advice.format(", ".join(damaged))
        return Check(name=name, found=found, well=False, fix="import")
    if not env.models and not env.own:
        return Check(name=name, found=_("none; import one"), well=False, fix="import")
    if env.own:
        found = _("{} shipped, {} of your own, verified")
        return Check(name=name, found=found.format(len(env.models), len(env.own)))
    return Check(name=name, found=_("{} shipped, verified").format(len(env.models)))


def _room(name: str, found: str, free: float, needed: float, advice: str) -> Check:
    if free >= needed:
        return Check(name=name, found=found)
    return Check(
        name=name,
        found=_("{}; {:.0f} GB are needed, {}").format(found, needed, advice),
        well=False,
    )
