"""``cmcseg prepare``: a cohort's files into a cache."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from cmcseg.cli.console import SCREEN, bar
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.json_file import read_json
from cmcseg.core.task_file import task_from_dict


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Read a cohort once into a cache that training starts from."""

    cohort: Positional[Path]
    """A JSON datalist with a key per role; 'task' names the task, or the file of a card."""
    out: Path
    """The cache's folder; it must not exist."""
    phantoms: int = 0
    """Rendered pairs to train on beside the real ones; there are some of every shipped task."""

    def run(self) -> None:
        """Read, normalise, resample, write."""
        from cmcseg.bundle.verify import check_name
        from cmcseg.data.cohort import read_cohort, read_datalist
        from cmcseg.data.phantom_cases import with_phantoms
        from cmcseg.data.prepare import prepare

        path, out = self.cohort.expanduser(), self.out.expanduser()
        card = cohort_card(read_datalist(path), path)
        check_name(card.name)  # or the model could not be written after hours of training
        cohort = read_cohort(path, card)
        with bar() as report, with_phantoms(cohort, card, self.phantoms, report) as both:
            cache = prepare(both, card, out, report)
        SCREEN.print(f"{len(cache.scans)} scans in {out}", soft_wrap=True)
        for group in cache.twins():
            SCREEN.print(
                f"{' and '.join(group)} hold the same scan; it counts as often as it is there.",
                soft_wrap=True,
                markup=False,
            )
        if repeated := [scan for scan in cache.scans if scan.repeated]:
            SCREEN.print(
                f"{sum(scan.repeated for scan in repeated)} slices of the labels of "
                f"{len(repeated)} scans only repeat the slice beside them, while the image "
                "changes; training leaves them out.",
                soft_wrap=True,
            )


def cohort_card(content: dict, cohort: Path) -> ModelCard:
    """The card that ``task`` names; a path to one is relative to the cohort's file."""
    from cmcseg.bundle.store import task_card, task_names

    task = content.get("task", "")
    if not task or not isinstance(task, str):
        names = ", ".join(task_names())
        raise BadInput(
            f"The cohort {cohort} does not name its task; add "
            f'"task": one of {names}, or the file of a card.'
        )
    if not task.endswith(".json"):
        return task_card(task)
    path = cohort.parent / task
    try:
        return task_from_dict(read_json(path))
    except OSError as error:
        raise BadInput(f"The card {path} cannot be read: {error.strerror}.") from error
    except (ValueError, BadInput) as error:
        reason = str(error).rstrip(".")
        raise BadInput(f"The card {path} cannot be used: {reason}.") from error
