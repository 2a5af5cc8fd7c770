"""From a model card to a network."""

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.nets.collaborative_net import ENCODERS, FUSIONS, CollaborativeNet
from cmcseg.nets.domain_net import DomainNet


def build_network(card: ModelCard) -> CollaborativeNet:
    """An untrained network that fits the card.

    Raises:
        BadInput: when the card asks for an encoder or a fusion that this version lacks, or gives
            the encoder a shape that it cannot have.
    """
    spec = card.network
    if spec.encoder not in ENCODERS:
        raise BadInput(f"The encoder {spec.encoder!r} is not one of {', '.join(ENCODERS)}.")
    if spec.fusion not in FUSIONS:
        raise BadInput(f"The fusion {spec.fusion!r} is not one of {', '.join(FUSIONS)}.")
    made = {"modalities": len(card.inputs), "classes": card.table.classes}
    if card.corrected:
        corrected = {card.roles.index(role): groups for role, groups in card.corrected.items()}
        return DomainNet(spec, **made, corrected=corrected)
    return CollaborativeNet(spec, **made)
