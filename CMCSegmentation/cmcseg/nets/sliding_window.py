"""Sliding windows: the scans of a pair are looked at in the same place of the patient.

First the whole grid is covered; then what was found is looked at again in windows centred on it,
which count for more, so that a result does not depend on where the organs lie between windows. A
card may say that a coarse look at everything is enough to know where the organs are.

Shapes: K classes, I J K' voxels of the working grid, D H W voxels of a window.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.nn.functional import avg_pool3d

from cmcseg.core.card import ModelCard
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.nets.device import inference_type, reduced
from cmcseg.nets.tiling import Tiling, gaussian_window, tile

STRETCH_FOCUS = 1.5  # of windows on what was found: one that holds all has no seam
FOCUS = 3.0  # how much more a window counts that is centred on what was found
OUTLIERS = 0.005  # share of the organs' voxels that may lie beyond each face of their box
MARGIN = 3  # voxels around that box
FEWEST = 50  # voxels; fewer are no organ to look at again
FEW = 2  # windows; a grid that takes no more is looked at as a whole at once
LIKELY = 0.2  # probability of an organ that draws the windows after a coarse look
ASIDE = 1 / 8  # of a window, by which organs may lie off its middle without another look
LOOKS = 3  # as often are they followed at most
SPARE = 8  # a coarse box is widened by this part of a window on each side

Bounds = list[tuple[int, int]]  # first and last voxel of a box along each axis


def sliding_window(
    network: nn.Module,
    images: dict[int, np.ndarray],
    card: ModelCard,
    trust: float,
    device: torch.device,
    *,
    seen: dict[int, np.ndarray] | None = None,
    window: tuple[int, int, int] | None = None,
    overlap: float = 0.1,
    stitch_on: torch.device | None = None,
    centred: bool = True,
    report: Report = ignore,
) -> dict[int, np.ndarray]:
    """Class probabilities of every scan on the working grid.

    Where the card has a ``coarse`` look and the grid takes more than ``FEW`` windows, that look
    says where the organs are. Where it finds none, or the windows centred on them do not hold all
    that they find, everything is looked at after all.

    A network that folds patches of voxels says something else of a place when its patches begin
    elsewhere; so the windows on what was found begin half a patch aside, and with two
    ``tta_shifts`` in the card they are also run from where the others begin.

    Args:
        network: a ``CollaborativeNet`` in evaluation mode, on ``device``.
        images: normalised ``(I, J, K')`` per index of a modality, all on the working grid.
        card: gives window, multiple, ``tta_shifts`` and classes.
        trust: confidence of the alignment, 0 to 1.
        device: where the windows run, in the numbers of ``device.inference_type``.
        seen: bool field of view per index; windows that see nothing of a scan are skipped for it.
        window: shape of a window; the card's when None.
        overlap: share by which neighbouring windows overlap.
        stitch_on: where the probabilities are gathered; ``device`` when None.
        centred: whether what was found is looked at again.
        report: told after every window.

    Returns:
        ``(K, I, J, K')`` float32 per index; voxels that no window saw are background.
    """
    shape = next(iter(images.values())).shape
    window = window or card.grid.window
    tiling = tile(shape, window, card.network.multiple, overlap)
    before = np.array(card.network.patch) // 2
    whole = tuple(int(n) for n in before + tiling.shape)
    home = stitch_on or device
    gathered = {
        m: _Gathered(
            image=_padded(image, before, whole),
            field=_padded(seen[m], before, whole) if seen and m in seen else None,
            sum_KIJK=torch.zeros((card.table.classes, *whole), device=home),
            weight_IJK=torch.zeros(whole, device=home),
        )
        for m, image in images.items()
    }
    trust_B = torch.full((1,), trust, device=device)
    everywhere = _Windows(starts=[before + start for start in tiling.starts], shape=tiling.window)
    coarse = max(card.grid.coarse) > 1 and len(everywhere.starts) > FEW
    # What will be found, and so how often it is looked at, is not known yet.
    total = len(everywhere.starts) + 1 + coarse

    def look(windows: _Windows, worth: float, since: float, until: float) -> None:
        for number, start in enumerate(windows.starts):
            _look(network, gathered, start, windows.shape, worth, trust_B, device)
            done = since + (until - since) * (number + 1) / len(windows.starts)
            report(Progress(stage="segmenting", done=done, total=total))

    def again(box: Bounds, since: float, until: float) -> _Windows:
        windows = _focus(box, tiling, window, card, overlap)
        look(windows, FOCUS / card.grid.tta_shifts, since, until)
        return windows

    box: Bounds | None = None
    if coarse:
        box = _coarse(network, images, card, trust, device, window, overlap)
    if box is None or not _held(box, again, gathered, before, shape):
        look(everywhere, 1.0, coarse, total - 1)
        if centred and (box := _found(gathered)) is not None:
            again(box, total - 1, total)
    report(Progress(stage="segmenting", done=total, total=total))
    inside = tuple(slice(b, b + n) for b, n in zip(before, shape, strict=True))
    return {
        m: _finish(g.sum_KIJK[(slice(None), *inside)], g.weight_IJK[inside])
        for m, g in gathered.items()
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class _Gathered:
    """A padded scan, where it sees anything, and what the windows have said of it."""

    image: np.ndarray
    field: np.ndarray | None
    sum_KIJK: torch.Tensor
    weight_IJK: torch.Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class _Windows:
    """Windows of one shape on the padded grid."""

    starts: list[np.ndarray]
    shape: tuple[int, int, int]

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """First voxel of all of them, and one past the last."""
        starts = np.array(self.starts)
        return starts.min(axis=0), starts.max(axis=0) + self.shape


def _coarse(
    network: nn.Module,
    images: dict[int, np.ndarray],
    card: ModelCard,
    trust: float,
    device: torch.device,
    window: tuple[int, int, int],
    overlap: float,
) -> Bounds | None:
    """Where the organs are, by means over ``card.grid.coarse`` voxels; None without organs.

    The bounds are those of the padded grid.
    """
    step = card.grid.coarse
    means = {
        m: avg_pool3d(torch.from_numpy(image)[None], step, ceil_mode=True)[0].numpy()
        for m, image in images.items()
    }
    plain = replace(card, grid=replace(card.grid, coarse=(1, 1, 1)))
    found = sliding_window(
        network, means, plain, trust, device, window=window, overlap=overlap, centred=False
    )
    box = _box(torch.from_numpy(p[0] < 1 - LIKELY) for p in found.values())
    if box is None:
        return None
    before = np.array(card.network.patch) // 2
    ends = np.array(box) * np.array(step)[:, None] + before[:, None]
    ends[:, 1] += np.array(step) - 1
    ends += np.outer(np.array(window) // SPARE, (-1, 1))
    return [(first, last) for first, last in ends.tolist()]


def _held(
    box: Bounds,
    again: Callable[[Bounds, float, float], _Windows],
    gathered: dict[int, _Gathered],
    before: np.ndarray,
    shape: tuple[int, ...],
) -> bool:
    """Look where organs may be, and follow them; whether the windows hold all that was found.

    A window at the scan's end moves no further and cuts nothing.
    """
    low, high = np.array(before) + shape, np.array(before)
    for number in range(LOOKS):
        windows = again(box, number / LOOKS, (number + 1) / LOOKS)
        start, end = windows.bounds
        low, high = np.minimum(low, start), np.maximum(high, end)
        fine = _found(gathered)
        if fine is None:
            return False
        box, (first, last) = fine, np.array(fine).T
        ends = low > before, high < before + shape
        cut = (ends[0] & (first <= low)) | (ends[1] & (last >= high - 1))
        aside = np.abs(first + last + 1 - start - end) / 2 > ASIDE * np.array(windows.shape)
        off = aside & (start > before) & (end < before + shape)
        if not (cut | (off & (number == 0))).any():
            return True
    return not cut.any()


def _look(
    network: nn.Module,
    gathered: dict[int, _Gathered],
    start: np.ndarray,
    size: tuple[int, int, int],
    worth: float,
    trust_B: torch.Tensor,
    device: torch.device,
) -> None:
    """Run one window and add what it says."""
    place = tuple(slice(int(s), int(s) + w) for s, w in zip(start, size, strict=True))
    windows = {
        m: torch.from_numpy(g.image[place]).to(device)[None, None]
        for m, g in gathered.items()
        if g.field is None or g.field[place].any()
    }
    if not windows:
        return
    for m, p_KDHW in _probabilities(network, windows, trust_B, device).items():
        g = gathered[m]
        weight_DHW = worth * gaussian_window(size).to(g.weight_IJK.device)
        g.sum_KIJK[(slice(None), *place)] += p_KDHW.to(weight_DHW.device) * weight_DHW
        g.weight_IJK[place] += weight_DHW


def _found(gathered: dict[int, _Gathered]) -> Bounds | None:
    """The box of the organs on the padded grid, as far as it was looked at."""
    return _box(g.sum_KIJK[0] < 0.5 * g.weight_IJK for g in gathered.values())


def _box(organs: Iterable[torch.Tensor]) -> Bounds | None:
    """First and last voxel of the organs along each axis, without strays; None without organs."""
    organs_IJK = sum(organs)
    if int((organs_IJK > 0).sum()) < FEWEST:
        return None
    box = []
    for axis in range(3):
        counts = organs_IJK.sum(dim=[a for a in range(3) if a != axis]).double().cpu()
        share = (counts.cumsum(0) / counts.sum()).numpy()
        box.append(tuple(np.searchsorted(share, (OUTLIERS, 1 - OUTLIERS)).tolist()))
    return box


def _focus(
    box: Bounds,
    tiling: Tiling,
    window: tuple[int, int, int],
    card: ModelCard,
    overlap: float,
) -> _Windows:
    """Windows centred on a box of the padded grid.

    An axis that one window covers stays whole, as the network then sees all there is around the
    organs. The windows lie within the scan where it is large enough, and their patches begin half
    a patch aside from those of the first window on the grid.
    """
    patch = np.array(card.network.patch)
    room = np.array(tiling.shape)
    wanted = [
        n if n == seen else min(max(last - first + 1 + 2 * MARGIN, w), n)
        for (first, last), w, n, seen in zip(box, window, tiling.shape, tiling.window, strict=True)
    ]
    longest = [min(int(w * STRETCH_FOCUS), n) for w, n in zip(window, tiling.shape, strict=True)]
    focus = tile(tuple(wanted), window, card.network.multiple, overlap, tuple(longest))
    middle = np.array([(first + last + 1) / 2 for first, last in box])
    corner = np.clip(middle - np.array(focus.shape) / 2, 0, room - focus.shape)
    starts = [(corner + start).astype(int) // patch * patch for start in focus.starts]
    shifts = [patch // 2 * look for look in range(card.grid.tta_shifts)]
    starts = [start + shift for shift in shifts for start in starts]
    return _Windows(starts=starts, shape=focus.window)


def _probabilities(
    network: nn.Module,
    windows: dict[int, torch.Tensor],
    trust_B: torch.Tensor,
    device: torch.device,
) -> dict[int, torch.Tensor]:
    with (
        torch.inference_mode(),
        reduced(device, inference_type(device)),
    ):
        outputs = network(windows, trust_B)
    return {m: out.logits_BKDHW[0].float().softmax(dim=0) for m, out in outputs.items()}


def _padded(array: np.ndarray, before: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """With its smallest value around; bool stays bool, numbers become float32."""
    width = [(b, n - b - have) for b, n, have in zip(before, shape, array.shape, strict=True)]
    if array.dtype == bool:
        return np.pad(array, width)
    return np.pad(array, width, constant_values=array.min()).astype(np.float32, copy=False)


def _finish(sum_KIJK: torch.Tensor, weight_IJK: torch.Tensor) -> np.ndarray:
    p = sum_KIJK / weight_IJK.clamp_min(1e-6)
    p[0] += (weight_IJK == 0).to(p.dtype)
    return p.cpu().numpy()
