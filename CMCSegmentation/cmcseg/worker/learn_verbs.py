"""Learning from the queue, as a worker serves it: fine-tune, adopt, roll back, history."""

import hashlib
import json
from pathlib import Path

from cmcseg.bundle.adoption import CANDIDATE
from cmcseg.bundle.site import adopt_beside
from cmcseg.bundle.verdict import read_verdict
from cmcseg.bundle.versions import adopt, history, rollback
from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.core.progress import Progress, Report
from cmcseg.core.settings import SegmentSettings
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.queue.challengers import recall, remember
from cmcseg.queue.cohort import gather, with_waiting
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.pseudonyms import key_beside
from cmcseg.queue.uncorrected_pairs import pairs_waiting
from cmcseg.worker.eta import FineTuneEta
from cmcseg.worker.model_cache import ModelCache


def finetune(request: Message, cache: ModelCache, report: Report) -> Message:
    """Learn from the queue for some minutes; answers with the ``verdict`` and the ``run``.

    A ``folder``, when there is one, holds scans that nobody has labelled.
    A run that was cancelled or killed goes on where it stopped when the same is asked again.
    """
    from cmcseg.learn.comparisons import Past
    from cmcseg.learn.finetune import VERDICT, FineTuneSettings, fine_tune

    values = request.values
    report(Progress(stage="loading the model", done=0, total=1))
    bundle = cache.bundle(values["model"])
    queue = Path(values["queue"])
    report(Progress(stage="checking the queue", done=0, total=1))
    lessons = gather(Ledger(queue), bundle.card)
    try:
        settings = FineTuneSettings(minutes=values["minutes"], device=values["device"])
    except ValueError as error:
        raise BadInput(str(error)) from error
    cohort = lessons.cohort
    if folder := values.get("folder"):
        key = key_beside(queue)
        waiting = pairs_waiting(Path(folder), bundle.card.roles, Ledger(queue), key)
        cohort = with_waiting(cohort, waiting)
    # A revision or a pair kept back that came meanwhile makes it another run, too.
    pairs = (*cohort.train, *cohort.validation)
    scans = [scan for pair in pairs for scan in pair.scans.values()]
    files = sorted(str(scan.annotation or scan.image) for scan in scans)
    about = [bundle.card.sha256, settings.minutes, settings.device, files]
    digest = hashlib.sha256(json.dumps(about).encode("utf-8")).hexdigest()[:8]
    run = _unfinished(queue / "runs", f"{bundle.card.name}-{digest}", VERDICT)
    before = recall(queue, bundle.card.sha256)
    verdict = fine_tune(
        bundle,
        cohort,
        run,
        settings,
        FineTuneEta(report, settings.minutes),
        past=Past.from_dict(before) if before else None,
        hand_on=lambda found: remember(queue, bundle.card.sha256, found),
    )
    verdict = {**verdict, "set_aside": lessons.set_aside, "unfit": lessons.unfit}
    return Message(verb="finetune", values={"run": str(run), "verdict": verdict})


def look_at_both(request: Message, cache: ModelCache, report: Report) -> Message:
    """What the model in use and the new one say about one ``case`` of the comparison.

    Answers with the scans by role, and with label maps "old ROLE", "new ROLE" and "drawn ROLE".
    """
    values = request.values
    old, ledger = cache.bundle(values["model"]), Ledger(Path(values["queue"]))
    return both_models(old, Path(values["run"]), ledger, values["case"], values["device"], report)


def both_models(
    old,  # noqa: ANN001 - a Bundle, which needs torch to be named
    run: Path,
    ledger: Ledger,
    case: str,
    device: str,
    report: Report,
) -> Message:
    """What a loaded model in use and the new one of a run say about a pair; see ``look_at_both``.

    Raises:
        BadInput: when another model is in use, or the pair is no longer in the queue.
    """
    from cmcseg.bundle.load import load_bundle
    from cmcseg.predict.segment import segment

    verdict = read_verdict(run)
    if verdict.get("parent") != old.card.sha256:
        raise BadInput(
            f"Another version of {old.card.name} is in use than the one that was compared with."
        )
    entry = next((e for e in ledger.latest() if e.pair == case), None)
    if entry is None:
        raise BadInput(f"The pair {case} is no longer in the queue {ledger.folder}.")
    scans = entry.scans.items()
    volumes = {role: read_volume(ledger.path(entry, scan.image)) for role, scan in scans}
    label_maps = {
        f"drawn {role}": read_label_map(ledger.path(entry, name), entry.table)
        for role, scan in scans
        if (name := scan.labels or scan.scribbles)
    }
    settings = SegmentSettings(device=device)
    new = load_bundle(run / CANDIDATE)
    for done, (which, bundle) in enumerate({"old": old, "new": new}.items()):
        report(Progress(stage=f"asking the {which} model", done=done, total=2))
        found = segment(volumes, bundle, settings)
        label_maps |= {f"{which} {role}": labels for role, labels in found.labels.items()}
    return Message(
        verb="look-at-both",
        values={"case": case},
        volumes=volumes,
        label_maps=label_maps,
    )


def adopt_run(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Use a fine-tuned model from now on; ``beside`` the one in use when a site is named so."""
    values = request.values
    told = cache.store, values["model"], Path(values["run"])
    if (site := values.get("beside")) is not None:
        card = adopt_beside(*told, site, overrule=values["overrule"])
        return Message(verb="adopt", values={"beside": card.name, "title": card.title})
    version = adopt(*told, overrule=values["overrule"])
    return Message(verb="adopt", values={"version": version.to_dict()})


def roll_back(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Use the version before from now on, or the one that is named ``to``."""
    version = rollback(cache.store, request.values["model"], request.values.get("to", ""))
    return Message(verb="rollback", values={"version": version.to_dict()})


def versions(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """All versions of a model, oldest first."""
    found = [version.to_dict() for version in history(cache.store, request.values["model"])]
    return Message(verb="history", values={"history": found})


def _unfinished(home: Path, name: str, verdict: str) -> Path:
    """The run of that name that has no verdict yet, else a new one."""
    number = 1
    while (home / f"{name}-{number}" / verdict).exists():
        number += 1
    return home / f"{name}-{number}"
