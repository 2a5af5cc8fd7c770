"""A model that knows one organ more, before it has learned it.

The head of the network grows by one class; every other weight, and with it every other class's
score, stays to the bit. The new class starts where the background is, only less likely, as its
organ was background until now (Cermelli et al., *Modeling the Background for Incremental Learning
in Semantic Segmentation*, CVPR 2020). So the model finds what it found before, and nothing new
until a fine-tuning has taught it.
"""

import re
import tempfile
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import torch
from torch import Tensor

from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import Store
from cmcseg.bundle.verify import check_name
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import Code, Label, LabelTable

HEAD = re.compile(r"(?:before\.)?decoders\.\d+\.heads\.\d+\.(weight|bias)")
BELOW = 4.0  # of the new class's score under the background's: a share of 1 in 55
SIDES = {
    "right": Code(value="24028007", meaning="Right"),
    "left": Code(value="7771000", meaning="Left"),
}
# Far apart in hue from each other; the first that the table does not use is taken.
COLORS = ("#7ccf4b", "#d64fb8", "#3fc1c9", "#f2a93b", "#8c6bd8", "#c94f4f", "#5f9ea0", "#b8860b")


def extend(store: Store, model: str, organ: str, name: str, *, code: str = "") -> ModelCard:
    """Make a model of the user's own that has room for one organ more.

    Args:
        store: where the model is known, and where the new one goes.
        model: the name of the model to start from, in the version that is in use.
        organ: what a clinician calls the new organ ("gallbladder", "left adrenal gland").
        name: of the new model.
        code: SNOMED CT code of the organ; none when empty.

    Returns:
        The new model's card.

    Raises:
        BadInput: when the organ is in the table already, the name is taken or cannot be a name.
    """
    check_name(name)
    bundle = load_bundle(store.find(model))
    used = bundle.card
    record = {
        "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "changed": f"Room was made for {organ.strip()}; it is not learned yet.",
        "added": [organ.strip()],
        "tested": "Not tested; all other organs are found as before.",
        "may_affect": "Nothing until a fine-tuning has taught it.",
    }
    card = replace(
        used,
        name=name,
        title=f"{used.title}, {organ.strip()}",
        version="0.1.0",
        table=_longer(used.table, organ.strip(), code),
        parent=used.sha256,
        measured={},
        history=(*used.history, record),
    )
    state = {k: _grown(k, v) for k, v in bundle.network.state_dict().items()}
    with tempfile.TemporaryDirectory(prefix="cmcseg-extend-") as place:
        save_bundle(state, card, Path(place) / name)
        return store.card(str(store.import_(Path(place) / name)))


def fresh_organs(card: ModelCard) -> frozenset[str]:
    """Organs that a model has room for and that no adopted fine-tuning has taught it yet."""
    fresh: set[str] = set()
    for record in card.history:
        fresh |= set(record.get("added", ()))
        fresh -= set(record.get("taught", ()))
    return frozenset(fresh)


def _longer(table: LabelTable, organ: str, code: str) -> LabelTable:
    """The table with one label at its end; the other values keep their meaning."""
    names = {label.name.casefold(): label.value for label in table}
    if organ.casefold() in names:
        raise BadInput(f"The model knows {organ} already.")
    side, _, rest = organ.partition(" ")
    free = [c for c in COLORS if c not in {label.color.lower() for label in table}]
    value = len(table) + 1
    try:
        label = Label(
            value=value,
            name=organ,
            color=free[0] if free else COLORS[value % len(COLORS)],
            code=Code(value=code, meaning=rest if side in SIDES else organ) if code else None,
            side=SIDES.get(side),
        )
    except ValueError as error:
        raise BadInput(str(error)) from error
    twin = names.get(f"{'left' if side == 'right' else 'right'} {rest}".casefold())
    pairs = ((twin, value),) if side in SIDES and twin else ()
    return LabelTable(labels=(*table.labels, label), mirrored=(*table.mirrored, *pairs))


def _grown(key: str, value: Tensor) -> Tensor:
    """A head's weights ``(C, K, ...)`` or bias ``(K)`` with one class more."""
    match = HEAD.fullmatch(key)
    if not match:
        return value
    axis = 1 if match[1] == "weight" else 0
    background = value.narrow(axis, 0, 1)
    new = background if match[1] == "weight" else background - BELOW
    return torch.cat([value, new], dim=axis)
