"""``cmcseg models``: which there are, and where they come and go."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, subcommand

from cmcseg.cli.begin import Begin
from cmcseg.cli.compact import Compact
from cmcseg.cli.console import SCREEN
from cmcseg.cli.convert import ConvertModel
from cmcseg.cli.extend import Extend
from cmcseg.cli.versions import Adopt, History, Prune, Rollback
from cmcseg.core.errors import BadInput
from cmcseg.core.user_path import user_path


@dataclass(frozen=True, kw_only=True)
class ListModels:
    """List the models."""

    json: bool = False
    """Print the cards as JSON."""

    def run(self) -> None:
        """Print a line per model; one that is damaged hides no other."""
        from cmcseg.bundle.store import default_store

        store = default_store()
        cards, damaged = store.cards()
        if self.json:
            print(json.dumps([card.to_dict() for card in cards], indent=1))
        else:
            for card in cards:
                organs = ", ".join(label.name for label in card.table)
                SCREEN.print(f"{card.name} {card.version}: {organs}. {card.intended_use}")
            for sentence in store.in_place_of_shipped():
                SCREEN.print(sentence, soft_wrap=True, markup=False)
        if damaged:
            raise BadInput(" ".join(damaged))


@dataclass(frozen=True, kw_only=True)
class ImportModel:
    """Import a model from a folder or a zip; every member is checked first."""

    source: Positional[Path]
    """The folder or zip."""

    def run(self) -> None:
        """Check, then copy."""
        from cmcseg.bundle.store import default_store

        SCREEN.print(f"Imported {default_store().import_(self.source).name}")


@dataclass(frozen=True, kw_only=True)
class ExportModel:
    """Export a model as a zip, or as a MONAI bundle that runs in MONAI."""

    name: Positional[str]
    """Which model."""
    out: Positional[Path]
    """The zip; with --monai a new folder."""
    monai: bool = False
    """A folder with configs/inference.json and the networks exported by torch.export."""

    def run(self) -> None:
        """Write the zip or the folder."""
        from cmcseg.bundle.store import default_store

        if self.monai:
            from cmcseg.bundle.load import load_bundle
            from cmcseg.bundle.monai_bundle import write_monai_bundle

            bundle = load_bundle(default_store().find(self.name))
            place = write_monai_bundle(bundle, user_path(self.out))
            SCREEN.print(f"Wrote {place}", soft_wrap=True)
            return
        SCREEN.print(f"Wrote {default_store().export(self.name, self.out)}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class RemoveModel:
    """Remove an imported model."""

    name: Positional[str]
    """Which model."""

    def run(self) -> None:
        """Remove its folder."""
        from cmcseg.bundle.store import default_store

        default_store().remove(self.name)
        SCREEN.print(f"Removed {self.name}")


@dataclass(frozen=True, kw_only=True)
class Models:
    """List, import, export, remove, convert, compact, extend or begin models; switch versions."""

    verb: (
        Annotated[ListModels, subcommand("list")]
        | Annotated[ImportModel, subcommand("import")]
        | Annotated[ExportModel, subcommand("export")]
        | Annotated[RemoveModel, subcommand("remove")]
        | Annotated[ConvertModel, subcommand("convert")]
        | Annotated[Compact, subcommand("compact")]
        | Annotated[Extend, subcommand("extend")]
        | Annotated[Begin, subcommand("begin")]
        | Annotated[History, subcommand("history")]
        | Annotated[Adopt, subcommand("adopt")]
        | Annotated[Rollback, subcommand("rollback")]
        | Annotated[Prune, subcommand("prune")]
    )

    def run(self) -> None:
        """Run the chosen verb."""
        self.verb.run()
