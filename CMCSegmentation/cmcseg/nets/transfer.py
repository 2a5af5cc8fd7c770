"""From one model's weights to the start of another network: all that fits, and what that was.

Norms, stems, awareness and fusion follow the role, the classes of the heads the organ's name;
everything else fits where its shape does.
"""

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.nets.submodel import BIAS, MIX, NULL, PER_MODALITY

HEADS = ".heads."
_TOP = re.compile(r"((?:en|de)coders\.)(\d+)\.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Transfer:
    """The start of a training.

    Attributes:
        state: all weights of the new network.
        share: of them, those that were taken.
        roles: the old role that each new one begins as.
        organs: those whose classes were taken.
        fresh: organs whose classes begin by chance.
        left: roles and organs of the old model that the new one does not have.
        untaken: names of the weights that did not fit.
    """

    state: dict[str, Tensor]
    share: float
    roles: dict[str, str]
    organs: tuple[str, ...]
    fresh: tuple[str, ...]
    left: tuple[str, ...]
    untaken: tuple[str, ...]

    def sentence(self, name: str) -> str:
        """What was taken from the model of that name, and what was not."""
        parts = [f"{self.share:.0%} of the weights begin as those of {name}"]
        parts.append(", ".join(f"{new} as {old}" for new, old in self.roles.items()))
        if self.organs:
            parts.append(f"organs taken: {', '.join(self.organs)}")
        if self.fresh:
            parts.append(f"new, by chance: {', '.join(self.fresh)}")
        if self.left:
            parts.append(f"left out: {', '.join(self.left)}")
        if self.untaken:
            parts.append(f"not fitting: {len(self.untaken)} tensors, {self.untaken[0]} first")
        return "; ".join(parts) + "."


def transfer(
    weights: dict[str, Tensor], old: ModelCard, new: ModelCard, fresh: dict[str, Tensor]
) -> Transfer:
    """Take what fits.

    Args:
        weights: of the old model.
        old: its card.
        new: of the network that is to be trained.
        fresh: the new network's own weights, drawn by chance.

    Raises:
        BadInput: when no kernel fits.
    """
    seats = {role: _seat(role, old, new) for role in new.roles}
    state, untaken = {}, []
    for key, value in fresh.items():
        taken = _taken(key, value, weights, old, new, seats)
        state[key] = value if taken is None else taken.to(value.dtype).clone()
        if taken is None:
            untaken.append(key)
    kernels = [key for key, value in fresh.items() if value.dim() == 5 and HEADS not in key]
    if not set(kernels) - set(untaken):
        raise BadInput(
            f"Nothing of {old.name} fits the network of {new.name}: widths {old.network.widths} "
            f"and {new.network.widths}, encoder {old.network.encoder} and {new.network.encoder}. "
            "Give the task the other's widths and encoder, or leave --init out."
        )
    total = sum(value.numel() for value in fresh.values())
    missing = sum(fresh[key].numel() for key in untaken)
    known = {label.name.casefold() for label in old.table}
    heads = any(HEADS in key and key not in untaken for key in fresh)
    names = [label.name for label in new.table]
    organs = tuple(name for name in names if heads and name.casefold() in known)
    mine = {name.casefold() for name in names}
    return Transfer(
        state=state,
        share=1 - missing / total,
        roles={role: old.roles[seat] for role, seat in seats.items()},
        organs=organs,
        fresh=tuple(name for name in names if name not in organs),
        left=(
            *(role for role in old.roles if old.roles.index(role) not in seats.values()),
            *(label.name for label in old.table if label.name.casefold() not in mine),
        ),
        untaken=tuple(untaken),
    )


def _seat(role: str, old: ModelCard, new: ModelCard) -> int:
    """Which of the old roles a new one begins as: of its name, else of its modality, else any."""
    if role in old.roles:
        return old.roles.index(role)
    free = [number for number, name in enumerate(old.roles) if name not in new.roles]
    mine = new.input(role).modality
    alike = [n for n in free or range(len(old.roles)) if old.inputs[n].modality == mine]
    return (alike or free or [0])[0]


def _taken(
    key: str,
    like: Tensor,
    weights: dict[str, Tensor],
    old: ModelCard,
    new: ModelCard,
    seats: dict[str, int],
) -> Tensor | None:
    """The old weights for a new name; None where they do not fit."""
    chosen = [seats[role] for role in new.roles]
    if key in (NULL, MIX, BIAS) and MIX in weights:
        return _fused(key, like, weights, chosen)
    shared = (old.network.shared_kernels, new.network.shared_kernels)
    value = weights.get(_source(key, chosen, *shared))
    if value is None:
        return None
    if HEADS in key:
        return _head(key, like, value, old, new)
    return value if value.shape == like.shape else None


def _source(key: str, chosen: list[int], old_shared: bool, new_shared: bool) -> str:
    """What the weights of that name are called in the old network."""
    top, seat = _TOP.match(key), PER_MODALITY.search(key)
    if top and not new_shared:
        role = int(top[2])
    elif seat:
        role = int(seat[2])
    else:
        return key
    was = chosen[role]
    if not top:
        return PER_MODALITY.sub(lambda hit: f"{hit[1]}{was}", key)
    key = PER_MODALITY.sub(lambda hit: f"{hit[1]}{was if old_shared else 0}", key)
    return _TOP.sub(lambda hit: f"{hit[1]}{0 if old_shared else was}.", key)


def _head(key: str, like: Tensor, value: Tensor, old: ModelCard, new: ModelCard) -> Tensor | None:
    """The new head's own numbers, with the old ones of background and of every known organ."""
    axis = 1 if key.endswith("weight") else 0
    shape, wanted = list(value.shape), list(like.shape)
    shape[axis] = wanted[axis]
    if shape != wanted:
        return None
    known = {label.name.casefold(): label.value for label in old.table}
    result = like.clone()
    pairs = [(0, 0)]
    pairs += [
        (label.value, known[label.name.casefold()])
        for label in new.table
        if label.name.casefold() in known
    ]
    for to, came in pairs:
        result.narrow(axis, to, 1).copy_(value.narrow(axis, came, 1))
    return result


def _fused(key: str, like: Tensor, weights: dict[str, Tensor], chosen: list[int]) -> Tensor | None:
    """The fusion layer's part of the roles; an absent one becomes a part of the bias."""
    null_MC = weights[NULL]
    blocks = weights[MIX].split(null_MC.shape[1], dim=1)
    if key == NULL:
        value = null_MC[chosen]
    elif key == MIX:
        value = torch.cat([blocks[m] for m in chosen], dim=1)
    else:
        absent = [m for m in range(len(blocks)) if m not in chosen]
        value = weights[BIAS] + sum(blocks[m][..., 0, 0, 0] @ null_MC[m] for m in absent)
    return value if value.shape == like.shape else None
