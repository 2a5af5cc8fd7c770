"""From a fingerprint to a task: every value with the reason for it.

The rules are nnU-Net's in spirit (Isensee et al., Nature Methods 2021): grid and window follow the
median scan and what fits into memory, folds stop along thick slices, CT is cut to what organs show.
"""

import math
import re
from dataclasses import dataclass

import numpy as np

from cmcseg.core.card import GridSpec, InputSpec, ModelCard, NetworkSpec
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import Label, LabelTable
from cmcseg.core.task_file import spread_color
from cmcseg.data.fingerprint import Fingerprint
from cmcseg.imaging.label_names import BACKGROUND

SCAN_VOXELS = 2_400_000  # of a scan on the working grid: four windows, affordable without a GPU
WINDOW_VOXELS = 96 * 96 * 64  # as of the shipped models
THICK = 3.0  # slices so many times as thick as pixels are kept as slices
WIDTHS = (32, 64, 128, 192)
CT_WORDS, PET_WORDS = {"ct", "cbct"}, {"pet", "pt", "suv"}


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A task.

    Attributes:
        card: without weights.
        values: of the organs in the files, in the order of the card's table.
        reasons: a sentence for every decided value, by its key in the task's file.
    """

    card: ModelCard
    values: tuple[int, ...]
    reasons: dict[str, str]


def decide(
    found: Fingerprint, name: str, names: dict[int, str], *, widths: tuple[int, ...] = WIDTHS
) -> Decided:
    """Decide all that a task needs.

    Args:
        found: the data set in numbers.
        name: of the task, and of the models that are trained for it.
        names: of the values in the files; values without one are called by their number.
        widths: feature channels per level of the network.

    Raises:
        BadInput: when no value stands for an organ.
    """
    reasons: dict[str, str] = {}
    table, values = _table(found, names, reasons)
    spacing, follow = _spacing(found, reasons)
    window, network = _window(found, spacing, follow, widths, reasons)
    inputs = tuple(_input(role, found, reasons) for role in found.roles)
    card = ModelCard(
        name=name,
        title=name,
        version="0.1.0",
        description=f"{', '.join(label.name for label in table)} in {' and '.join(found.roles)}.",
        inputs=inputs,
        table=table,
        grid=GridSpec(spacing=spacing, window=window, follow_scan=follow),
        network=network,
    )
    return Decided(card=card, values=values, reasons=reasons)


def _table(
    found: Fingerprint, names: dict[int, str], reasons: dict[str, str]
) -> tuple[LabelTable, tuple[int, ...]]:
    known = {**{value: f"label {value}" for value in found.organs}, **names}
    known = {v: name for v, name in known.items() if name.casefold() != BACKGROUND}
    organs: dict[str, int] = {}
    for value in sorted(known):
        organs.setdefault(known[value], value)
    if not organs:
        raise BadInput("The label maps hold nothing but background, so there is nothing to learn.")
    if len(organs) > 250:
        raise BadInput(f"The label maps hold {len(organs)} values; a model has at most 250 organs.")
    labels = tuple(
        Label(value=place, name=organ, color=spread_color(place))
        for place, organ in enumerate(organs, 1)
    )
    numbers = {label.name.casefold(): label.value for label in labels}
    mirrored = tuple(
        (value, numbers[other])
        for organ, value in numbers.items()
        if (other := re.sub(r"\bright\b", "left", organ)) != organ and other in numbers
    )
    reasons["table"] = "own values " + ", ".join(f"{v} ({organ})" for organ, v in organs.items())
    if mirrored:
        reasons["table.mirrored"] = "their names say right and left"
    return LabelTable(labels=labels, mirrored=mirrored), tuple(organs.values())


def _spacing(
    found: Fingerprint, reasons: dict[str, str]
) -> tuple[tuple[float, float, float], bool]:
    spacing = np.array(found.spacing_mm)
    follow = spacing.max() / spacing.min() >= THICK
    median = " x ".join(f"{step:g}" for step in spacing.round(2))
    why = f"the median of the scans is {median} mm"
    if not follow and spacing.max() / spacing.min() > 1:
        spacing = np.full(3, float(np.exp(np.log(spacing).mean())))
        why += "; made equal along all axes, as scans differ"
    extent = np.array(found.extent_mm)
    coarser = False
    while np.prod(extent / spacing) > SCAN_VOXELS:
        finest = spacing < 1.02 * spacing.min()
        spacing[finest] *= 1.02
        coarser = True
    if coarser:
        why += f"; coarser, so that a scan has at most {SCAN_VOXELS / 1e6:.1f} million voxels"
    steps = np.clip(spacing.round(2), 0.2, 20.0)
    small = [o.extent_mm for o in found.organs.values() if (o.extent_mm / steps).min() < 4]
    if small:
        why += f". {len(small)} organ(s) are thinner than 4 voxels of it: look at their Dice"
    reasons["grid.spacing"] = why
    thick = "at least" if follow else "less than"
    reasons["grid.follow_scan"] = f"slices are {thick} {THICK:g} times as thick as pixels are wide"
    x, y, z = steps.tolist()
    return (x, y, z), bool(follow)


def _window(
    found: Fingerprint,
    spacing: tuple[float, float, float],
    follow: bool,
    widths: tuple[int, ...],
    reasons: dict[str, str],
) -> tuple[tuple[int, int, int], NetworkSpec]:
    step = np.array(spacing)
    size = np.maximum(np.ceil(np.array(found.extent_mm) / step), 1)
    patch = np.where((step >= 2.5 * step.min()) & follow, 1, 2)
    strides, folded = [], patch.copy()
    for _ in widths[1:]:
        here = step * folded
        stride = np.where((here <= 2 * here.min()) & (size >= 4 * folded), 2, 1)
        if stride.max() == 1:
            stride[int(np.argmax(size / folded))] = 2
        strides.append(tuple(stride.tolist()))
        folded = folded * stride
    window = np.ceil(size / folded) * folded
    while np.prod(window) > WINDOW_VOXELS:
        longest = int(np.argmax(np.where(window > folded, window * step, 0)))
        window[longest] -= folded[longest]
    w = tuple(int(n) for n in window)
    network = NetworkSpec(widths=widths, patch=tuple(patch.tolist()), strides=tuple(strides))
    covered = " x ".join(f"{round(n * s)}" for n, s in zip(w, spacing, strict=True))
    reasons["grid.window"] = (
        f"{covered} mm of the median {' x '.join(f'{e:.0f}' for e in found.extent_mm)} mm; at most "
        f"{WINDOW_VOXELS / 1e6:.2f} million voxels, as the shipped models have"
    )
    reasons["network.patch"] = (
        "2 voxels, and 1 across thick slices" if follow else "2 voxels along every axis"
    )
    reasons["network.strides"] = "axes fold while their steps are within twice the finest"
    reasons["network.widths"] = "as of the shipped models" if widths == WIDTHS else "as asked for"
    return (w[0], w[1], w[2]), network


def _input(role: str, found: Fingerprint, reasons: dict[str, str]) -> InputSpec:
    facts = found.roles[role]
    words = set(re.split(r"[^a-z0-9]+", role))
    key = f"inputs.{role}.intensity"
    title = role.upper() if len(role) < 5 else role
    if (facts.ct or words & CT_WORDS) and facts.organ_range:
        low = 5 * math.floor(facts.organ_range[0] / 5)
        high = max(5 * math.ceil(facts.organ_range[1] / 5), low + 5)
        why = "its name" if words & CT_WORDS else "many strongly negative values"
        reasons[key] = f"CT by {why}; the window holds 99 % of the organs' voxels"
        limits = (float(low), float(high))
        return InputSpec(
            role=role,
            title=title,
            keywords=(role,),
            modality="CT",
            intensity="window",
            window=limits,
        )
    modality = "PT" if words & PET_WORDS else "CT" if facts.ct or words & CT_WORDS else "MR"
    reasons[key] = "its numbers mean something else in every scan: mean 0 and deviation 1"
    return InputSpec(
        role=role, title=title, keywords=(role,), modality=modality, intensity="standardise"
    )
