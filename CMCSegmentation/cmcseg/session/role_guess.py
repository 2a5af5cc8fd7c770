"""Which scan plays which role: by DICOM modality, by words of the series, by its values."""

import itertools
import re

from cmcseg.core.card import InputSpec, ModelCard
from cmcseg.session.i18n import _
from cmcseg.session.ports import ScanInfo

# Fat is about -100 HU and air -1000; MR scanners write no large negative values.
FAT_HU = -60.0
MODALITY, WORD, VALUES = 4.0, 2.0, 1.5  # how much each hint counts


def guess_roles(scans: tuple[ScanInfo, ...], card: ModelCard) -> dict[str, str]:
    """The best assignment of scans to the card's roles; roles without a fitting scan are absent.

    Every assignment of scans to roles is tried; the one with the highest sum of hints wins, and
    among equals the one that comes first in the scene.
    """
    usable = [scan for scan in scans if not scan.refusal]
    fits = {
        (spec.role, scan.key): value
        for spec in card.inputs
        for scan in usable
        if (value := fit(scan, spec)) > 0
    }
    best, chosen = 0.0, {}
    for picks in itertools.product(*([None, *_shortlist(fits, role)] for role in card.roles)):
        keys = [key for key in picks if key]
        value = sum(fits[role, key] for role, key in zip(card.roles, picks, strict=True) if key)
        if len(set(keys)) == len(keys) and value > best:
            best = value
            chosen = {r: key for r, key in zip(card.roles, picks, strict=True) if key}
    return chosen


def fit(scan: ScanInfo, spec: InputSpec) -> float:
    """How well a scan suits a role; below 0 when it says that it is something else."""
    score = 0.0
    if scan.modality:
        score += MODALITY if scan.modality == spec.modality else -2 * MODALITY
    words = set(re.split(r"[^a-z0-9]+", f"{scan.name} {scan.series}".lower()))
    score += WORD * min(2, len(words & {word.lower() for word in spec.keywords}))
    if (scan.dark < FAT_HU) == (spec.modality == "CT"):
        score += VALUES
    else:
        score -= VALUES
    return score


def scans_hint(scans: dict[str, ScanInfo], card: ModelCard) -> str:
    """When the roles look swapped, and what to know of how the scans were loaded; or empty.

    Args:
        scans: the chosen ones by role.
        card: of the model.
    """
    told = (swap_hint(scans, card), *(scan.note for scan in scans.values()))
    return " ".join(sentence for sentence in told if sentence)


def swap_hint(scans: dict[str, ScanInfo], card: ModelCard) -> str:
    """A sentence when two scans suit each other's roles clearly better than their own."""
    if len(scans) != 2:
        return ""
    (a, first), (b, second) = scans.items()
    own = fit(first, card.input(a)) + fit(second, card.input(b))
    other = fit(second, card.input(a)) + fit(first, card.input(b))
    if other - own < MODALITY:
        return ""
    sentence = _("{first} looks like {other} and {second} like {one}. Swap them?")
    titles = {"one": card.input(a).title, "other": card.input(b).title}
    return sentence.format(first=first.name, second=second.name, **titles)


def _shortlist(fits: dict[tuple[str, str], float], role: str) -> list[str]:
    """The best dozen for a role: a scene may hold hundreds of volumes."""
    keys = [key for r, key in fits if r == role]
    return sorted(keys, key=lambda key: -fits[role, key])[:12]
