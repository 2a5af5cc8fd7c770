"""Weights that others published, taken by their own names or not at all."""

import re
from collections.abc import Mapping

from torch import Tensor, nn

from cmcseg.core.errors import BadInput

_WRAPPERS = re.compile(r"^(module\.|backbone\.)+")  # what data-parallel training puts in front


def official_weights(encoder: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An encoder's weights by its own names, from a checkpoint by the official ones.

    Args:
        encoder: says which official name each of its weights has (``official_names``), how those
            names begin (``OFFICIAL``) and which endings it does not need (``UNUSED``).
        state: the checkpoint; it may hold other parts of a network as well.

    Returns:
        Every weight that has an official name.

    Raises:
        BadInput: when one is missing, has another shape, or is left over: a partial match would
            train and never say so.
    """
    plain = {_WRAPPERS.sub("", name): value for name, value in state.items()}
    theirs = {
        name: value
        for name, value in plain.items()
        if name.startswith(encoder.OFFICIAL) and not name.endswith(encoder.UNUSED)
    }
    names, ours = encoder.official_names(), encoder.state_dict()
    wrong = [
        f"{their} is missing" for their in dict.fromkeys(names.values()) if their not in theirs
    ]
    wrong += [f"{their} is not expected" for their in theirs if their not in names.values()]
    wrong += [
        f"{their} has shape {tuple(theirs[their].shape)} instead of {tuple(ours[our].shape)}"
        for our, their in names.items()
        if their in theirs and theirs[their].shape != ours[our].shape
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise BadInput(f"The checkpoint does not fit the encoder: {wrong[0]}{more}.")
    return {our: theirs[their] for our, their in names.items()}
