"""Learning from the queue, as a worker serves it: fine-tune, adopt, roll back, history."""

import hashlib
import json
from pathlib import Path

from cmcseg.bundle.versions import adopt, history, rollback
from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Progress, Report
from cmcseg.core.wire import Message
from cmcseg.queue.cohort import gather
from cmcseg.queue.ledger import Ledger
from cmcseg.worker.warm import Warm


def finetune(request: Message, warm: Warm, report: Report) -> Message:
    """Learn from the queue for some minutes; answers with the ``verdict`` and the ``run``.

    A run that was cancelled or killed goes on where it stopped when the same is asked again.
    """
    from cmcseg.learn.finetune import VERDICT, FineTuneSettings, fine_tune

    values = request.values
    report(Progress(stage="loading the model", done=0, total=1))
    bundle = warm.bundle(values["model"])
    queue = Path(values["queue"])
    report(Progress(stage="checking the queue", done=0, total=1))
    lessons = gather(Ledger(queue), bundle.card)
    try:
        settings = FineTuneSettings(minutes=values["minutes"], device=values["device"])
    except ValueError as error:
        raise BadInput(str(error)) from error
    # A revision or a pair kept back that came meanwhile makes it another run, too.
    pairs = (*lessons.cohort.train, *lessons.cohort.validation)
    files = sorted(str(scan.annotation) for pair in pairs for scan in pair.scans.values())
    about = [bundle.card.sha256, settings.minutes, files]
    digest = hashlib.sha256(json.dumps(about).encode("utf-8")).hexdigest()[:8]
    run = _unfinished(queue / "runs", f"{bundle.card.name}-{digest}", VERDICT)
    verdict = fine_tune(bundle, lessons.cohort, run, settings, report)
    verdict = {**verdict, "set_aside": lessons.set_aside, "unfit": lessons.unfit}
    return Message(verb="finetune", values={"run": str(run), "verdict": verdict})


def adopt_run(request: Message, warm: Warm, report: Report) -> Message:  # noqa: ARG001
    """Use a fine-tuned model from now on."""
    values = request.values
    version = adopt(warm.store, values["model"], Path(values["run"]), overrule=values["overrule"])
    return Message(verb="adopt", values={"version": version.to_dict()})


def roll_back(request: Message, warm: Warm, report: Report) -> Message:  # noqa: ARG001
    """Use the version before from now on."""
    version = rollback(warm.store, request.values["model"])
    return Message(verb="rollback", values={"version": version.to_dict()})


def versions(request: Message, warm: Warm, report: Report) -> Message:  # noqa: ARG001
    """All versions of a model, oldest first."""
    found = [version.to_dict() for version in history(warm.store, request.values["model"])]
    return Message(verb="history", values={"history": found})


def _unfinished(home: Path, name: str, verdict: str) -> Path:
    """The run of that name that has no verdict yet, else a new one."""
    number = 1
    while (home / f"{name}-{number}" / verdict).exists():
        number += 1
    return home / f"{name}-{number}"
