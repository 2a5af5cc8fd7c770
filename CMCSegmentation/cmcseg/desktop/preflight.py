"""From facts to lines: what was found, whether that will do, and what helps."""

from dataclasses import dataclass

from slicer.i18n import tr as _

from cmcseg.desktop.environment import Environment, numbers

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


def checks(facts: Environment) -> list[Check]:
    """All lines, in the order of the page."""
    return [
        _python(facts),
        _torch(facts),
        _packages(facts),
        _disk(facts),
        _paths(facts),
        _memory(facts),
        _gpu(facts),
        _models(facts),
    ]


def _python(facts: Environment) -> Check:
    if numbers(facts.python) >= LEAST_PYTHON:
        return Check(name=_("Python"), found=facts.python)
    advice = _("{}; too old, use Slicer 5.10 or newer").format(facts.python)
    return Check(name=_("Python"), found=advice, well=False)


def _torch(facts: Environment) -> Check:
    name, gpu = _("PyTorch"), facts.gpu
    if not facts.torch:
        return Check(name=name, found=_("not installed"), well=False, fix="install")
    build = _("for CUDA {}").format(facts.cuda) if facts.cuda else _("for the processor alone")
    found = f"{facts.torch}, {build}"
    if gpu and not facts.cuda:
        advice = _("the GPU stays unused; install a build for CUDA with the PyTorch module")
        return Check(name=name, found=f"{found}; {advice}", well=False, fix="pytorch")
    least = LEAST_DRIVER.get(numbers(facts.cuda)[0], 0) if facts.cuda else 0
    if gpu and numbers(gpu.driver)[:1] < (least,):
        advice = _(
            "the NVIDIA driver {} is too old for it; update it to {} or newer, or install another "
            "build with the PyTorch module"
        ).format(gpu.driver, least)
        return Check(name=name, found=f"{found}; {advice}", well=False, fix="pytorch")
    return Check(name=name, found=found)


def _packages(facts: Environment) -> Check:
    if not facts.missing:
        return Check(name=_("Packages"), found=_("all there"))
    found = _("missing or too old: {}").format(", ".join(facts.missing))
    return Check(name=_("Packages"), found=found, well=False, fix="install")


def _disk(facts: Environment) -> Check:
    needed = WORK_GB if facts.torch else INSTALL_GB
    return _room(_("Free disk"), f"{facts.disk:.0f} GB", facts.disk, needed, _("make room"))


def _paths(facts: Environment) -> Check:
    name, limit = _("Path lengths"), facts.path_limit
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
    what = max(facts.paths, key=facts.paths.get)
    length = facts.paths[what]
    if length <= limit:
        return Check(name=name, found=_("at most {} of {} characters").format(length, limit))
    found = _("{} characters where Windows takes {}: {}, or allow long paths in Windows")
    return Check(name=name, found=found.format(length, limit, words[what]), well=False)


def _memory(facts: Environment) -> Check:
    if facts.memory is None:
        return Check(name=_("Memory"), found=_("not known before the packages are installed"))
    free, total = facts.memory
    found = _("{:.0f} of {:.0f} GB free").format(free, total)
    return _room(_("Memory"), found, free, MEMORY_GB, _("close other programs"))


def _gpu(facts: Environment) -> Check:
    if facts.gpu is None:
        found = _("no NVIDIA GPU; a pair takes longer")
        return Check(name=_("GPU memory"), found=found)
    found = _("{:.0f} of {:.0f} GB free, {}, driver {}").format(
        facts.gpu.free, facts.gpu.total, facts.gpu.name, facts.gpu.driver
    )
    advice = _("close what uses it, or choose cpu under Advanced")
    return _room(_("GPU memory"), found, facts.gpu.free, GPU_GB, advice)


def _models(facts: Environment) -> Check:
    damaged = [
        name for each in (facts.models, facts.own) for name, whole in each.items() if not whole
    ]
    name = _("Models")
    if damaged:
        advice = _("{}: damaged; import it again, or reinstall the extension")
        found = advice.format(", ".join(damaged))
        return Check(name=name, found=found, well=False, fix="import")
    if not facts.models and not facts.own:
        return Check(name=name, found=_("none; import one"), well=False, fix="import")
    if facts.own:
        found = _("{} shipped, {} of your own, verified")
        return Check(name=name, found=found.format(len(facts.models), len(facts.own)))
    return Check(name=name, found=_("{} shipped, verified").format(len(facts.models)))


def _room(name: str, found: str, free: float, needed: float, advice: str) -> Check:
    if free >= needed:
        return Check(name=name, found=found)
    return Check(
        name=name,
        found=_("{}; {:.0f} GB are needed, {}").format(found, needed, advice),
        well=False,
    )
