"""Making the cache: every scan once on its working grid, normalised, as plain numpy."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.card import ModelCard
from cmcseg.core.case import Cohort, Pair, Scan
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.core.scan_traits import traits_of
from cmcseg.core.volume import Volume
from cmcseg.core.whole_folder import fresh_folder
from cmcseg.data.cache import INDEX, Cache, open_cache
from cmcseg.data.repeated_slices import repeated_slices, without
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.imaging.intensity import normalise
from cmcseg.imaging.resample import (
    field_of_view,
    resample,
    resample_labels,
    resample_scribbles,
    working_grid,
)
from cmcseg.imaging.scan_checksum import scan_checksum

FAR_MM = 11.0  # between two slices from which nothing is learned in their gap


def prepare(cohort: Cohort, card: ModelCard, folder: Path, report: Report = ignore) -> Cache:
    """Read, normalise and resample a whole cohort into ``folder``.

    Slices whose truth only repeats that of the slice beside them are not learned from.

    The folder appears only when all is done.

    Raises:
        BadInput: when a scan cannot be used (the case is named), the folder exists or cannot be
            written.
    """
    with fresh_folder(folder, "The cache") as draft:
        rows: list[dict] = []
        total = len(cohort.train) + len(cohort.validation)
        for split, pairs in (("train", cohort.train), ("validation", cohort.validation)):
            for pair in pairs:
                report(Progress(stage=f"preparing {pair.id}", done=_cases(rows), total=total))
                rows += _prepare_pair(pair, split, cohort, card, draft)
                _refuse_both_sides(rows)
        index = {"format": 1, "cohort": cohort.name, "card": card.to_dict(), "scans": rows}
        write_whole(draft / INDEX, json.dumps(index, indent=1))
    report(Progress(stage="prepared", done=total, total=total))
    return open_cache(folder)


def check_still(cache: Cache, cohort: Cohort, card: ModelCard) -> None:
    """Refuse a cache that was prepared before its cohort or task was edited.

    Raises:
        BadInput: saying which of them has changed.
    """
    held = {(s.pair, s.role, s.split, s.labels is not None) for s in cache.scans if not s.phantom}
    wanted = {
        (pair.id, role, split, scan.annotation is not None)
        for split, pairs in (("train", cohort.train), ("validation", cohort.validation))
        for pair in pairs
        for role, scan in pair.scans.items()
    }
    if cache.card != card or held != wanted:
        changed = "the task" if cache.card != card else "the list of cases"
        raise BadInput(
            f"{cache.folder} was prepared before {changed} was changed; give another place for "
            "the run, or delete that folder to prepare it anew."
        )


def _refuse_both_sides(rows: list[dict]) -> None:
    """What is learned from proves nothing, whatever it is called."""
    first: dict[str, dict] = {}
    for row in rows:
        known = first.setdefault(row["checksum"], row)
        if known["split"] != row["split"]:
            raise BadInput(
                f"The {row['role']} scan of {row['pair']} ({row['split']}) is the same as the "
                f"{known['role']} scan of {known['pair']} ({known['split']}), so that a model "
                "would be measured on what it has learned; take one of them out."
            )
        if known["pair"] == row["pair"] and known is not row:
            raise BadInput(
                f"Case {row['pair']}: the same scan was given as {known['role']} and as "
                f"{row['role']}; give two scans, or one."
            )


def _cases(rows: list[dict]) -> int:
    return len({row["pair"] for row in rows})


def _prepare_pair(
    pair: Pair, split: str, cohort: Cohort, card: ModelCard, folder: Path
) -> list[dict]:
    """Write the arrays of one pair; the scans share a working grid, aligned by their headers."""
    try:
        volumes = {role: read_volume(scan.image) for role, scan in pair.scans.items()}
        grid = working_grid(card.grid, [volume.grid for volume in volumes.values()])
        rows = []
        for role, volume in volumes.items():
            scan = pair.scans[role]
            stem = f"{pair.id}_{role}"
            normal = normalise(volume, card.input(role))
            image = resample(normal, volume.grid, grid, fill=float(normal.min()))
            np.save(folder / f"{stem}_image.npy", image.astype(np.float16))
            labels, repeated = _labels(scan, volume, grid, cohort, drop=split == "train")
            if labels is not None:
                np.save(folder / f"{stem}_labels.npy", labels)
            known = [not scan.organs or label.name in scan.organs for label in card.table]
            rows.append(
                {
                    "pair": pair.id,
                    "role": role,
                    "split": split,
                    "image": f"{stem}_image.npy",
                    "labels": None if labels is None else f"{stem}_labels.npy",
                    "known": [True, *known],
                    "dense": scan.labels is not None,
                    "repeated": repeated,
                    "checksum": scan_checksum(volume),
                    "traits": traits_of(volume).to_dict(),
                    "grid": grid.to_dict(),
                }
            )
    except BadInput as error:
        raise BadInput(f"Case {pair.id}: {error}") from error
    return rows


def _labels(
    scan: Scan, volume: Volume, grid: Grid, cohort: Cohort, *, drop: bool
) -> tuple[np.ndarray | None, int]:
    """Labels on the working grid, and how many slices of the truth repeat the one beside them."""
    if scan.annotation is None:
        return None, 0
    own = volume.grid
    label_map = read_label_map(scan.annotation, cohort.table, cohort.unannotated, cohort.names, own)
    if scan.labels is None:
        return resample_scribbles(label_map, grid), 0
    repeated = repeated_slices(label_map.array, volume.array, own)
    if drop:
        label_map = replace(label_map, array=without(label_map.array, repeated, own))
    labels = resample_labels(label_map, grid)
    labels[~field_of_view(own, grid)] = UNANNOTATED
    if drop:
        labels[_between_far_slices(own, grid)] = UNANNOTATED
    return labels, len(repeated)


def _between_far_slices(own: Grid, grid: Grid) -> np.ndarray:
    """Voxels of the working grid between slices that lie too far apart to say what is there."""
    axis = int(np.argmax(own.spacing))
    if own.spacing[axis] < FAR_MM:
        return np.zeros(grid.shape, dtype=bool)
    row = (np.linalg.inv(own.affine) @ grid.affine)[axis]
    i, j, k = np.ogrid[tuple(slice(n) for n in grid.shape)]
    slice_IJK = row[0] * i + row[1] * j + row[2] * k + row[3]
    away_mm = np.abs(slice_IJK - np.round(slice_IJK)) * own.spacing[axis]
    return away_mm > max(grid.spacing) / 2
