"""``cmcseg finetune``: learn from the queue, and compare with the model in use."""

import json
from dataclasses import dataclass
from math import isinf
from pathlib import Path

from rich.table import Table

from cmcseg.cli.console import ERRORS, SCREEN, bar, checked
from cmcseg.core.errors import BadInput
from cmcseg.core.user_path import user_path

PICTURE = "changed-most.png"


@dataclass(frozen=True, kw_only=True)
class FineTune:
    """Learn from corrected pairs; the model in use stays until 'cmcseg models adopt'.

    The same command goes on after an interruption.
    """

    model: str
    """Name of the model to start from."""
    queue: Path
    """The queue's folder."""
    out: Path
    """Folder of the run: candidate/, verdict.json, changed-most.png, run/losses.csv."""
    folder: Path | None = None
    """Holds scans that nobody has labelled, named as for 'cmcseg queue next'; up to eight of the
    pairs that are not in the queue help the model not to forget."""
    minutes: float = 10.0
    """From the start to the verdict."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    seed: int = 0
    """Decides crops and augmentation."""
    json: bool = False
    """Print the verdict as JSON and nothing else."""

    def run(self) -> None:
        """Check the queue, learn, compare, say."""
        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.store import default_store
        from cmcseg.learn.comparisons import Past
        from cmcseg.learn.finetune import FineTuneSettings, fine_tune
        from cmcseg.learn.noninferiority import ADOPT
        from cmcseg.queue.challengers import recall, remember
        from cmcseg.queue.cohort import gather, with_waiting
        from cmcseg.queue.ledger import open_ledger
        from cmcseg.queue.pseudonyms import key_beside
        from cmcseg.queue.uncorrected_pairs import pairs_waiting

        if isinf(self.minutes):
            raise BadInput(f"{self.minutes} minutes would never end; give a number.")
        settings = checked(
            FineTuneSettings, minutes=self.minutes, device=self.device, seed=self.seed
        )
        bundle = load_bundle(default_store().find(self.model))
        ledger = open_ledger(self.queue)
        lessons = gather(ledger, bundle.card)
        for name, why in {**lessons.set_aside, **lessons.unfit}.items():
            ERRORS.print(f"Not learned from: {name}. {why}", soft_wrap=True, markup=False)
        cohort = lessons.cohort
        if self.folder:
            key, folder = key_beside(self.queue), user_path(self.folder)
            waiting = pairs_waiting(folder, bundle.card.roles, ledger, key)
            cohort = with_waiting(cohort, waiting)
        with bar(quiet=self.json) as report:
            sha256 = bundle.card.sha256
            before = recall(self.queue, sha256)
            verdict = fine_tune(
                bundle,
                cohort,
                self.out,
                settings,
                report,
                past=Past.from_dict(before) if before else None,
                hand_on=lambda found: remember(self.queue, sha256, found),
            )
            picture = _picture(bundle, self.out, ledger, verdict, self.device, report)
        if self.json:
            told = {**verdict, "set_aside": lessons.set_aside, "unfit": lessons.unfit}
            print(json.dumps(told, indent=1))
            return
        show = Table("scan and organ", "old Dice", "new Dice", "change", "at worst", "cases")
        for name, organ in verdict["organs"].items():
            numbers = (f"{organ[k]:.3f}" for k in ("old", "new", "change", "at_worst"))
            show.add_row(name, *numbers, str(organ["cases"]))
        for name, organ in verdict["fresh"].items():
            numbers = ("-", f"{organ['new']:.3f}", "-", f"{organ['at_worst']:.3f}")
            show.add_row(name, *numbers, str(organ["cases"]))
        SCREEN.print(show)
        if verdict["cases"]:
            cases = ", ".join(f"{case} {change:+.3f}" for case, change in verdict["cases"].items())
            SCREEN.print(f"Pairs compared on, most changed first: {cases}", soft_wrap=True)
        if picture:
            told = "solid the model in use, dashed the new one"
            SCREEN.print(f"The pair that changed most: {picture} ({told})", soft_wrap=True)
        SCREEN.print(f"{verdict['verdict']}: {verdict['reason']}", soft_wrap=True, markup=False)
        if verdict["verdict"] == ADOPT:
            SCREEN.print(f"cmcseg models adopt {self.model} {self.out}", soft_wrap=True)
            SCREEN.print(
                "or, for one site's scans alone, the same with --beside SITE", soft_wrap=True
            )


def _picture(bundle, run: Path, ledger, verdict: dict, device: str, report) -> Path | None:  # noqa: ANN001
    """A slice of the pair that changed most as both models see it; None where there is none."""
    import numpy as np

    from cmcseg.core.atomic_write import atomic_path
    from cmcseg.report.evaluation_page import Worst, picture_of
    from cmcseg.worker.learn_verbs import both_models

    path, there = run / PICTURE, {entry.pair for entry in ledger.latest()}
    case = next((case for case in verdict.get("cases", {}) if case in there), None)
    if case is None or not verdict["sha256"] or path.exists():
        return path if path.exists() else None
    found = both_models(bundle, run, ledger, case, device, report)
    maps, roles = found.label_maps, found.volumes
    changed = {r: np.sum(maps[f"new {r}"].array != maps[f"old {r}"].array) for r in roles}
    role = max(changed, key=lambda r: changed[r])
    old, new = maps[f"old {role}"], maps[f"new {role}"]
    shown = Worst(case=case, role=role, volume=roles[role], found=new, truth=old, dice={})
    with atomic_path(path) as draft:
        picture_of(shown, bundle.card).savefig(draft, dpi=110, format="png")
    return path
