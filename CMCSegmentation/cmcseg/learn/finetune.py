"""Learning from corrected pairs, from the model in use to a verdict on its successor."""

import json
import shutil
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from cmcseg.bundle.extend import fresh_organs
from cmcseg.bundle.load import Bundle
from cmcseg.bundle.verdict import sealed
from cmcseg.core.atomic_write import write_whole
from cmcseg.core.card import ModelCard
from cmcseg.core.case import Cohort
from cmcseg.core.counted import counted
from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Report, ignore
from cmcseg.core.scan_traits import ScanGroup, groups_of, groups_to_dict, in_words
from cmcseg.data.cache import Cache, CachedScan, open_cache
from cmcseg.data.phantom_cases import write_phantoms
from cmcseg.data.prepare import prepare
from cmcseg.learn.comparisons import Past, kept_past, left_behind, scores_of
from cmcseg.learn.label_checks import implausible
from cmcseg.learn.noninferiority import ADOPT, Score, Verdict, judge
from cmcseg.learn.rehearsal import own_answers
from cmcseg.learn.schedule import Clock, schedule
from cmcseg.learn.stages import CANDIDATE, FineTuneSettings, Said, Stages, apart, mean_of, way_of
from cmcseg.nets.device import pick_device

VERDICT, PLAN = "verdict.json", "plan.json"


def fine_tune(
    bundle: Bundle,
    cohort: Cohort,
    folder: Path,
    settings: FineTuneSettings | None = None,
    report: Report = ignore,
    *,
    past: Past | None = None,
    hand_on: Callable[[dict], None] = lambda found: None,  # noqa: ARG005
) -> dict:
    """Learn from a cohort and compare the result with the model it came from.

    A run that was interrupted goes on where it stopped when it is started again with the same
    model, pairs and settings. ``folder`` receives ``candidate/`` (the new model), ``verdict.json``
    and, under ``run/``, ``losses.csv``.

    Args:
        bundle: the model in use; it is not moved to another device.
        cohort: ``train`` is learned from, oldest first, and each pair is judged by a candidate that
            has not; ``validation`` is compared on and never learned from. Scans of ``train``
            without labels are rehearsed: the model learns its own sure answers again.
        folder: of this run.
        settings: how.
        report: told what is done and how much of the time is left; ``measures`` holds the losses.
        past: of earlier runs from the same model in use on the same queue.
        hand_on: given the next run's ``past``, JSON-ready, just before the verdict is written.

    Returns:
        The content of ``verdict.json``: the verdict, and which pairs were left out and why.

    Raises:
        BadInput: when there is nothing to learn from, or the folder holds another run.
    """
    settings = settings or FineTuneSettings()
    if not any(scan.annotation for pair in cohort.train for scan in pair.scans.values()):
        raise BadInput("There is no corrected pair to learn from; accept one first.")
    _plan(bundle, cohort, folder, settings)
    if (folder / VERDICT).exists():
        return json.loads((folder / VERDICT).read_text(encoding="utf-8"))
    clock = Clock(folder, settings.minutes)
    bundle = apart(bundle)
    run = Stages(
        bundle=bundle,
        folder=folder,
        settings=settings,
        past=kept_past(past or Past(), folder),
        device=pick_device(settings.device),
        report=clock.told(report),
    )
    fresh = _fresh_values(bundle.card)
    # Phantoms look like no corrected scan: only where every scan gets what is learned, they tell.
    phantoms = (settings.rehearse, settings.compare) if fresh else (0, 0)
    cache = _cache(cohort, replace(bundle.card, corrected={}), folder, phantoms, run.report)
    files = _label_files(cohort)
    settled = [name for record in bundle.card.history for name in record.get("learned_from", ())]
    again = run.past.pairs([pair.id for pair in cohort.train], settled).again
    asked = [scan for scan in cache.scans if _is_asked(scan, run.past, files, again)]
    before = run.ask(bundle, asked, cache.card, "asking the model in use")
    left_out = _left_out(asked, before, cache.card, fresh)
    labelled = {s.pair for s in _labelled(cache, "train") if not s.phantom} - set(left_out)
    cache = _without(cache, left_out, before, folder, fresh)
    taught = _taught(cache, fresh)
    scores = {(s.case, s.role, s.organ): s for s in run.past.scores}
    earlier = run.past.earlier
    way = _way(labelled, taught)
    if not labelled:
        verdict = _refusal(left_out)
    else:
        names = [pair.id for pair in cohort.train if pair.id in labelled]
        plan = schedule(run.past.pairs(names, settled), once=bool(taught))
        last = [s for s in _labelled(cache, "validation") if s.pair not in run.past.judged]
        minutes = clock.learning_minutes(run.comparing_takes(plan, last))
        learned = [
            run.learn(cache, stretch, number, minutes, run.starting_weights(stretch.anew))
            for number, stretch in enumerate(plan.stretches)
        ]
        counts = [len(stretch.learn) for stretch in plan.stretches]
        for one in plan.comparisons:
            weights = mean_of([learned[k] for k in one.by], [counts[k] for k in one.by])
            far = _way(one.learned, taught)
            made = run.candidate(weights, far, _kinds(cache, one.learned, taught))
            scans = [s for s in _labelled(cache, "train") if s.pair in one.judge]
            said = run.ask(made, scans, cache.card, "asking the new model")
            found = scores_of(scans, cache.card.table, before, said, fresh, len(one.learned))
            scores = {key: s for key, s in scores.items() if key[0] not in one.judge}
            scores |= {(s.case, s.role, s.organ): s for s in found}
        start = mean_of(learned, counts) if learned else run.starting_weights()
        weights = run.learn(cache, plan.last, None, minutes, start)
        made = run.candidate(weights, way, _kinds(cache, tuple(labelled), taught))
        said = run.ask(made, last, cache.card, "asking the new model")
        compared = scores_of(last, cache.card.table, before, said, fresh, len(labelled))
        scores |= {(s.case, s.role, s.organ): s for s in compared if s.real}
        earlier = run.past.looks(list(scores.values()))
        phantoms = [s for s in compared if not s.real]
        verdict = judge([*scores.values(), *phantoms], fresh=taught, earlier=earlier)
    found = Past(scores=tuple(scores.values()), earlier=earlier)
    return _write(run, verdict, cohort, cache, left_out, taught, found, way, hand_on)


def _plan(bundle: Bundle, cohort: Cohort, folder: Path, settings: FineTuneSettings) -> None:
    """Write what this run is about, or make sure that it is the same run going on."""
    plan = {
        "model": bundle.card.name,
        "sha256": bundle.card.sha256,
        "learn": sorted(pair.id for pair in cohort.train),
        "check": sorted(pair.id for pair in cohort.validation),
        "files": sorted(
            str(scan.annotation)
            for pair in (*cohort.train, *cohort.validation)
            for scan in pair.scans.values()
        ),
        **asdict(settings),
    }
    path = folder / PLAN
    if not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"The folder {folder} cannot be written: {error.strerror}.") from error
        write_whole(path, json.dumps(plan, indent=1) + "\n")
        return
    kept = json.loads(path.read_text(encoding="utf-8"))
    # The plans of older programs name fewer settings, and are read as they are.
    if kept != {name: value for name, value in plan.items() if name in kept}:
        raise BadInput(
            f"{folder} holds a fine-tuning of another model, other pairs or settings; give another "
            "folder."
        )


def _cache(
    cohort: Cohort, card: ModelCard, folder: Path, phantoms: tuple[int, int], report: Report
) -> Cache:
    """All scans on the working grid: corrected pairs and phantoms, to learn and to compare."""
    place = folder / "cache"
    if place.exists():
        return replace(open_cache(place), card=card)
    files = folder / "phantoms"
    shutil.rmtree(files, ignore_errors=True)
    compare = write_phantoms(card, files, 0, phantoms[1], report)
    learn = write_phantoms(card, files, 100, phantoms[0], report)
    both = replace(cohort, train=(*cohort.train, *learn), validation=(*cohort.validation, *compare))
    cache = prepare(both, card, place, report)
    shutil.rmtree(files, ignore_errors=True)
    return cache


def _is_asked(
    scan: CachedScan, past: Past, files: dict[tuple[str, str], str], again: tuple[str, ...]
) -> bool:
    """Whether the model in use must be asked about a scan: not if it stays as it was judged."""
    if scan.phantom:
        return scan.split == "validation"
    if scan.labels is None:
        return scan.split == "train"  # to be rehearsed
    return scan.pair in again or files.get((scan.pair, scan.role)) not in past.checked


def _label_files(cohort: Cohort) -> dict[tuple[str, str], str]:
    return {
        (pair.id, role): str(scan.annotation)
        for pair in (*cohort.train, *cohort.validation)
        for role, scan in pair.scans.items()
        if scan.annotation
    }


def _left_out(
    scans: list[CachedScan], before: Said, card: ModelCard, fresh: frozenset[int]
) -> dict[str, str]:
    """Pairs whose labels are rather mistakes, with the reason; new organs the model cannot know."""
    reasons: dict[str, str] = {}
    for scan in scans:
        if scan.labels is None or scan.phantom:
            continue
        said = before[scan.pair, scan.role].labels
        said = np.where(np.isin(said, sorted(fresh)), 0, said)
        image, labels = np.load(scan.image), np.load(scan.labels)
        why = implausible(image, labels, said, scan.grid, card.table, scan.known)
        if why:
            reasons[scan.pair] = f"In the {card.input(scan.role).title} {why}."
    return reasons


def _without(
    cache: Cache, left_out: dict[str, str], before: Said, folder: Path, fresh: frozenset[int]
) -> Cache:
    """What is labelled by people, and by the model in use where nobody has labelled."""
    kept = tuple(scan for scan in cache.scans if scan.pair not in left_out)
    labelled = tuple(scan for scan in kept if scan.labels is not None)
    return replace(cache, scans=(*labelled, *own_answers(kept, before, folder / "own", fresh)))


def _fresh_values(card: ModelCard) -> frozenset[int]:
    names = fresh_organs(card)
    return frozenset(label.value for label in card.table if label.name in names)


def _taught(cache: Cache, fresh: frozenset[int]) -> frozenset[str]:
    """New organs that somebody has drawn in the pairs to learn from, as "ROLE ORGAN"."""
    names = {label.value: label.name for label in cache.card.table if label.value in fresh}
    return frozenset(
        f"{scan.role} {names[value]}"
        for scan in _labelled(cache, "train")
        for value in set(np.unique(np.load(scan.labels)).tolist()) & set(names)
        if scan.known[value]
    )


def _kinds(cache: Cache, pairs: tuple[str, ...], taught: frozenset[str]) -> dict[str, ScanGroup]:
    """The scans of these pairs as groups, by role; a new organ is looked for in every scan."""
    if taught:
        return {}
    scans = (s for s in _labelled(cache, "train") if s.pair in pairs)
    return groups_of((s.role, s.traits) for s in scans if s.traits and not s.own)


def _way(pairs: Collection[str], taught: frozenset[str]) -> float:
    """How far to go, having learned from these pairs; a new organ is not found midway."""
    return 1.0 if taught else way_of(len(pairs))


def _labelled(cache: Cache, split: str) -> list[CachedScan]:
    return [s for s in cache.scans if s.split == split and s.labels is not None]


def _refusal(left_out: dict[str, str]) -> Verdict:
    return Verdict(
        verdict="keep",
        reason="The labels of every corrected pair look like a mistake: "
        + " ".join(f"{pair}: {why}" for pair, why in sorted(left_out.items())),
        organs={},
        real_cases=0,
        mean_change=float("nan"),
    )


def _write(
    run: Stages,
    verdict: Verdict,
    cohort: Cohort,
    cache: Cache,
    left_out: dict[str, str],
    taught: frozenset[str],
    found: Past,
    way: float,
    hand_on: Callable[[dict], None],
) -> dict:
    bundle, folder = run.bundle, run.folder
    reason = verdict.reason
    organs = {name.partition(" ")[2] for name in taught}
    if missing := sorted(fresh_organs(bundle.card) - organs):
        reason += f" Not learned, as nobody has drawn it yet: {', '.join(missing)}."
    if left_out and verdict.organs:
        names = ", ".join(sorted(left_out))
        reason += f" Left out, as their labels look like a mistake: {names}."
    reason += _for_which(cache, found.scores, verdict.verdict == ADOPT)
    corrected = [s for s in cache.scans if s.labels and not (s.phantom or s.own)]
    candidate = folder / CANDIDATE / "card.json"
    made = json.loads(candidate.read_text(encoding="utf-8")) if candidate.exists() else {}
    files = _label_files(cohort)
    content = {
        **verdict.to_dict(),
        "reason": reason,
        "left_out": left_out,
        "model": bundle.card.name,
        "parent": bundle.card.sha256,
        "sha256": made.get("sha256", ""),
        "taught": sorted(organs),
        "learned_from": sorted(
            p.id for p in cohort.train if p.is_labelled and p.id not in left_out
        ),
        "compared_on": list(found.judged),
        **{name: found.to_dict()[name] for name in ("scores", "earlier")},
        "checked": sorted(name for (pair, _), name in files.items() if pair not in left_out),
        "way": way,
        "scans": groups_to_dict(groups_of((s.role, s.traits) for s in corrected if s.traits)),
    }
    content = sealed(content)
    hand_on(left_behind(content, folder))
    write_whole(folder / VERDICT, json.dumps(content, indent=1) + "\n")
    return content


def _for_which(cache: Cache, scores: Iterable[Score], is_shown: bool) -> str:
    """For which scans the evidence holds: those that were compared on, where they are known."""
    judged = {(score.case, score.role) for score in scores}
    seen = [s for s in cache.scans if (s.pair, s.role) in judged and s.traits]
    if not seen:
        return ""
    titles = {spec.role: spec.title for spec in cache.card.inputs}
    kinds = in_words(groups_of((s.role, s.traits) for s in seen if s.traits), titles)
    pairs = counted(len({scan.pair for scan in seen}), "pair")
    return f" {'Shown' if is_shown else 'Compared'} on {pairs}: {kinds}."
