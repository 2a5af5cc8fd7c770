"""What a data set is like in numbers: voxels, sizes, intensities, organs."""

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Label, LabelTable
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.data.found import FoundData
from cmcseg.imaging.components import largest_piece
from cmcseg.imaging.files import read_label_map, read_values, read_volume, segment_names
from cmcseg.imaging.lattice import voxels_on
from cmcseg.imaging.role_checks import looks_like_ct

MOST_READ = 24  # scans of a role whose voxels are looked at; evenly spread over the data set
SAMPLED = 20_000  # labelled voxels of a scan whose intensities are kept


@dataclass(frozen=True, kw_only=True)
class RoleFacts:
    """The scans of one role.

    Attributes:
        scans, labelled: how many there are.
        ct: whether most of them look like CT.
        organ_range: 0.5 and 99.5 percentile of the intensities inside organs; None without labels.
    """

    scans: int
    labelled: int
    ct: bool
    organ_range: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class OrganFacts:
    """The voxels of one value.

    Attributes:
        scans: label maps that hold it.
        extent_mm: median length of its box along the patient's axes.
        whole: label maps in which 95 % of it are one piece.
    """

    scans: int
    extent_mm: tuple[float, float, float]
    whole: int


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """A data set in numbers; lengths along right, anterior and superior.

    Attributes:
        spacing_mm: median.
        extent_mm: median length of a scan.
        roles: by role.
        organs: by value in the files.
    """

    spacing_mm: tuple[float, float, float]
    extent_mm: tuple[float, float, float]
    roles: dict[str, RoleFacts]
    organs: dict[int, OrganFacts]


@dataclass
class _Tally:
    spacings: list = field(default_factory=list)
    extents: list = field(default_factory=list)
    organs: dict[int, list] = field(default_factory=dict)


def fingerprint(data: FoundData, report: Report = ignore) -> Fingerprint:
    """Look at a data set; every label map whose values no table names is read.

    Raises:
        BadInput: when a file cannot be read, naming the case, or nothing is labelled.
    """
    tally, roles = _Tally(), {}
    labelled = sum(len(case.labels) for case in data.cases)
    if not labelled:
        raise BadInput(f"{data.name} has no label map; a model needs some labelled scans.")
    total = sum(len(case.images) for case in data.cases)
    done = 0
    for role in data.roles:
        mine = [case for case in data.cases if role in case.images]
        chosen = _spread(mine, MOST_READ)
        ct, inside = [], []
        for case in mine:
            report(Progress(stage=f"looking at {case.id} {role}", done=done, total=total))
            done += 1
            drawn = case.labels.get(role)
            try:
                if case in chosen:
                    ct_like, values = _look(case.images[role], drawn, data, tally)
                    ct.append(ct_like)
                    inside.append(values)
                elif drawn and not data.names:
                    _count(*read_values(drawn), data.unannotated, tally)
            except BadInput as error:
                raise BadInput(f"Case {case.id}: {error}") from error
        pooled = np.concatenate(inside) if inside else np.zeros(0)
        limits = np.percentile(pooled, (0.5, 99.5)).tolist() if pooled.size else None
        roles[role] = RoleFacts(
            scans=len(mine),
            labelled=sum(role in case.labels for case in mine),
            ct=sum(ct) * 2 > len(ct),
            organ_range=(limits[0], limits[1]) if limits else None,
        )
    report(Progress(stage="looked", done=total, total=total))
    return Fingerprint(
        spacing_mm=_medians(tally.spacings),
        extent_mm=_medians(tally.extents),
        roles=roles,
        organs={
            value: OrganFacts(
                scans=len(rows),
                extent_mm=_medians([row[0] for row in rows]),
                whole=sum(row[1] for row in rows),
            )
            for value, rows in sorted(tally.organs.items())
        },
    )


def _look(
    image: Path, drawn: Path | None, data: FoundData, tally: _Tally
) -> tuple[bool, np.ndarray]:
    volume = read_volume(image)
    tally.spacings.append(_along_patient(volume.grid, volume.grid.spacing))
    tally.extents.append(_along_patient(volume.grid, volume.grid.extent))
    inside = np.zeros(0)
    if drawn:
        values = _values(drawn, data.names, volume.grid)
        _count(values, volume.grid, data.unannotated, tally)
        organ = volume.array[(values > 0) & (values != data.unannotated)]
        inside = organ[:: max(1, organ.size // SAMPLED)].astype(np.float64)
    return looks_like_ct(volume), inside


def _values(drawn: Path, names: dict[int, str], on: Grid) -> np.ndarray:
    """A label map's values in the order of its scan; Slicer's segments have those of their names.

    Raises:
        BadInput: when it cannot be read, or its voxels are not the scan's.
    """
    if not segment_names(drawn):
        return voxels_on(*read_values(drawn), on, drawn.name)
    firsts: dict[str, int] = {}
    for value, name in names.items():
        firsts.setdefault(name, value)
    labels = (Label(value=n, name=name, color="#000000") for n, name in enumerate(firsts, 1))
    table = LabelTable(labels=tuple(labels))
    return np.array([0, *firsts.values()])[read_label_map(drawn, table, on=on).array]


def _count(values: np.ndarray, grid: Grid, unannotated: int | None, tally: _Tally) -> None:
    for value in np.unique(values).tolist():
        if value in (0, unannotated):
            continue
        mask = values == value
        places = np.argwhere(mask)
        size = (np.ptp(places, axis=0) + 1) * grid.spacing
        whole = largest_piece(mask).sum() >= 0.95 * mask.sum()
        tally.organs.setdefault(int(value), []).append((_along_patient(grid, size), bool(whole)))


def _along_patient(grid: Grid, lengths: object) -> tuple[float, float, float]:
    """Lengths along i, j, k as lengths along the nearest of the patient's axes."""
    order = np.argmax(np.abs(grid.direction), axis=0)
    result = np.array(lengths, dtype=np.float64)
    if sorted(order.tolist()) == [0, 1, 2]:
        result[order] = np.array(lengths, dtype=np.float64)
    x, y, z = result.tolist()
    return x, y, z


def _medians(rows: list) -> tuple[float, float, float]:
    x, y, z = (float(median(column)) for column in zip(*rows, strict=True))
    return x, y, z


def _spread(items: list, most: int) -> list:
    if len(items) <= most:
        return items
    return [items[round(place)] for place in np.linspace(0, len(items) - 1, most)]
