"""Batches: a function of seed and step alone, so a resumed run sees what it would have seen.

Shapes: B batch, K classes, D H W voxels of a window.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.settings import TrainSettings
from cmcseg.data.cache import Cache, CachedScan
from cmcseg.data.transforms import draw_look, draw_placement, place, relight

# Largest turn about each axis. A grid that follows the scan sees every stack in its own plane: a
# turn out of it would mix slices several millimetres apart, which no scan does.
DEGREES = {False: (15.0, 15.0, 15.0), True: (4.0, 4.0, 20.0)}
LYING = (5.0, 5.0, 25.0)  # how far a patient may lie turned on the table
MARGIN = 1 / 12  # share of its length by which a window may leave the scan, or miss an organ


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Windows of every modality for one step.

    Attributes:
        images: ``(B, 1, D, H, W)`` float32 per index of a modality.
        plain: the same windows before their intensities were altered.
        labels: ``(B, D, H, W)`` uint8 per index, 255 not annotated.
        known: ``(B, K)`` bool per index: which classes the annotator drew.
        trust_B: 1 where the modalities show the same place of the same subject, else 0.
        cases: what the windows were cut from, for messages.
    """

    images: dict[int, Tensor]
    plain: dict[int, Tensor]
    labels: dict[int, Tensor]
    known: dict[int, Tensor]
    trust_B: Tensor
    cases: tuple[str, ...]

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        return Batch(
            images={m: x.to(device) for m, x in self.images.items()},
            plain={m: x.to(device) for m, x in self.plain.items()},
            labels={m: x.to(device) for m, x in self.labels.items()},
            known={m: x.to(device) for m, x in self.known.items()},
            trust_B=self.trust_B.to(device),
            cases=self.cases,
        )


class Batches(Dataset):
    """Step number to a batch of windows.

    In a share ``paired`` of the steps both modalities show one subject: the other scan of the
    pair where there is one, else the same scan rendered in a foreign contrast and moved by a few
    millimetres. In all other steps they are independent, and trust is 0.

    Args:
        card: gives grid and window.
        settings: seed, batch size, share of paired steps.
        scans: per modality; windows of scans without labels are drawn without looking at any.
        stream: another number is another sequence of chance.
    """

    def __init__(
        self,
        card: ModelCard,
        settings: TrainSettings,
        scans: list[list[CachedScan]],
        stream: int = 0,
    ) -> None:
        self.card, self.settings, self.scans, self.stream = card, settings, scans, stream
        drawn = {scan.role for of in scans for scan in of if _is_drawn(scan)}
        self.drawn = [m for m, role in enumerate(card.roles) if role in drawn]
        self._arrays: dict[str, tuple[Tensor, Tensor | None, list[np.ndarray]]] = {}

    def __len__(self) -> int:
        return self.settings.steps

    def __getitem__(self, step: int) -> Batch:
        """The batch of one step; equal for equal seed and step."""
        stream = (self.stream,) if self.stream else ()
        rng = np.random.default_rng((self.settings.seed, step, *stream))
        if self.settings.alone and self.drawn and rng.random() < self.settings.alone:
            rows = [(self._drawn_alone(rng), False) for _ in range(self.settings.batch)]
            count = self.drawn
        else:
            rows = [self._row(rng) for _ in range(self.settings.batch)]
            count = list(range(len(self.scans)))
        return Batch(
            images={m: torch.stack([row[m][0] for row, _ in rows])[:, None] for m in count},
            plain={m: torch.stack([row[m][4] for row, _ in rows])[:, None] for m in count},
            labels={m: torch.stack([row[m][1] for row, _ in rows]) for m in count},
            known={m: torch.tensor([row[m][2] for row, _ in rows]) for m in count},
            trust_B=torch.tensor([float(paired) for _, paired in rows]),
            cases=tuple(row[m][3] for row, _ in rows for m in count),
        )

    def _row(self, rng: np.random.Generator) -> tuple[list, bool]:
        """One window per modality, and whether they show the same subject."""
        if rng.random() < self.settings.paired:
            return self._same_subject(rng), True
        return [self._alone(rng, m) for m in range(len(self.scans))], False

    def _drawn_alone(self, rng: np.random.Generator) -> list:
        """A window of every modality that somebody labelled, and none of the others."""
        return [self._alone(rng, m) if m in self.drawn else None for m in range(len(self.scans))]

    def _alone(self, rng: np.random.Generator, m: int) -> tuple:
        scan = self._pick(rng, self.scans[m])
        # The numbers of an MR mean something else in every sequence; Hounsfield units do not.
        foreign = self._is_mr(scan.role) and rng.random() < self.settings.foreign
        foreign = foreign or scan.role != self.card.roles[m]
        return self._window(rng, scan, self._center(rng, scan), foreign=foreign, shift_mm=0.0)

    def _pick(self, rng: np.random.Generator, scans: list[CachedScan]) -> CachedScan:
        """A phantom as often as the settings say, however many of them there are.

        All scans that a model labelled itself count as one, so that they do not drown what people
        drew.
        """
        phantom = rng.random() < self.settings.phantoms
        kind = [scan for scan in scans if scan.phantom == phantom] or scans
        drawn = [scan for scan in kind if not scan.own]
        own = [scan for scan in kind if scan.own]
        turn = rng.integers(len(drawn) + bool(own))
        return drawn[turn] if turn < len(drawn) else own[rng.integers(len(own))]

    def _is_mr(self, role: str) -> bool:
        return self.card.input(role).modality == "MR"

    def _same_subject(self, rng: np.random.Generator) -> list:
        lead = int(rng.integers(len(self.scans)))
        scan = self._pick(rng, self.scans[lead])
        center = self._center(rng, scan)
        # One placement for all: a partner is moved by millimetres, not turned at random.
        seed = int(rng.integers(2**31))
        windows = []
        for m, scans in enumerate(self.scans):
            partner = next((s for s in scans if s.pair == scan.pair), None)
            windows.append(
                self._window(
                    np.random.default_rng(seed),
                    partner or scan,
                    center,
                    foreign=partner is None or partner.role != self.card.roles[m],
                    shift_mm=0.0 if m == lead else 10.0,
                    look_rng=rng,
                )
            )
        return windows

    def _window(
        self,
        rng: np.random.Generator,
        scan: CachedScan,
        center: np.ndarray,
        *,
        foreign: bool,
        shift_mm: float,
        look_rng: np.random.Generator | None = None,
    ) -> tuple:
        image, labels, _ = self._load(scan)
        grid = self.card.grid
        placement = draw_placement(
            rng,
            center,
            grid.spacing,
            degrees=self._degrees(rng),
            shift_mm=shift_mm,
            strength=self.settings.augment,
        )
        plain_DHW, labels_DHW = place(image, labels, placement, grid.window)
        look = draw_look(look_rng or rng, foreign=foreign, strength=self.settings.augment)
        image_DHW = relight(plain_DHW, look)
        return image_DHW, labels_DHW, scan.known, f"{scan.pair} {scan.role}", plain_DHW

    def _degrees(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """The largest turn about each axis for one window."""
        if self.settings.turned and rng.random() < self.settings.turned:
            return LYING
        x, y, z = (most * self.settings.augment for most in DEGREES[self.card.grid.follow_scan])
        return x, y, z

    def _center(self, rng: np.random.Generator, scan: CachedScan) -> np.ndarray:
        """Two thirds of the windows are drawn to an organ, each organ equally often.

        Windows stay within ``MARGIN`` of the scan, as they do at inference, so that the network
        learns from the body and not from the padding around it.
        """
        image, _, places = self._load(scan)
        shape = np.array(image.shape)
        half = np.array(self.card.grid.window) / 2
        margin = MARGIN * 2 * half
        if len(places) and rng.random() < 0.67:
            organ = places[rng.integers(len(places))]
            center = organ[rng.integers(len(organ))] + rng.uniform(-margin, margin)
        else:
            center = rng.uniform(0, shape - 1)
        low, high = half - 0.5 - margin, shape - half - 0.5 + margin
        middle = (shape - 1) / 2
        return np.clip(center, np.minimum(low, middle), np.maximum(high, middle))

    def _load(self, scan: CachedScan) -> tuple[Tensor, Tensor | None, list[np.ndarray]]:
        """Image, labels and, per organ, some of its voxels; kept in memory, they are small."""
        key = f"{scan.pair}/{scan.role}"
        if key not in self._arrays:
            labels = None if scan.labels is None else np.load(scan.labels)
            self._arrays[key] = (
                torch.from_numpy(np.load(scan.image)),
                None if labels is None else torch.from_numpy(labels),
                [] if labels is None else _places(labels, scan.known),
            )
        return self._arrays[key]


def _is_drawn(scan: CachedScan) -> bool:
    return scan.dense and not scan.phantom and not scan.own


def labelled_batches(cache: Cache, settings: TrainSettings) -> Batches:
    """Windows of the training scans whose labels may be used.

    A modality that nobody labelled is shown the labelled scans of the others, in contrasts of no
    sequence.

    Raises:
        BadInput: when nothing is labelled, or a modality has no scan.
    """
    return Batches(
        cache.card, settings, [_usable(cache, role, settings) for role in cache.card.roles]
    )


def unlabelled_batches(cache: Cache, settings: TrainSettings) -> Batches:
    """Windows of the other training scans; of all of them, labels withheld, when none is left."""
    scans = []
    for role in cache.card.roles:
        used = {scan.pair for scan in _usable(cache, role, settings) if scan.role == role}
        every = cache.of("train", role)
        others = [scan for scan in every if scan.pair not in used] or every
        scans.append([replace(scan, labels=None) for scan in others])
    return Batches(cache.card, settings, scans, stream=1)


def _places(labels: np.ndarray, known: tuple[bool, ...]) -> list[np.ndarray]:
    """Some voxels of every organ that was looked at."""
    spots = [np.argwhere(labels == k) for k, is_known in enumerate(known) if k and is_known]
    return [spot[:: max(1, len(spot) // 2000)] for spot in spots if len(spot)]


def _usable(cache: Cache, role: str, settings: TrainSettings) -> list[CachedScan]:
    """The labelled training scans of a role, or else of the others; ``labelled`` is a share."""
    every = cache.of("train", role)
    scans = [scan for scan in every if scan.labels is not None]
    if not scans:
        scans = [s for s in cache.scans if s.split == "train" and s.labels is not None]
        if not scans:
            raise BadInput(
                f"The cache {cache.folder} has no labelled scan to train on; add some to "
                "'training' in the cohort."
            )
        if not every:
            raise BadInput(
                f"The cache {cache.folder} has no {role} scan to train on; add some to 'training' "
                f"in the cohort, or make a task without {role}."
            )
    keep = max(1, round(settings.labelled * len(scans)))
    order = np.random.default_rng((settings.seed, 7)).permutation(len(scans))
    return [scans[i] for i in sorted(order[:keep])]
