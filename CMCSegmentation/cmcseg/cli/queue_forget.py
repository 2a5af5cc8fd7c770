"""``cmcseg queue forget``: erase a patient from a queue."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tyro.conf import Positional

from cmcseg.cli.console import SCREEN
from cmcseg.core.counted import counted
from cmcseg.core.errors import BadInput

LEFT = (
    "What was made from these scans elsewhere is not found from here: copies of this queue, "
    "exports, reports and drafts of other folders, backups."
)


@dataclass(frozen=True, kw_only=True)
class Forget:
    """Erase a patient for good, and say what no command can take back."""

    subject: Positional[str]
    """What your clinic calls the patient, or the pair's random number where the key is lost."""
    queue: Path
    """The queue's folder."""
    key: Path | None = None
    """Folder of the key from patients to random numbers; beside the queue when left out."""
    yes: bool = False
    """Do it; without this only what would go is told."""
    json: bool = False
    """Print what was found as JSON."""

    def run(self) -> None:
        """Find, tell, erase."""
        from cmcseg.bundle.store import default_store
        from cmcseg.queue.forget import forget, traces
        from cmcseg.queue.ledger import open_ledger
        from cmcseg.queue.pseudonyms import key_beside

        key = self.key or key_beside(self.queue)
        found = traces(open_ledger(self.queue), self.subject, key)
        learned = _learned(default_store(), set(found.pairs))
        if self.yes:
            forget(found)
        if self.json:
            told = {**asdict(found), "learned": learned, "erased": self.yes}
            print(json.dumps(told, indent=1, default=str))
            return
        done = "Erased" if self.yes else "This would erase"
        kinds = (("folder", found.folders), ("file", found.files), ("key", found.keys))
        count = ", ".join(counted(len(those), noun) for noun, those in kinds)
        SCREEN.print(f"{done} {', '.join(found.pairs)}: {count}.", soft_wrap=True)
        for path in found.folders:
            SCREEN.print(f"  {path}", soft_wrap=True, markup=False)
        for image in found.elsewhere:
            SCREEN.print(f"Not touched, as the queue only referred to it: {image}", markup=False)
        for model in learned:
            SCREEN.print(
                f"{model} has learned from it, which nothing takes out of its weights; train anew "
                "without it, or delete that version ('cmcseg models prune', or 'remove' where it "
                "is the first).",
                soft_wrap=True,
                markup=False,
            )
        SCREEN.print(LEFT, soft_wrap=True)
        if not self.yes:
            raise BadInput("Nothing was erased; say --yes if that is meant.")


def _learned(store, pairs: set[str]) -> list[str]:  # noqa: ANN001
    """The versions of models whose history names one of the pairs or its entries."""
    from cmcseg.bundle.versions import history

    found = []
    for name in store.names():
        for version in history(store, name):
            if version.card is None:
                continue
            ids = [
                str(i)
                for record in version.card.history
                for i in (*record.get("learned_from", ()), *record.get("taught", ()))
            ]
            if any(i.split(".")[0] in pairs for i in ids):
                found.append(f"{name} {version.card.version}")
    return found
