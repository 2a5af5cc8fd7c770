"""The task that a cohort names: one of those that came with the program, or the file of one."""

from pathlib import Path

from cmcseg.bundle.store import task_card, task_names
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.json_file import read_json
from cmcseg.core.task_file import task_from_dict


def cohort_card(content: dict, cohort: Path) -> ModelCard:
    """The card that ``task`` names; a path to one is relative to the cohort's file."""
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
