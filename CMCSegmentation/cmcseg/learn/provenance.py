"""What a trained model's card says of where it comes from."""

import csv
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from cmcseg.core.card import ModelCard
from cmcseg.core.settings import TrainSettings
from cmcseg.data.cache import Cache, CachedScan
from cmcseg.learn.checkpoint import FILE, TrainState
from cmcseg.learn.loop import SCORES
from cmcseg.nets.device import processor_name

HOW = "Mean Dice of each scan alone on the working grid, without cleaning, while training"


def trained_card(
    cache: Cache,
    state: TrainState,
    settings: TrainSettings,
    folder: Path,
    *,
    name: str,
    parent: ModelCard | None,
    best: bool = False,
) -> ModelCard:
    """The cache's card with its origin: parent, cases, recipe, seed, steps, hours, processor.

    Cases are known by checksums of their scans, as their names may tell patients.

    Args:
        cache: what was learned from.
        state: of the run, as it stands.
        settings: of the run.
        folder: of the run; its last validation is what was measured.
        name: of the model.
        parent: card of the model that the weights began as.
        best: whether these are the weights that validated best, not the last ones.
    """
    train = [scan for scan in cache.scans if scan.split == "train"]
    row = _last_scores(folder / SCORES, best=best)
    device = next(state.network.parameters()).device
    record = {
        "at": _when(folder / FILE),
        "changed": f"Trained with the recipe {settings.recipe}.",
        "recipe": settings.recipe,
        "seed": settings.seed,
        "steps": int(row.get("step", state.step)) if best else state.step,
        "hours": round(state.spent / 3600, 3),
        "processor": processor_name(device),
        "parent": f"{parent.name} {parent.version} ({parent.sha256})" if parent else "",
        "scans": sorted(scan.checksum for scan in train if scan.checksum),
        "tested": HOW if row else "Not tested: there was no labelled validation case.",
        "may_affect": "All organs of all scans.",
    }
    return replace(
        cache.card,
        name=name,
        trained_on=_trained_on(cache, train),
        parent=parent.sha256 if parent else "",
        measured=_measured(cache, row),
        history=(*(parent.history if parent else ()), record),
    )


def _trained_on(cache: Cache, train: list[CachedScan]) -> str:
    parts = []
    for role in cache.card.roles:
        mine = [scan for scan in train if scan.role == role and not scan.phantom]
        dense = sum(scan.labels is not None and scan.dense for scan in mine)
        marks = sum(scan.labels is not None and not scan.dense for scan in mine)
        counts = ((dense, "labelled"), (marks, "with marks"))
        bare = len(mine) - dense - marks
        told = [f"{n} {what}" for n, what in (*counts, (bare, "unlabelled")) if n]
        parts.append(f"{len(mine)} {role} ({', '.join(told)})" if told else f"no {role}")
    rendered = len({scan.pair for scan in train if scan.phantom})
    return ", ".join(parts) + (f", {rendered} rendered pairs" if rendered else "") + "."


def _measured(cache: Cache, row: dict[str, str]) -> dict:
    """Dice by role and organ, and how it was measured; empty when nothing was."""
    table: dict = {}
    for role in cache.card.roles:
        found = {
            label.name: round(float(row[key]), 3)
            for label in cache.card.table
            if row.get(key := f"{role} {label.name}")
        }
        table |= {role: found} if found else {}
    if not table:
        return {}
    cases = len({scan.pair for scan in cache.scans if scan.split == "validation"})
    return {**table, "cases": cases, "how": f"{HOW}; {cases} validation cases, step {row['step']}."}


def mean_dice(scores: dict[str, float]) -> float:
    """One number for a validation, to find the best one; NaN without any score."""
    values = [value for key, value in scores.items() if key != "step"]
    return sum(values) / len(values) if values else float("nan")


def _last_scores(path: Path, *, best: bool) -> dict[str, str]:
    """The last row of a run's scores, or the best one; empty without any organ."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if len(row) > 1]
    if not rows:
        return {}
    if not best:
        return rows[-1]
    return max(rows, key=lambda row: mean_dice({k: float(v) for k, v in row.items() if v}))


def _when(path: Path) -> str:
    stamp = path.stat().st_mtime if path.exists() else datetime.now(timezone.utc).timestamp()
    return datetime.fromtimestamp(stamp, timezone.utc).isoformat(timespec="seconds")
