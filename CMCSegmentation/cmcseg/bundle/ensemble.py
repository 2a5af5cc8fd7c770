"""Several models of one task as one: the mean of their probabilities."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from cmcseg.bundle.load import Bundle, load_bundle
from cmcseg.bundle.store import Store
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.json_file import read_json
from cmcseg.core.user_path import user_path
from cmcseg.nets.collaborative_net import Output

FOLDS = "folds.json"  # a list of models' folders, relative to the file


class Ensemble(nn.Module):
    """Networks of one make; looks like one of them whose probabilities are the mean of theirs."""

    def __init__(self, networks: list[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: dict[int, Tensor], trust_B: Tensor) -> dict[int, Output]:
        """As ``CollaborativeNet``; the features are the first network's."""
        said = [network(images, trust_B) for network in self.networks]
        result = {}
        for m, first in said[0].items():
            each = torch.stack([out[m].logits_BKDHW.float().softmax(dim=1) for out in said])
            logits = each.mean(dim=0).clamp_min(1e-8).log()
            result[m] = replace(first, logits_BKDHW=logits)
        return result


def load_model(store: Store, name: str, device: str | torch.device = "cpu") -> Bundle:
    """A model by its name or folder, or all folds of a run as one.

    Args:
        store: where names are looked up.
        name: of a model, its folder, or that of a run with ``--folds``.
        device: where the network goes.

    Raises:
        BadInput: when there is none, or the folds do not go together.
    """
    path = user_path(name) / FOLDS
    if name in store.names() or not path.is_file():
        return load_bundle(store.find(name), device)
    try:
        members = [path.parent / str(each) for each in read_json(path)]
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{path} cannot be read: {error}.") from error
    bundles = [load_bundle(member, device) for member in members]
    if len({_make(bundle.card) for bundle in bundles}) != 1:
        raise BadInput(f"The models that {path} lists are not of one make.")
    sums = " ".join(bundle.card.sha256 for bundle in bundles)
    card = replace(
        bundles[0].card,
        title=f"{bundles[0].card.title}, mean of {len(bundles)}",
        sha256=hashlib.sha256(sums.encode()).hexdigest(),
        measured=_mean([bundle.card.measured for bundle in bundles]),
    )
    network = Ensemble([bundle.network for bundle in bundles]).eval()
    return Bundle(card=card, network=network, folder=path.parent)


def _make(card: ModelCard) -> str:
    return repr((card.inputs, card.table, card.grid, card.network))


def _mean(measured: list[dict]) -> dict:
    """The mean of what the members measured, each on the cases that it did not learn from."""
    result: dict = {}
    for role, organs in measured[0].items():
        if isinstance(organs, Mapping):
            rows = [each.get(role, {}) for each in measured]
            means = {organ: [row[organ] for row in rows if organ in row] for organ in organs}
            result[role] = {k: round(sum(v) / len(v), 3) for k, v in means.items()}
    if result:
        result["how"] = (
            f"Mean of the {len(measured)} members, each on the cases that it did not learn from; "
            "together they are usually better."
        )
    return result
