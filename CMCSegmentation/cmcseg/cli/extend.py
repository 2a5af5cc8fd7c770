"""``cmcseg models extend``: room for an organ that a model does not know yet."""

import json
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from cmcseg.cli.console import SCREEN


@dataclass(frozen=True, kw_only=True)
class Extend:
    """Make a model with one organ more, to be learned from corrected scans.

    It finds what the old one finds, and the new organ once a fine-tuning has taught it.
    """

    name: Positional[str]
    """The model to start from."""
    organ: str
    """What to call the new organ; one of a left and a right begins with that word."""
    new_name: Annotated[str, arg(name="as")]
    """Name of the new model."""
    code: str = ""
    """SNOMED CT code of the organ; DICOM segmentations need it."""
    json: bool = False
    """Print the new model's card as JSON."""

    def run(self) -> None:
        """Add the organ, and say what comes next."""
        from cmcseg.bundle.extend import extend
        from cmcseg.bundle.store import default_store

        card = extend(default_store(), self.name, self.organ, self.new_name, code=self.code)
        if self.json:
            print(json.dumps(card.to_dict(), indent=1))
            return
        label = list(card.table)[-1]
        SCREEN.print(
            f"Made {card.name}. Draw {label.name} with the value {label.value}, add the scans with "
            f"'cmcseg queue add --model {card.name}', then run 'cmcseg finetune'.",
            soft_wrap=True,
            markup=False,
        )
