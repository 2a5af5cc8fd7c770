"""``cmcseg prepare``: a cohort's files into a cache."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from cmcseg.cli.console import SCREEN, bar
from cmcseg.core.counted import counted
from cmcseg.core.errors import BadInput
from cmcseg.core.user_path import user_path

if TYPE_CHECKING:
    from cmcseg.data.cache import Cache


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Read a cohort once into a cache that training starts from."""

    cohort: Positional[Path]
    """A JSON datalist with a key per role; 'task' names the task, or the file of a card.
    With --task a data set's folder (nnU-Net, Decathlon), too."""
    out: Path
    """The cache's folder; it must not exist."""
    task: str = ""
    """The task of a list that names none, or of a folder: abdomen, heart, orbit, or a file."""
    phantoms: int = 0
    """Rendered pairs to train on beside the real ones; there are some of every shipped task."""

    def run(self) -> None:
        """Read, normalise, resample, write."""
        out = user_path(self.out)
        cache = prepared(self.cohort, out, self.phantoms, self.task)
        SCREEN.print(f"{counted(len(cache.scans), 'scan')} in {out}", soft_wrap=True)


def prepared(cohort: Path, out: Path, phantoms: int = 0, task: str = "") -> "Cache":
    """Read a cohort into a cache, and say what is odd about it.

    Args:
        cohort: a datalist, or with ``task`` a data set's folder.
        out: the cache's folder.
        phantoms: rendered pairs to train on beside the real ones.
        task: a name or a file; the one that the datalist names when empty.

    Raises:
        BadInput: when it cannot be used.
    """
    from cmcseg.bundle.tasks import cohort_card, named_task
    from cmcseg.bundle.verify import check_name
    from cmcseg.data.cohort import read_cohort, read_datalist
    from cmcseg.data.dataset_cohort import dataset_cohort
    from cmcseg.data.phantom_cases import with_phantoms
    from cmcseg.data.prepare import prepare

    path = user_path(cohort)
    if path.is_dir() and not task:
        raise BadInput(
            f"{path} is a folder, which names no task: make one of it with 'cmcseg task new', or "
            "say which with 'cmcseg prepare --task'."
        )
    card = named_task(task, Path.cwd()) if task else cohort_card(read_datalist(path), path)
    check_name(card.name)  # or the model could not be written after hours of training
    found = (dataset_cohort if path.is_dir() else read_cohort)(path, card)
    with bar() as report, with_phantoms(found, card, phantoms, report) as both:
        cache = prepare(both, card, out, report)
    for group in cache.twins():
        SCREEN.print(
            f"{' and '.join(group)} hold the same scan; it counts as often as it is there.",
            soft_wrap=True,
            markup=False,
        )
    if repeated := [scan for scan in cache.scans if scan.repeated]:
        SCREEN.print(
            f"Of the labels of {counted(len(repeated), 'scan')}, "
            f"{counted(sum(scan.repeated for scan in repeated), 'slice')} repeat the slice "
            "beside them only, while the image changes; training leaves that out.",
            soft_wrap=True,
        )
    return cache
