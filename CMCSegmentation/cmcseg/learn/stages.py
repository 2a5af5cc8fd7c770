"""The stages of one fine-tuning: asking, learning, and making a candidate of what was learned."""

import copy
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from cmcseg.bundle.adoption import CANDIDATE
from cmcseg.bundle.load import Bundle, load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.core.card import ModelCard
from cmcseg.core.progress import Progress, Report
from cmcseg.core.scan_traits import ScanGroup
from cmcseg.core.settings import TrainSettings
from cmcseg.data.cache import Cache, CachedScan
from cmcseg.learn.checkpoint import FILE
from cmcseg.learn.comparisons import Past
from cmcseg.learn.loop import fit
from cmcseg.learn.predictions import Answer, answer
from cmcseg.learn.rehearsal import stand_ins
from cmcseg.learn.schedule import Schedule, Stretch
from cmcseg.nets.build import build_network
from cmcseg.nets.device import free_memory, ran_out
from cmcseg.nets.domain_net import learned_weights, with_before
from cmcseg.nets.untied import untied

# Far more steps than any budget allows: the time decides.
STEPS = 1_000_000
RATE = 1e-3  # of Muon; less than training from nothing uses
WARMUP = 10  # steps; a budget of minutes on a processor is a few hundred
REHEARSED = 0.3  # share of windows cut from phantoms: enough to remember, not to drown corrections
AUGMENT = 0.5  # of windows
HALF_WAY = 3  # pairs that half of the way from the old weights to the learned ones is gone for

Said = dict[tuple[str, str], Answer]


@dataclass(frozen=True, kw_only=True)
class FineTuneSettings:
    """How to fine-tune.

    Attributes:
        minutes: from the start to the verdict; all but learning is taken off first, yet a fifth of
            it is learned for in any case.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        seed: decides crops and augmentation.
        rehearse: phantoms that a model learns again from while it learns a new organ.
        compare: phantoms that old and new model are compared on then.
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


@dataclass(frozen=True, kw_only=True)
class Stages:
    """What every stage of one run needs; every scan of the bundle has weights of its own."""

    bundle: Bundle
    folder: Path
    settings: FineTuneSettings
    past: Past
    device: torch.device
    report: Report
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)

    def ask(self, bundle: Bundle, scans: list[CachedScan], card: ModelCard, stage: str) -> Said:
        """What a model says of some scans; its own network stays where it is."""
        return answers(bundle, scans, card, self.device, self.report, stage, self.seconds)

    def comparing_takes(self, plan: Schedule, last: list[CachedScan]) -> float:
        """Seconds that the comparisons will probably take, as the model in use took them."""
        judged = {name for one in plan.comparisons for name in one.judge}
        again = sum(s for (pair, _), s in self.seconds.items() if pair in judged)
        return again + sum(self.seconds.get((scan.pair, scan.role), 0.0) for scan in last)

    def starting_weights(self, anew: bool = False) -> dict[str, torch.Tensor]:
        """Of the candidate that an earlier run left, or (``anew``) of the model in use."""
        candidate = None if anew else self.past.candidate
        start = apart(load_bundle(candidate)) if candidate else self.bundle
        return learned_weights(_on_cpu(start.network))

    def learn(
        self,
        cache: Cache,
        stretch: Stretch,
        number: int | None,
        minutes: float,
        weights: dict[str, torch.Tensor],
    ) -> dict[str, torch.Tensor]:
        """One stretch of learning; on the processor when the device's memory runs out.

        Args:
            cache: all scans.
            stretch: what to learn from, and for which share of the time.
            number: of the stretch; None for the last.
            minutes: for all stretches.
            weights: to begin with.
        """
        if not stretch.share:
            return weights
        place = self.folder / ("run" if number is None else f"run-{number}")
        taught = lessons(cache, stretch.learn, self.folder / "own")
        settings = self.settings
        train = TrainSettings(
            steps=max(1, round(settings.steps * stretch.share)),
            minutes=minutes * stretch.share,
            rate=RATE,
            optimizer="muon",
            moves="scans",
            warmup=WARMUP,
            seed=settings.seed if number is None else settings.seed + 1000 * (number + 1),
            device=str(self.device),
            average=0.99,
            phantoms=REHEARSED,
            augment=AUGMENT,
            alone=1.0,
        )
        start: dict[str, Any] = {"initial": weights, "validate_every": 0, "report": self.report}
        try:
            fit(taught, train, place, **start)
        except (RuntimeError, MemoryError) as error:
            if self.device.type == "cpu" or not ran_out(error):
                raise
            free_memory(self.device)
            short = Progress(stage="memory was short, now on the CPU", done=0, total=1)
            self.report(short)
            fit(taught, replace(train, device="cpu"), place, **start)
        return averaged_weights(place)

    def candidate(
        self, weights: dict[str, torch.Tensor], way: float, groups: dict[str, ScanGroup]
    ) -> Bundle:
        """A model of its own: so much of the way from the weights in use to the learned ones.

        A few corrections pull the weights towards a few patients. Part of the way most of what was
        learned is there (Wortsman et al., *Robust fine-tuning of zero-shot models*, CVPR 2022).
        Scans of other kinds keep the kernels that they had.

        Args:
            weights: the learned ones.
            way: 0 to 1.
            groups: the scans that were learned from, by role; without any, all scans get what was
                learned.
        """
        card, old = self.bundle.card, _on_cpu(self.bundle.network)
        state = {name: torch.lerp(old[name], new, way) for name, new in weights.items()}
        kinds = dict(card.corrected) if groups else {}
        for role, group in groups.items():
            kinds[role] = (*kinds.get(role, ()), group)
        state = with_before(state, old, [card.roles.index(role) for role in kinds])
        card = replace(card, parent=card.sha256, measured={}, corrected=kinds)
        save_bundle(state, card, self.folder / CANDIDATE, replace=True)
        return load_bundle(self.folder / CANDIDATE)


def way_of(pairs: int) -> float:
    """How far to go from the old weights to the learned ones: a few patients say too much."""
    return pairs / (pairs + HALF_WAY)


def mean_of(learned: list[dict[str, torch.Tensor]], counts: list[int]) -> dict[str, torch.Tensor]:
    """The mean of weights that began alike (Wortsman et al., *Model soups*, ICML 2022).

    Args:
        learned: the weights.
        counts: pairs that each learned from.
    """
    shares = [count / sum(counts) for count in counts]
    return {
        name: sum(share * weights[name] for share, weights in zip(shares, learned, strict=True))
        if value.is_floating_point()
        else value
        for name, value in learned[0].items()
    }


def _on_cpu(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.detach().cpu().clone() for key, value in network.state_dict().items()}


def apart(bundle: Bundle) -> Bundle:
    """The same model, with kernels for every scan: what one learns leaves the others as they are.

    Scans that share kernels learn better together; but a correction of one must not move another
    that nobody looked at.
    """
    card = bundle.card
    if len(card.roles) == 1 or not card.network.shared_kernels:
        return bundle
    card = replace(card, network=replace(card.network, shared_kernels=False))
    network = build_network(card)
    network.load_state_dict(untied(bundle.network.state_dict(), len(card.roles)))
    return replace(bundle, card=card, network=network.eval())


def answers(
    bundle: Bundle,
    scans: list[CachedScan],
    card: ModelCard,
    device: torch.device,
    report: Report,
    stage: str,
    seconds: dict[tuple[str, str], float],
) -> Said:
    """What a copy of a model says of some scans; on the processor when memory runs out."""
    network = copy.deepcopy(bundle.network).to(device).eval()
    said = {}
    for number, scan in enumerate(scans):
        report(Progress(stage=stage, done=number, total=len(scans)))
        began = time.monotonic()
        try:
            found = answer(network, card, scan, device)
        except (RuntimeError, MemoryError) as error:
            if device.type == "cpu" or not ran_out(error):
                raise
            free_memory(device)
            device = torch.device("cpu")
            network = network.to(device)
            found = answer(network, card, scan, device)
        said[scan.pair, scan.role] = found
        seconds.setdefault((scan.pair, scan.role), time.monotonic() - began)
    return said


def lessons(cache: Cache, pairs: tuple[str, ...], folder: Path) -> Cache:
    """All to learn from by now: these pairs, phantoms, own answers, and stand-ins for a role."""
    taught = tuple(
        scan
        for scan in cache.scans
        if scan.split == "train" and (scan.pair in pairs or scan.phantom or scan.own)
    )
    return replace(cache, scans=(*taught, *stand_ins(taught, cache.card.roles, folder)))


def averaged_weights(place: Path) -> dict[str, torch.Tensor]:
    """The averaged weights of a stretch of learning, by name."""
    with safe_open(place / FILE, framework="pt") as handle:
        names = [key for key in handle.keys() if key.startswith("average.")]  # noqa: SIM118
        return {name.removeprefix("average."): handle.get_tensor(name) for name in names}
