"""Which kernels of a corrected model see a scan: the learned ones, or those of before."""

from dataclasses import replace

from cmcseg.bundle.load import Bundle
from cmcseg.core.scan_traits import traits_of
from cmcseg.core.volume import Volume
from cmcseg.nets.domain_net import chosen

UNLIKE = (
    "does not look like the scans that this model was corrected on, so it was segmented as before "
    "those corrections."
)
PARTLY = (
    "looks only partly like the scans that this model was corrected on, so only a part of what was "
    "learned from them was used."
)


def choose_domain(bundle: Bundle, volumes: dict[str, Volume]) -> tuple[Bundle, list[str]]:
    """The model with the kernels for these scans, and a sentence where they are the old ones.

    Args:
        bundle: the model; one that was never corrected is returned as it is.
        volumes: the scans by role.
    """
    card = bundle.card
    if not card.corrected:
        return bundle, []
    traits = {role: traits_of(volume) for role, volume in volumes.items()}
    network, shares = chosen(bundle.network, card, traits)
    told = [
        f"The {card.input(role).title} {PARTLY if share else UNLIKE}"
        for role, share in shares.items()
        if share < 1
    ]
    return replace(bundle, network=network), told
