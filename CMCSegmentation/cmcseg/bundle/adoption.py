"""What every adoption of a fine-tuned model asks, and what it writes down."""

from datetime import datetime, timezone
from pathlib import Path

from cmcseg.bundle.verdict import ADOPT, read_verdict
from cmcseg.core.card import ModelCard
from cmcseg.core.counted import counted
from cmcseg.core.errors import BadInput
from cmcseg.core.json_file import read_json

CANDIDATE, PLAN = "candidate", "plan.json"


def verdict_of(run: Path) -> dict:
    """The verdict of a fine-tuning that made a new model.

    Raises:
        BadInput: when there is none, it was changed, or nothing was made.
    """
    verdict = read_verdict(run)
    if not (run / CANDIDATE).exists():
        raise BadInput(f"The fine-tuning made no new model. {verdict['reason']}")
    return verdict


def check_adoption(
    verdict: dict, candidate: ModelCard, used: ModelCard, model: str, run: Path, overrule: str
) -> None:
    """Refuse a candidate that the verdict does not speak of, or does not speak for.

    Raises:
        BadInput: with the reason.
    """
    if verdict.get("sha256") != candidate.sha256 or verdict.get("model") != model:
        raise BadInput(f"The verdict in {run} does not belong to its candidate; fine-tune again.")
    if verdict.get("parent") != used.sha256:
        raise BadInput(
            f"The candidate in {run} was made from another version of {model} than the one in use; "
            "fine-tune again."
        )
    if verdict["verdict"] != ADOPT and not overrule.strip():
        raise BadInput(
            f"The comparison does not speak for the new model ({verdict['reason']}) Give a reason "
            "with --overrule, or keep the old one."
        )
    if not all(isinstance(verdict.get(name), list) for name in ("learned_from", "taught")):
        raise BadInput(f"The verdict in {run} does not say what was learned; fine-tune again.")


def adoption_record(verdict: dict, run: Path, overrule: str) -> dict:
    """What the new card's history says of the adoption."""
    return {
        "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "changed": f"Fine-tuned on {counted(len(verdict['learned_from']), 'corrected pair')}.",
        "learned_from": verdict["learned_from"],
        "taught": verdict["taught"],
        "tested": f"{verdict['verdict']}: {verdict['reason']}",
        "compared_on": verdict["compared_on"],
        "organs": verdict["organs"],
        "fresh": verdict["fresh"],
        "scans": verdict.get("scans", {}),
        "settings": _settings(run),
        "may_affect": "All organs of scans like those; look at the first results with care.",
        "overruled_because": overrule.strip(),
    }


def next_version(version: str) -> str:
    """0.1.0 to 0.1.1."""
    head, _, last = version.rpartition(".")
    return f"{head}.{int(last) + 1}" if head and last.isdigit() else f"{version}.1"


def _settings(run: Path) -> dict:
    """How long it learned and from which seed, as the run's plan says; empty when it has none."""
    try:
        plan = read_json(run / PLAN)
        return {name: plan[name] for name in ("minutes", "seed")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
