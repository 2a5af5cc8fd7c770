"""The verdict of a fine-tuning, as ``adopt`` takes it: read, and judged again by its own numbers.

``learn/gate.py`` makes the verdict from scores, and keeps means and bounds of every organ with it.
Here the word is held against those numbers, so that it cannot be turned by an edit of the word, nor
of one number that others depend on. Who changes all of them consistently, or replaces the model and
its sums, is not noticed: that would need a secret, and who may write here may adopt anyway. It is a
guard against slips and shortcuts, not against forgery.
"""

import json
import math
from pathlib import Path

from cmcseg.core.errors import BadInput

FILE = "verdict.json"
ADOPT = "adopt"
# The gate's own, held in step by a test; a looser margin in the file is no excuse.
MARGIN, FEWEST = 0.03, 3


def read_verdict(run: Path) -> dict:
    """The verdict of a finished fine-tuning.

    Args:
        run: its folder.

    Raises:
        BadInput: when there is none, or it does not follow from its own numbers.
    """
    try:
        verdict = json.loads((run / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{run} holds no finished fine-tuning; see 'cmcseg finetune'.") from error
    try:
        sound = _agrees(verdict) and (verdict["verdict"] == ADOPT) <= _speaks_for_it(verdict)
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise BadInput(
            f"The verdict in {run} does not follow from its own numbers, so it was changed after "
            "the comparison; fine-tune again into another folder."
        )
    return verdict


def _agrees(verdict: dict) -> bool:
    """Whether the numbers can have come from one comparison."""
    return (
        verdict["margin"] == MARGIN
        and 0 <= verdict["real_cases"] <= len(verdict["compared_on"])
        and all(
            math.isclose(organ["change"], organ["new"] - organ["old"], abs_tol=1e-6)
            and organ["at_worst"] <= organ["change"] + 1e-6
            and organ["worse"] == (organ["at_worst"] < -MARGIN)
            for organ in verdict["organs"].values()
        )
    )


def _speaks_for_it(verdict: dict) -> bool:
    """Enough cases, better on average, and no organ that may be worse."""
    return (
        verdict["real_cases"] >= FEWEST
        and verdict["mean_change"] > 0
        and bool(verdict["organs"])
        and not any(organ["worse"] for organ in verdict["organs"].values())
    )
