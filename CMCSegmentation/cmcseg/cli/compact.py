"""``cmcseg models compact``: a model in half the bytes on disk, and fewer when packed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from cmcseg.cli.console import SCREEN


@dataclass(frozen=True, kw_only=True)
class Compact:
    """Round a model's weights to a few bits; the result is a model like any other."""

    name: Positional[str]
    """Name or folder of the model."""
    out: Positional[Path]
    """Folder of the new one."""
    bits: Literal[3, 4, 5, 6, 7, 8] = 4
    """Per weight of a large kernel; small ones take two more."""
    new_name: Annotated[str, arg(name="as")] = ""
    """Name of the new model; the old one's when left out. Only another name can be imported."""

    def run(self) -> None:
        """Round, and write a folder."""
        from dataclasses import replace
        from datetime import datetime, timezone

        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.pack import save_bundle
        from cmcseg.bundle.store import default_store
        from cmcseg.bundle.verify import check_name

        if self.new_name:
            check_name(self.new_name)
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
            name=self.new_name or bundle.card.name,
            version=f"{bundle.card.version}+{self.bits}bits",
            parent=bundle.card.sha256,
            measured={},
            history=(*bundle.card.history, record),
        )
        save_bundle(state, card, self.out, bits=self.bits)
        SCREEN.print(
            f"Wrote {self.out}. Measure it with 'cmcseg evaluate' before you trust it.",
            soft_wrap=True,
            markup=False,
        )
