"""Tasks by name or file: those that came with the program, and those of the user's own."""

from dataclasses import replace
from pathlib import Path

from cmcseg.bundle.store import Store, task_card, task_names
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
    return named_task(task, cohort.parent)


def named_task(task: str, folder: Path) -> ModelCard:
    """The card of a task, still without weights.

    Args:
        task: the name of one that came with the program, or a file that ends in ``.json``.
        folder: that a relative path counts from.

    Raises:
        BadInput: for an unknown name, or a file that is missing or no task.
    """
    if not task.endswith(".json"):
        return task_card(task)
    path = folder / task
    try:
        content = read_json(path)
        if isinstance(content, dict) and "training" in content:
            raise BadInput("it is a list of cases; give the file of the task that it names")
        # The card of a corrected model may be a task; the weights of before are not the new one's.
        return replace(task_from_dict(content), corrected={})
    except OSError as error:
        raise BadInput(f"The card {path} cannot be read: {error.strerror}.") from error
    except (ValueError, BadInput) as error:
        reason = str(error).rstrip(".")
        raise BadInput(f"The card {path} cannot be used: {reason}.") from error


def tasks_without_model(store: Store) -> dict[str, str]:
    """Titles, by name, of the program's tasks that no model is called after."""
    cards = {name: task_card(name) for name in task_names()}
    there = {name.casefold() for name in store.names()}
    return {n: card.title for n, card in cards.items() if card.name.casefold() not in there}
