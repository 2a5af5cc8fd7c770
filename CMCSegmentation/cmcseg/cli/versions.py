"""``cmcseg models adopt``, ``history``, ``rollback`` and ``prune``."""

import json
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from tyro.conf import Positional

from cmcseg.cli.console import SCREEN
from cmcseg.core.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Adopt:
    """Use a fine-tuned model from now on, or beside the one in use; the version before stays."""

    name: Positional[str]
    """Which model."""
    folder: Positional[Path]
    """Folder of the fine-tuning."""
    overrule: str = ""
    """Why to adopt it although the comparison does not say so; it is kept with the model."""
    beside: str | None = None
    """For which site, such as "Dijon": it becomes a model of its own, and the one in use stays."""
    json: bool = False
    """Print the new version as JSON."""

    def run(self) -> None:
        """Check the verdict, then switch."""
        from cmcseg.bundle.site import adopt_beside
        from cmcseg.bundle.store import default_store
        from cmcseg.bundle.versions import adopt

        store, overrule = default_store(), self.overrule
        if self.beside is None:
            _tell(adopt(store, self.name, self.folder, overrule=overrule), self.json)
            return
        card = adopt_beside(store, self.name, self.folder, self.beside, overrule=overrule)
        if self.json:
            print(json.dumps(card.to_dict(), indent=1))
        else:
            told = f"Kept beside {self.name}: {card.name} {card.version} ({card.title})"
            SCREEN.print(told, soft_wrap=True, markup=False)


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """Use the version before the one in use; nothing is deleted."""

    name: Positional[str]
    """Which model."""
    to: str = ""
    """Number of another version to use, such as 0.1.2."""
    json: bool = False
    """Print the version now in use as JSON."""

    def run(self) -> None:
        """Switch back."""
        from cmcseg.bundle.store import default_store
        from cmcseg.bundle.versions import history, rollback

        store = default_store()
        names = {v.card.version: v.name for v in history(store, self.name) if v.card}
        if self.to and self.to not in names:
            raise BadInput(
                f"There is no version {self.to} of {self.name}; there are: {', '.join(names)}."
            )
        _tell(rollback(store, self.name, names.get(self.to, "")), self.json)


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Delete old versions of a model; the first and the one in use always stay."""

    name: Positional[str]
    """Which model."""
    yes: bool = False
    """Do it; without it, nothing is deleted."""
    json: bool = False
    """Print the deleted versions as JSON."""

    def run(self) -> None:
        """Say which would go, or delete them."""
        from cmcseg.bundle.store import default_store
        from cmcseg.bundle.versions import prune, spare

        store = default_store()
        old = spare(store, self.name)
        if old and not self.yes:
            names = ", ".join(_named(version) for version in old)
            raise BadInput(
                f"This would delete {names} for good, with the reasons that were given for them; "
                "say --yes if that is meant."
            )
        gone = [version.to_dict() for version in prune(store, self.name)]
        if self.json:
            print(json.dumps(gone, indent=1))
        else:
            SCREEN.print(f"Deleted {len(gone)} old versions of {self.name}.")


@dataclass(frozen=True, kw_only=True)
class History:
    """List the versions of a model, oldest first."""

    name: Positional[str]
    """Which model."""
    json: bool = False
    """Print them as JSON."""

    def run(self) -> None:
        """Print a line per version."""
        from cmcseg.bundle.store import default_store
        from cmcseg.bundle.versions import history

        versions = [version.to_dict() for version in history(default_store(), self.name)]
        if self.json:
            print(json.dumps(versions, indent=1))
            return
        show = Table("in use", "version", "weights", "what changed", "how it was tested")
        for v in versions:
            change = v["change"]
            mark = "*" if v["in_use"] else ""
            told = change.get("changed", "as it came"), change.get("tested", "see its card")
            if v["damage"]:
                told = "damaged", v["damage"]
            show.add_row(mark, v["version"], v["sha256"][:12], *told)
        SCREEN.print(show)


def _named(version) -> str:  # noqa: ANN001
    if not version.card:
        return f"the damaged {version.name}"
    return f"{version.card.version} ({version.card.sha256[:12]})"


def _tell(version, as_json: bool) -> None:  # noqa: ANN001
    if as_json:
        print(json.dumps(version.to_dict(), indent=1))
    else:
        SCREEN.print(f"In use: {version.card.name} {version.card.version}")
