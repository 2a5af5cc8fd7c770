"""A model of a task that nobody has trained yet, so that the panels can collect what to learn from.

It knows the task's roles, organs and colours, and finds nothing of worth until it has learned: all
its organs count as new ones, so the first fine-tuning from the queue trains all weights, and judges
the result by what it finds.
"""

import tempfile
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import torch

from cmcseg.bundle.load import Bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import Store
from cmcseg.bundle.verify import check_name
from cmcseg.core.card import ModelCard
from cmcseg.nets.build import build_network
from cmcseg.nets.transfer import transfer


def begin(
    store: Store, task: ModelCard, name: str = "", parent: Bundle | None = None
) -> tuple[ModelCard, str]:
    """Make the model and import it.

    Args:
        store: where it goes.
        task: a task's card.
        name: of the model; the task's when empty.
        parent: a model of which whatever fits is taken; random weights when None.

    Returns:
        The model's card, and what was taken from the parent (empty without one).

    Raises:
        BadInput: when the name is taken or cannot be one, or nothing of the parent fits.
    """
    name = check_name(name or task.name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weights = build_network(task).state_dict()
    told = ""
    if parent:
        taken = transfer(parent.network.state_dict(), parent.card, task, weights)
        weights, told = taken.state, taken.sentence(parent.card.name)
    organs = [label.name for label in task.table]
    record = {
        "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "changed": "The model was begun; it has learned nothing yet.",
        "added": organs,
        "tested": "Not tested.",
        "may_affect": "Nothing until a fine-tuning has taught it.",
    }
    card = replace(
        task,
        name=name,
        title=f"{task.title} (not trained yet)",
        version="0.1.0",
        parent=parent.card.sha256 if parent else "",
        trained_on="Nothing yet.",
        measured={},
        history=(record,),
    )
    with tempfile.TemporaryDirectory(prefix="cmcseg-begin-") as place:
        save_bundle(weights, card, Path(place) / name)
        return store.card(str(store.import_(Path(place) / name))), told
