"""The real worker with the tests' model that looks at the numbers alone. Started as a program."""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Testing/helpers"), str(ROOT / "CMCSegmentation")]

from cmcseg.core.messages import Message
from cmcseg.core.progress import Progress
from cmcseg.worker.serve import serve
from cmcseg.worker.verbs import VERBS
from session_parts import CARD, NO_MORE
from slow_worker import looked, threshold


def models(request, warm, report):
    """One card."""
    return Message(verb="models", values={**NO_MORE, "cards": [CARD.to_dict()]})


def one_pair(request, warm, report):
    """One pair was accepted."""
    return Message(verb="queue-list", values={"entries": [{"id": "pair-1.r1"}], "new": 1})


def endless(request, warm, report):
    """Learn until somebody ends it."""
    while True:
        report(Progress(stage="learning", done=0.1, total=1, measures={"loss": 1.0}))
        time.sleep(0.05)


def every_pair(request, warm, report):
    """All pairs of a folder wait, in the order of their names."""
    rows = [
        {
            "pair": place.name,
            "doubt": 0.5,
            "by": "doubt",
            "scans": {path.name.partition(".")[0]: str(path) for path in sorted(place.iterdir())},
        }
        for place in sorted(Path(request.values["folder"]).iterdir())
    ]
    return Message(verb="queue-next", values={"next": rows, "failed": {}})


def lasting(request, warm, report):
    """Segment, but not sooner than a slow window can end it."""
    report(Progress(stage="segmenting", done=0, total=1))
    time.sleep(2)
    return threshold(request, warm, report)


def no_history(request, warm, report):
    """The model is the first of its kind."""
    return Message(verb="history", values={"history": []})


if __name__ == "__main__":
    VERBS["models"] = models
    VERBS["segment"] = lasting if "--lasting" in sys.argv else threshold
    VERBS["queue-list"] = one_pair
    VERBS["finetune"] = endless
    VERBS["queue-next"] = every_pair
    VERBS["history"] = no_history
    VERBS["look"] = looked
    serve(Path(sys.argv[sys.argv.index("--folder") + 1]))
