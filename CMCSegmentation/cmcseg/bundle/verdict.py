"""The verdict of a fine-tuning, as ``adopt`` takes it: read, and judged again by its own numbers.

``learn/noninferiority.py`` makes the verdict from scores, and keeps means and bounds of every
organ with it. A seal, the SHA-256 of all the rest, covers every word of it and, through the
weights' own SHA-256 in it, the model; and the word is held against the numbers. Who computes the
seal anew over numbers that agree with each other is not noticed: that would need a secret, and
who may write here may adopt anyway. It is a guard against slips and shortcuts, not against
forgery.
"""

import hashlib
import json
import math
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.json_file import read_json

FILE = "verdict.json"
ADOPT = "adopt"
# The gate's own, held in step by a test; a looser margin in the file is no excuse.
MARGIN, FEWEST, FOUND = 0.03, 3, 0.5
SEAL = "seal"


def sealed(content: dict) -> dict:
    """A verdict with its seal, in place of one that it may have."""
    rest = {key: value for key, value in content.items() if key != SEAL}
    text = json.dumps(rest, sort_keys=True)
    return {**rest, SEAL: hashlib.sha256(text.encode("utf-8")).hexdigest()}


def read_verdict(run: Path) -> dict:
    """The verdict of a finished fine-tuning.

    Args:
        run: its folder.

    Raises:
        BadInput: when there is none, it does not carry its seal, or its word does not follow from
            its own numbers.
    """
    try:
        verdict = read_json(run / FILE)
    except (OSError, ValueError) as error:
        raise BadInput(f"{run} holds no finished fine-tuning; see 'cmcseg finetune'.") from error
    try:
        if sealed(verdict) != verdict:
            raise BadInput(
                f"The verdict in {run} was changed after the comparison; fine-tune again into "
                "another folder."
            )
        sound = (
            _is_whole(verdict)
            and _agrees(verdict)
            and (verdict["verdict"] == ADOPT) <= _speaks_for_it(verdict)
        )
    except (KeyError, TypeError, AttributeError, ArithmeticError):
        sound = False
    if not sound:
        raise BadInput(
            f"The verdict in {run} does not follow from its own numbers, so it was changed after "
            "the comparison; fine-tune again into another folder."
        )
    return verdict


def _is_whole(verdict: dict) -> bool:
    """Whether what is told to people is there, in the types that are expected."""
    kinds = {"reason": str, "verdict": str, "compared_on": list, "organs": dict, "fresh": dict}
    return all(isinstance(verdict[name], kind) for name, kind in kinds.items())


def _agrees(verdict: dict) -> bool:
    """Whether the numbers can have come from one comparison."""
    return (
        verdict["margin"] == MARGIN
        and 0 <= verdict["real_cases"] <= len(verdict["compared_on"])
        and verdict["real_cases"] == len(verdict["cases"])
        and math.isclose(_mean(verdict["cases"]), verdict["mean_change"] or 0.0, abs_tol=1e-6)
        and _at_worst(verdict) <= _change(verdict) + 1e-6
        and all(
            math.isclose(organ["change"], organ["new"] - organ["old"], abs_tol=1e-6)
            and organ["at_worst"] <= organ["change"] + 1e-6
            and organ["worse"] == (organ["at_worst"] < -MARGIN)
            for organ in verdict["organs"].values()
        )
        and all(
            organ["at_worst"] <= organ["new"] + 1e-6
            and organ["found"] == (organ["cases"] >= FEWEST and organ["at_worst"] > FOUND)
            for organ in verdict["fresh"].values()
        )
    )


def _change(verdict: dict) -> float:
    """Of the error; the first verdicts have that of Dice instead."""
    return verdict["error_gone"] if "error_gone" in verdict else verdict["mean_change"] or 0.0


def _at_worst(verdict: dict) -> float:
    return verdict["error_gone_at_worst" if "error_gone" in verdict else "mean_at_worst"]


def _is_better(verdict: dict) -> bool:
    return (verdict["mean_change"] or 0.0) > 0 and _at_worst(verdict) > 0


def _mean(cases: dict[str, float]) -> float:
    return sum(cases.values()) / len(cases) if cases else 0.0


def _speaks_for_it(verdict: dict) -> bool:
    """Enough cases, no organ that may be worse, and what is better is better beyond chance."""
    fresh = verdict["fresh"].values()
    better = all(organ["found"] for organ in fresh) if fresh else _is_better(verdict)
    return (
        verdict["real_cases"] >= FEWEST
        and bool(verdict["organs"])
        and not any(organ["worse"] for organ in verdict["organs"].values())
        and better
    )
