"""Pair in, prediction out: the whole job, read from top to bottom."""

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from cmcseg.bundle.load import Bundle
from cmcseg.bundle.untaught import is_untaught
from cmcseg.core.anatomy import anatomy_warnings
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.prediction import Alignment, Prediction
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.volume import Volume
from cmcseg.imaging.align import align
from cmcseg.imaging.components import clean
from cmcseg.imaging.intensity import Normaliser, normaliser
from cmcseg.imaging.resample import field_of_view, resample, working_grid
from cmcseg.imaging.role_checks import role_warnings
from cmcseg.nets.device import inference_type, pick_device
from cmcseg.predict.border_fit import fit_borders
from cmcseg.predict.domain_choice import choose_domain
from cmcseg.predict.mirror_look import looking, mirror_look
from cmcseg.predict.uncertainty_maps import disagreement
from cmcseg.predict.write_back import write_back

# Below it, what a partner adds (it is scaled by the trust) is less than what a working grid laid
# over both scans changes.
LEAST_TRUST = 0.1
UNTAUGHT = "The model has learned nothing yet, so no organ is marked: draw, accept, let it learn."


def segment(
    volumes: dict[str, Volume],
    bundle: Bundle,
    settings: SegmentSettings | None = None,
    report: Report = ignore,
) -> Prediction:
    """Segment every scan of a pair, each on its own grid.

    Args:
        volumes: one scan per role; roles may be left out, one at least is needed.
        bundle: the model.
        settings: alignment, device, overlap of windows, what to do when memory runs out.
        report: told what is being done and how far it is.

    Raises:
        BadInput: when the scans cannot be a pair of this model.
    """
    settings = settings or SegmentSettings()
    card = bundle.card
    volumes = _in_order(volumes, card)
    device = pick_device(settings.device)
    warnings = role_warnings(volumes, card)
    clock = Clock()
    with clock.stage("align"):
        alignment = _align(volumes, card, settings, report)
    if is_untaught(card):
        return _nothing(volumes, card, alignment, clock, (*warnings, UNTAUGHT))
    bundle, unlike = choose_domain(bundle, volumes)
    trust = _trust(alignment, settings)
    labels, doubt, contradiction, mirrored = {}, {}, {}, {}
    notes = [*warnings, *unlike, *_doubted(alignment, trust)]
    for group in _groups(volumes, trust):
        matrices = _to_working_world(group, alignment)
        with clock.stage("resample"):
            normal = {role: normaliser(volume, card.input(role)) for role, volume in group.items()}
            grid, images, seen = _on_working_grid(group, matrices, normal, card, report)
        with clock.stage("network"):
            told = _naming(report, group, volumes, card)
            look = looking(bundle, images, seen, trust, device, settings, told)
            ran = look()
            notes += ran.notes
            mirrored |= mirror_look(ran.scores, grid, card.table, look)
        with clock.stage("write back"):
            gap = _gap(ran.scores, seen)
            for role, volume in group.items():
                stage = f"finishing the {card.input(role).title}"
                told = _part(report, stage, len(labels), len(volumes))
                told(0.0)
                labels[role], doubt[role], apart = _on_own_grid(
                    ran.scores[role],
                    grid,
                    volume,
                    matrices[role],
                    gap,
                    trust,
                    card,
                    normal[role],
                    told,
                )
                if apart is not None:
                    contradiction[role] = apart
    return Prediction(
        labels=labels,
        doubt=doubt,
        model=card.name,
        version=card.version,
        sha256=card.sha256,
        alignment=alignment,
        seconds=clock.seconds,
        device=str(ran.device),
        precision=str(inference_type(ran.device)).removeprefix("torch."),
        peak_mb=_peak_mb(ran.device),
        warnings=(*dict.fromkeys(notes), *_odd(labels, doubt, mirrored)),
        disagreement=contradiction,
    )


@dataclass(frozen=True)
class Clock:
    """Seconds per stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str):  # noqa: ANN201
        """Time what happens inside the ``with`` block."""
        started = time.monotonic()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started


def _nothing(
    volumes: dict[str, Volume],
    card: ModelCard,
    alignment: Alignment | None,
    clock: Clock,
    notes: tuple[str, ...],
) -> Prediction:
    """Empty label maps without doubt, to draw into: random weights would say noise."""
    return Prediction(
        labels={
            role: LabelMap(array=np.zeros(v.grid.shape, np.uint8), grid=v.grid, table=card.table)
            for role, v in volumes.items()
        },
        doubt={
            role: Volume(array=np.zeros(v.grid.shape, np.float32), grid=v.grid)
            for role, v in volumes.items()
        },
        model=card.name,
        version=card.version,
        sha256=card.sha256,
        alignment=alignment,
        seconds=clock.seconds,
        device="cpu",
        warnings=notes,
    )


def _in_order(volumes: dict[str, Volume], card: ModelCard) -> dict[str, Volume]:
    if not volumes:
        raise BadInput(f"No scan was given; {card.name} takes {' and '.join(card.roles)}.")
    for role in volumes:
        card.input(role)
    ordered = {role: volumes[role] for role in card.roles if role in volumes}
    if len(ordered) == 2:
        first, second = ordered.values()
        if first.is_same_as(second):
            raise BadInput(
                f"The same scan was given as {' and as '.join(ordered)}; give two scans, or one."
            )
    return ordered


def _align(
    volumes: dict[str, Volume], card: ModelCard, settings: SegmentSettings, report: Report
) -> Alignment | None:
    if len(volumes) < 2:
        return None
    (fixed_role, fixed), (moving_role, moving) = volumes.items()
    return align(
        fixed,
        moving,
        method=settings.align,
        fixed_role=fixed_role,
        moving_role=moving_role,
        fixed_title=card.input(fixed_role).title,
        moving_title=card.input(moving_role).title,
        by_hand=np.array(settings.matrix).reshape(4, 4) if settings.matrix else None,
        report=report,
    )


def _groups(volumes: dict[str, Volume], trust: float) -> list[dict[str, Volume]]:
    """Which scans are looked at together.

    Below ``LEAST_TRUST`` each scan is looked at as if it were alone, on its own working grid, so
    that its result is that of the single scan to the bit: a partner who can add next to nothing
    shall not move the grid either.
    """
    if trust >= LEAST_TRUST:
        return [volumes]
    return [{role: volume} for role, volume in volumes.items()]


def _trust(alignment: Alignment | None, settings: SegmentSettings) -> float:
    """How far the scans may help each other; fully where the user says that they are aligned."""
    if alignment is None:
        return 0.0
    return 1.0 if settings.align == "none" else alignment.trust


def _doubted(alignment: Alignment | None, trust: float) -> list[str]:
    """A sentence when two scans were given that do not look aligned: what was done with them."""
    if alignment is None or alignment.trust >= LEAST_TRUST:
        return []
    if trust >= LEAST_TRUST:
        return [
            f"The scans do not look aligned (confidence {alignment.confidence:.0%}); they were "
            "segmented together all the same, as alignment 'none' says that they are."
        ]
    return [
        f"The alignment of the scans cannot be trusted (confidence {alignment.confidence:.0%}), so "
        "each was segmented by itself."
    ]


def _naming(
    report: Report, group: dict[str, Volume], volumes: dict[str, Volume], card: ModelCard
) -> Report:
    """Says which scan it is, and counts all of them, when they are looked at one by one."""
    if len(group) == len(volumes):
        return report
    titles = " and ".join(card.input(role).title for role in group)
    before = list(volumes).index(next(iter(group)))
    return lambda p: report(
        Progress(
            stage=f"{p.stage} the {titles}",
            done=before + len(group) * p.fraction,
            total=len(volumes),
        )
    )


def _to_working_world(
    group: dict[str, Volume], alignment: Alignment | None
) -> dict[str, np.ndarray]:
    """4 x 4 RAS per role, from the scan's world to the first scan's of its group."""
    matrices = {role: np.eye(4) for role in group}
    if alignment and len(group) > 1:
        matrices[alignment.moving] = alignment.matrix
    return matrices


def _part(report: Report, stage: str, before: int, total: int) -> Callable[[float], None]:
    """Reports shares of one of several equal parts."""
    return lambda share: report(Progress(stage=stage, done=before + share, total=total))


def _on_working_grid(
    volumes: dict[str, Volume],
    matrices: dict[str, np.ndarray],
    normal: dict[str, Normaliser],
    card: ModelCard,
    report: Report,
) -> tuple[Grid, dict[str, np.ndarray], dict[str, np.ndarray]]:
    placed = [volume.grid.moved(matrices[role]) for role, volume in volumes.items()]
    grid = working_grid(card.grid, placed)
    images, seen = {}, {}
    for number, (role, volume) in enumerate(volumes.items()):
        stage = f"resampling the {card.input(role).title}"
        report(Progress(stage=stage, done=number, total=len(volumes)))
        darkest = normal[role](volume.array.min(keepdims=True))
        images[role] = resample(
            volume.array,
            volume.grid,
            grid,
            matrix=matrices[role],
            fill=float(darkest.item()),
            number=normal[role],
        )
        seen[role] = field_of_view(volume.grid, grid, matrix=matrices[role])
    return grid, images, seen


def _gap(scores: dict[str, np.ndarray], seen: dict[str, np.ndarray]) -> np.ndarray | None:
    """Disagreement of the two scans on the working grid, 0 where one of them sees nothing."""
    if len(scores) < 2:
        return None
    first, second = scores
    return disagreement(scores[first], scores[second]) * (seen[first] & seen[second])


def _on_own_grid(
    scores: np.ndarray,
    grid: Grid,
    volume: Volume,
    matrix: np.ndarray,
    gap: np.ndarray | None,
    trust: float,
    card: ModelCard,
    normal: Normaliser,
    done: Callable[[float], None],
) -> tuple[LabelMap, Volume, Volume | None]:
    """Organs, doubt, and the part of it in which the two scans contradict each other."""
    array, doubt, apart = write_back(
        scores,
        grid,
        volume.grid,
        matrix=np.linalg.inv(matrix),
        gap=gap,
        trust=trust,
        order="F" if volume.array.flags.f_contiguous else "C",
        done=done,
    )
    clean(array, card.table, card.cleaning)
    if card.cleaning.borders_mm:
        spacing, radius = volume.grid.spacing, card.cleaning.borders_mm
        fit_borders(array, volume.array, normal, spacing, radius)
        clean(array, card.table, card.cleaning)  # what the scan's noise broke off
    label_map = LabelMap(array=array, grid=volume.grid, table=card.table)
    contradiction = None if apart is None else Volume(array=apart, grid=volume.grid)
    return label_map, Volume(array=doubt, grid=volume.grid), contradiction


def _odd(
    labels: dict[str, LabelMap],
    doubt: dict[str, Volume],
    mirrored: dict[str, tuple[float, float]],
) -> list[str]:
    """What the organs say about their scans, a sentence each."""
    told = (
        anatomy_warnings(labels[role], doubt[role], role, mirrored.get(role)) for role in labels
    )
    return [sentence for sentences in told for sentence in sentences]


def _peak_mb(device: torch.device) -> dict[str, float]:
    """Largest memory so far of this process, and of the GPU, in MiB."""
    peak = {}
    try:
        import resource
        import sys

        unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux KiB
        peak["process"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    except ImportError:  # Windows
        pass
    if device.type == "cuda":
        peak["gpu"] = torch.cuda.max_memory_allocated(device) / 2**20
    return peak
