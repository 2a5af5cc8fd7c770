"""``cmcseg models begin``: a model of a task that has none, to be taught from the queue."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from cmcseg.cli.console import SCREEN


@dataclass(frozen=True, kw_only=True)
class Begin:
    """Make an untrained model of a task, so that the panels know its scans and organs.

    Draw and accept some cases with it; 'Learn' in a panel, or 'cmcseg finetune', then trains it.
    """

    task: Positional[str]
    """abdomen, heart, orbit, or the file of a task."""
    new_name: Annotated[str, arg(name="as")] = ""
    """Name of the model; the task's own when left out."""
    init: str | None = None
    """Name or folder of a model to start from: what fits is taken, and told."""

    def run(self) -> None:
        """Make it, and say what comes next."""
        from cmcseg.bundle.begin import begin
        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.store import default_store
        from cmcseg.bundle.tasks import named_task

        store = default_store()
        parent = None if self.init is None else load_bundle(store.find(self.init))
        card, told = begin(store, named_task(self.task, Path.cwd()), self.new_name, parent)
        if told:
            SCREEN.print(told, soft_wrap=True, markup=False)
        organs = ", ".join(f"{label.name} ({label.value})" for label in card.table)
        SCREEN.print(
            f"Began {card.name}: {', '.join(card.roles)}; {organs}. It finds nothing yet: draw and "
            "accept some cases, then let it learn.",
            soft_wrap=True,
            markup=False,
        )
