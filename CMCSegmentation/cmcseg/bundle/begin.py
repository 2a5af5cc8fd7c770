"""A model of a task that nobody has trained yet, so that the panels can collect what to learn from.

It knows the task's roles, organs and colours, and finds nothing until it has learned: all its
organs count as new ones, so the first fine-tuning from the queue trains all weights, and judges the
result by what it finds.
"""

import tempfile
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import torch

from cmcseg.bundle.load import Bundle, network_without_memory
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import Store
from cmcseg.bundle.untaught import untaught
from cmcseg.bundle.verify import MOST_BYTES, check_name
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.nets.build import build_network
from cmcseg.nets.transfer import transfer

HALF = 2  # bytes of a weight, as models keep them


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
        BadInput: when the name is taken or cannot be one, the network is larger than a model may
            be, or nothing of the parent fits.
    """
    name = check_name(name or task.name)
    count = sum(value.numel() for value in network_without_memory(task, name).parameters())
    if count > MOST_BYTES / HALF:
        raise BadInput(
            f"The network of {name} would have {count / 1e6:.0f} million weights, and a model has "
            f"at most {MOST_BYTES / HALF / 1e6:.0f} million; give smaller network.widths."
        )
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
        task if parent else untaught(task),
        name=name,
        version="0.1.0",
        parent=parent.card.sha256 if parent else "",
        measured={},
        history=(record,),
    )
    with tempfile.TemporaryDirectory(prefix="cmcseg-begin-") as place:
        save_bundle(weights, card, Path(place) / name)
        return store.card(str(store.import_(Path(place) / name))), told
