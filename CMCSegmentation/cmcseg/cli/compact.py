"""``cmcseg models compact``: the same model in a quarter of the bytes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from cmcseg.cli.screen import SCREEN


@dataclass(frozen=True, kw_only=True)
class Compact:
    """Round a model's weights to a few bits; the result is a model like any other."""

    name: Positional[str]
    """Name or folder of the model."""
    out: Positional[Path]
    """Folder of the new one."""
    bits: Literal[3, 4, 5, 6, 7, 8] = 5
    """Per weight. The shipped models lose nothing that can be measured at 5."""

    def run(self) -> None:
        """Round, and write a folder."""
        from dataclasses import replace
        from datetime import datetime, timezone

        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.pack import save_bundle
        from cmcseg.bundle.store import default_store

        bundle = load_bundle(default_store().find(self.name))
        state = bundle.network.state_dict()
        record = {
            "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "changed": f"The weights were rounded to {self.bits} bits.",
            "tested": "Not tested.",
            "may_affect": "Every border, a little.",
        }
        card = replace(
            bundle.card,
            parent=bundle.card.sha256,
            measured={},
            history=(*bundle.card.history, record),
        )
        save_bundle(state, card, self.out, bits=self.bits)
        SCREEN.print(
            f"Wrote {self.out}. Measure it with 'cmcseg evaluate' before you trust it.",
            soft_wrap=True,
        )
