"""Learning from corrected pairs, from the model in use to a verdict on its successor."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from cmcseg.bundle.extend import fresh_organs
from cmcseg.bundle.load import Bundle, load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.verdict import sealed
from cmcseg.core.atomic_write import write_whole
from cmcseg.core.card import ModelCard
from cmcseg.core.case import Cohort
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import UNANNOTATED
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.core.settings import TrainSettings
from cmcseg.data.cache import Cache, CachedScan, open_cache
from cmcseg.data.phantom_cases import write_phantoms
from cmcseg.data.prepare import prepare
from cmcseg.learn.checkpoint import FILE
from cmcseg.learn.label_checks import implausible
from cmcseg.learn.loop import fit
from cmcseg.learn.noninferiority import Score, Verdict, judge
from cmcseg.learn.predictions import Answer, answer
from cmcseg.learn.rehearsal import own_answers, stand_ins
from cmcseg.learn.scores import dice
from cmcseg.nets.device import pick_device

CANDIDATE, VERDICT, PLAN = "candidate", "verdict.json", "plan.json"
# Far more steps than any budget allows: the time decides.
STEPS = 1_000_000
RATE = 5e-4  # a quarter of what training from nothing uses
WARMUP = 10  # steps; a budget of minutes on a processor is a few hundred
DUST_ML = 1.0  # less than this of an organ that is not there is no finding
REHEARSED = 0.3  # share of windows cut from phantoms: enough to remember, not to drown corrections
LIGHT = 0.3  # strength of augmentation: much of it would blur borders that the old model draws well
HALFWAY = 0.5  # from the old weights to the ones that were learned


@dataclass(frozen=True, kw_only=True)
class FineTuneSettings:
    """How to fine-tune.

    Attributes:
        minutes: time to learn for; making ready and comparing come on top.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        seed: decides crops and augmentation.
        rehearse: phantoms that the model learns again from.
        compare: phantoms that old and new model are compared on.
        steps: updates at most.
    """

    minutes: float = 10.0
    device: str = "auto"
    seed: int = 0
    rehearse: int = 2
    compare: int = 3
    steps: int = STEPS

    def __post_init__(self) -> None:
        if not self.minutes > 0:
            raise ValueError(f"{self.minutes} minutes are no time to learn; give more than 0.")


def fine_tune(
    bundle: Bundle,
    cohort: Cohort,
    folder: Path,
    settings: FineTuneSettings | None = None,
    report: Report = ignore,
) -> dict:
    """Learn from a cohort and compare the result with the model it came from.

    A run that was interrupted goes on where it stopped when it is started again with the same
    model, pairs and settings. ``folder`` receives ``candidate/`` (the new model), ``verdict.json``
    and, under ``run/``, ``losses.csv``.

    Args:
        bundle: the model in use.
        cohort: ``train`` is learned from, ``validation`` compared on. Scans of ``train`` without
            labels are rehearsed: the model learns its own sure answers again.
        folder: of this run.
        settings: how.
        report: told what is done; ``measures`` holds the losses.

    Returns:
        The content of ``verdict.json``: the verdict, and which pairs were left out and why.

    Raises:
        BadInput: when there is nothing to learn from, or the folder holds another run.
    """
    settings = settings or FineTuneSettings()
    card = bundle.card
    if not any(scan.annotation for pair in cohort.train for scan in pair.scans.values()):
        raise BadInput("There is no corrected pair to learn from; accept one first.")
    _plan(bundle, cohort, folder, settings)
    if (folder / VERDICT).exists():
        return json.loads((folder / VERDICT).read_text(encoding="utf-8"))
    device = pick_device(settings.device)
    cache = _cache(cohort, card, folder, settings, report)
    fresh = frozenset(label.value for label in card.table if label.name in fresh_organs(card))
    before = _answers(bundle, cache, device, report, "asking the model in use")
    left_out = _left_out(cache, before)
    corrected = {scan.pair for scan in _labelled(cache, "train") if not scan.phantom}
    cache = _without(cache, left_out, before, folder, fresh)
    taught = _taught(cache, fresh)
    if corrected <= set(left_out):
        verdict = _refusal(left_out)
    else:
        _learn(bundle, cache, folder, settings, report)
        # A new organ is not found halfway.
        candidate = _candidate(bundle, folder, 1.0 if taught else HALFWAY)
        after = _answers(candidate, cache, device, report, "asking the new model", ("validation",))
        verdict = judge(_scores(cache, before, after, fresh), fresh=taught)
    return _write(verdict, bundle, cohort, left_out, taught, folder)


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
        "minutes": settings.minutes,
        "seed": settings.seed,
    }
    path = folder / PLAN
    if not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"The folder {folder} cannot be written: {error.strerror}.") from error
        write_whole(path, json.dumps(plan, indent=1) + "\n")
    elif json.loads(path.read_text(encoding="utf-8")) != plan:
        raise BadInput(
            f"{folder} holds a fine-tuning of another model, other pairs or settings; give another "
            "folder."
        )


def _cache(
    cohort: Cohort, card: ModelCard, folder: Path, settings: FineTuneSettings, report: Report
) -> Cache:
    """All scans on the working grid: corrected pairs and phantoms, to learn and to compare."""
    place = folder / "cache"
    if place.exists():
        return open_cache(place)
    files = folder / "phantoms"
    shutil.rmtree(files, ignore_errors=True)
    compare = write_phantoms(card, files, 0, settings.compare, report)
    learn = write_phantoms(card, files, 100, settings.rehearse, report)
    both = replace(cohort, train=(*cohort.train, *learn), validation=(*cohort.validation, *compare))
    cache = prepare(both, card, place, report)
    shutil.rmtree(files, ignore_errors=True)
    return cache


def _answers(
    bundle: Bundle,
    cache: Cache,
    device: torch.device,
    report: Report,
    stage: str,
    splits: tuple[str, ...] = ("train", "validation"),
) -> dict[tuple[str, str], Answer]:
    scans = [scan for scan in cache.scans if scan.split in splits]
    network = bundle.network.to(device).eval()
    answers = {}
    for number, scan in enumerate(scans):
        report(Progress(stage=stage, done=number, total=len(scans)))
        answers[scan.pair, scan.role] = answer(network, cache.card, scan, device)
    return answers


def _left_out(cache: Cache, before: dict[tuple[str, str], Answer]) -> dict[str, str]:
    """Pairs whose labels are rather mistakes, with the reason."""
    reasons: dict[str, str] = {}
    for scan in cache.scans:
        if scan.labels is None or scan.phantom:
            continue
        said = before[scan.pair, scan.role].labels
        image, labels = np.load(scan.image), np.load(scan.labels)
        why = implausible(image, labels, said, scan.grid, cache.card.table, scan.known)
        if why:
            reasons[scan.pair] = f"In the {scan.role} {why}."
    return reasons


def _without(
    cache: Cache,
    left_out: dict[str, str],
    before: dict[tuple[str, str], Answer],
    folder: Path,
    fresh: frozenset[int],
) -> Cache:
    kept = tuple(scan for scan in cache.scans if scan.pair not in left_out)
    labelled = tuple(scan for scan in kept if scan.labels is not None)
    taught = (*labelled, *own_answers(kept, before, folder / "own", fresh))
    return replace(cache, scans=(*taught, *stand_ins(taught, cache.card.roles, folder / "own")))


def _taught(cache: Cache, fresh: frozenset[int]) -> frozenset[str]:
    """New organs that somebody has drawn in the pairs to learn from, as "ROLE ORGAN"."""
    names = {label.value: label.name for label in cache.card.table if label.value in fresh}
    return frozenset(
        f"{scan.role} {names[value]}"
        for scan in _labelled(cache, "train")
        for value in set(np.unique(np.load(scan.labels)).tolist()) & set(names)
        if scan.known[value]
    )


def _labelled(cache: Cache, split: str) -> list[CachedScan]:
    return [s for s in cache.scans if s.split == split and s.labels is not None]


def _learn(
    bundle: Bundle, cache: Cache, folder: Path, settings: FineTuneSettings, report: Report
) -> None:
    """From the weights in use, on all that is labelled in ``train``, by whomever."""
    fit(
        replace(cache, scans=tuple(_labelled(cache, "train"))),
        TrainSettings(
            steps=settings.steps,
            minutes=settings.minutes,
            rate=RATE,
            warmup=WARMUP,
            seed=settings.seed,
            device=settings.device,
            average=0.99,
            phantoms=REHEARSED,
            augment=LIGHT,
        ),
        folder / "run",
        initial=bundle.network.state_dict(),
        validate_every=0,
        report=report,
    )


def _candidate(bundle: Bundle, folder: Path, way: float) -> Bundle:
    """A model of its own: so much of the way from the old weights to the averaged new ones.

    A few corrections pull the weights too far towards a few patients. Midway between old and new
    most of what was learned is there and most of what was known is kept (Wortsman et al., *Robust
    fine-tuning of zero-shot models*, CVPR 2022).
    """
    with safe_open(folder / "run" / FILE, framework="pt") as handle:
        names = [key for key in handle.keys() if key.startswith("average.")]  # noqa: SIM118
        learned = {name.removeprefix("average."): handle.get_tensor(name) for name in names}
    old = bundle.network.cpu().state_dict()
    state = {name: torch.lerp(old[name], new, way) for name, new in learned.items()}
    card = replace(bundle.card, parent=bundle.card.sha256, measured={})
    save_bundle(state, card, folder / CANDIDATE, replace=True)
    return load_bundle(folder / CANDIDATE)


def _scores(
    cache: Cache,
    before: dict[tuple[str, str], Answer],
    after: dict[tuple[str, str], Answer],
    fresh: frozenset[int],
) -> list[Score]:
    """Both models against the truth of what neither has learned from."""
    scores = []
    for scan in _labelled(cache, "validation"):
        truth = np.load(scan.labels)
        for label in cache.card.table:
            if not scan.known[label.value]:
                continue
            old, new = (
                _quality(said[scan.pair, scan.role].labels, truth, label.value, scan.grid.voxel_ml)
                for said in (before, after)
            )
            if np.isnan(new):
                continue
            # Who sees an organ that is not there is wrong; who no longer does gets no credit, as
            # an organ may also be absent from the truth by mistake.
            old = 1.0 if np.isnan(old) else old
            scores.append(
                Score(
                    case=scan.pair,
                    role=scan.role,
                    organ=label.name,
                    old=old,
                    new=new,
                    real=not scan.phantom,
                    fresh=label.value in fresh,
                )
            )
    return scores


def _quality(found: np.ndarray, truth: np.ndarray, value: int, voxel_ml: float) -> float:
    """Dice; NaN where an absent organ was not found, but for dust."""
    seen = found[truth != UNANNOTATED] == value
    dust = not (truth == value).any() and seen.sum() * voxel_ml < DUST_ML
    return float("nan") if dust else dice(found, truth, value)


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
    verdict: Verdict,
    bundle: Bundle,
    cohort: Cohort,
    left_out: dict[str, str],
    taught: frozenset[str],
    folder: Path,
) -> dict:
    reason = verdict.reason
    organs = {name.partition(" ")[2] for name in taught}
    if missing := sorted(fresh_organs(bundle.card) - organs):
        reason += f" Not learned, as nobody has drawn it yet: {', '.join(missing)}."
    if left_out and verdict.organs:
        names = ", ".join(sorted(left_out))
        reason += f" Left out, as their labels look like a mistake: {names}."
    candidate = folder / CANDIDATE / "card.json"
    made = json.loads(candidate.read_text(encoding="utf-8")) if candidate.exists() else {}
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
        "compared_on": sorted(p.id for p in cohort.validation if p.id not in left_out),
    }
    content = sealed(content)
    write_whole(folder / VERDICT, json.dumps(content, indent=1) + "\n")
    return content
