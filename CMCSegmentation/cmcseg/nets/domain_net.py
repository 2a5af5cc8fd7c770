"""A network with two sets of kernels for a scan: as corrections made them, and as they were before.

What a clinic's corrections teach holds for scans like those that were corrected, and costs the
others. So both sets are kept, and what a scan looks like decides which of them it gets, as other
domains get norms or adapters of their own (Rebuffi et al., *Learning multiple visual domains with
residual adapters*, NeurIPS 2017).
"""

import torch
from torch import Tensor, nn

from cmcseg.core.card import ModelCard, NetworkSpec
from cmcseg.core.scan_traits import ScanGroup, ScanTraits, likeness
from cmcseg.nets.collaborative_net import CollaborativeNet

BEFORE = "before."
PARTS = ("encoders", "decoders", "awareness")  # what every modality has for itself; not the fusion


class DomainNet(CollaborativeNet):
    """A ``CollaborativeNet`` of what was learned, with the kernels of before beside it.

    Args:
        spec, modalities, classes: as of ``CollaborativeNet``.
        corrected: by index, the kinds of scans that corrections were made in.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        modalities: int,
        classes: int,
        corrected: dict[int, tuple[ScanGroup, ...]],
    ) -> None:
        super().__init__(spec, modalities, classes)
        twin = CollaborativeNet(spec, modalities, classes)
        self.make = (spec, modalities, classes)
        self.corrected = corrected
        self.before = nn.ModuleDict(
            {
                part: nn.ModuleDict({str(m): getattr(twin, part)[m] for m in corrected})
                for part in PARTS
            }
        )

    def of(self, traits: dict[int, ScanTraits]) -> tuple[CollaborativeNet, dict[int, float]]:
        """The network for some scans, and by index how much they are like the corrected ones.

        Args:
            traits: of the scans, by index.
        """
        shares = {m: likeness(self.corrected[m], traits[m]) for m in self.corrected if m in traits}
        state = self.state_dict()
        learned = learned_weights(state)
        for m, share in shares.items():
            if share == 1.0:
                continue
            for key, value in _kernels(learned, m).items():
                learned[key] = torch.lerp(state[BEFORE + key], value, share)
        with torch.device("meta"):
            network = CollaborativeNet(*self.make)
        network.load_state_dict(learned, assign=True)
        return network.train(self.training), shares


def chosen(
    network: nn.Module, card: ModelCard, traits: dict[str, ScanTraits]
) -> tuple[nn.Module, dict[str, float]]:
    """The network to look at some scans with, and by role how much these are like corrected ones.

    Args:
        network: of the card.
        card: names the roles.
        traits: of the scans, by role; of those that are left out, the learned kernels are taken.

    Returns:
        The network itself and nothing, unless it has two sets of kernels.
    """
    if not isinstance(network, DomainNet):
        return network, {}
    fitting, shares = network.of({card.roles.index(role): one for role, one in traits.items()})
    return fitting, {card.roles[m]: share for m, share in shares.items()}


def learned_weights(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a network without those of before."""
    return {key: value for key, value in state.items() if not key.startswith(BEFORE)}


def with_before(
    learned: dict[str, Tensor], old: dict[str, Tensor], corrected: list[int]
) -> dict[str, Tensor]:
    """What was learned, with the kernels that each corrected scan had before its first correction.

    Args:
        learned: of a network with kernels for every scan.
        old: of the network that it learned from; one with two sets hands its first ones on.
        corrected: indices of the scans.
    """
    state = dict(learned)
    for m in corrected:
        for key in _kernels(learned, m):
            state[BEFORE + key] = old.get(BEFORE + key, old[key])
    return state


def _kernels(state: dict[str, Tensor], m: int) -> dict[str, Tensor]:
    places = tuple(f"{part}.{m}." for part in PARTS)
    return {key: value for key, value in state.items() if key.startswith(places)}
