"""Any data set into the two files of a task: what is to be learned, and from which scans."""

import hashlib
from dataclasses import replace
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.slug import slug
from cmcseg.core.user_path import user_path
from cmcseg.data.dataset_folders import read_dataset_folder, read_list
from cmcseg.data.decide import Decided
from cmcseg.data.found import FoundCase, FoundData
from cmcseg.data.named_files import read_named_files
from cmcseg.imaging.files import segment_names
from cmcseg.imaging.label_names import BACKGROUND

TASK, COHORT = "task.json", "cohort.json"


def look_at(place: Path, roles: tuple[str, ...] = (), *, unpaired: bool = False) -> FoundData:
    """A data set in whatever layout it has.

    Args:
        place: a folder, or the JSON list of one.
        roles: in place of the names that the layout gives; for files, words in their names.
        unpaired: for files, whether equal names in two roles are two patients.

    Raises:
        BadInput: when nothing is found, or roles do not fit.
    """
    place = user_path(place)
    if not place.exists():
        raise BadInput(f"{place} is not there; give a folder of scans or a JSON list of them.")
    data = read_list(place) if place.is_file() else read_dataset_folder(place)
    if data is None:
        return _with_segments(read_named_files(place, roles, unpaired=unpaired))
    return _with_segments(_renamed(data, roles) if roles else data)


def task_name(data: FoundData) -> str:
    """A name that a model may have."""
    return slug(data.name)[:64].strip("-") or "task"


def own_names(words: tuple[str, ...]) -> dict[int, str]:
    """``7=liver`` and the like as names by value.

    Raises:
        BadInput: for any other word.
    """
    names = {}
    for word in words:
        value, equals, name = word.partition("=")
        if not equals or not value.isdigit() or not name.strip():
            raise BadInput(f"{word!r} is not VALUE=NAME, as in 7=liver.")
        names[int(value)] = name.strip()
    return names


def cohort_content(data: FoundData, task: Decided, share: float) -> tuple[dict, str]:
    """What ``cohort.json`` says, and why which cases are kept back.

    Args:
        data: the data set.
        task: with the names of its values.
        share: of the labelled cases that is kept back where the data set does not say.
    """
    kept, why = _kept_back(data.cases, share)
    table = [label.name for label in task.card.table]
    names = dict(zip(task.values, table, strict=True)) | {
        value: name for value, name in data.names.items() if name in (*table, BACKGROUND)
    }
    labels: dict[str, object] = {str(value): name for value, name in sorted(names.items())}
    if data.unannotated is not None:
        labels[str(data.unannotated)] = "ignore"
    rows: dict[bool, list[dict]] = {False: [], True: []}
    for case in data.cases:
        row: dict[str, str] = {"id": case.id}
        for role, image in case.images.items():
            row[role] = str(image.resolve())
            if role in case.labels:
                row[f"{role}_labels"] = str(case.labels[role].resolve())
        rows[case.id in kept].append(row)
    content = {"name": data.name, "task": TASK, "labels": labels}
    return {**content, "training": rows[False], "validation": rows[True]}, why


def _kept_back(cases: tuple[FoundCase, ...], share: float) -> tuple[set[str], str]:
    if kept := {case.id for case in cases if case.validation}:
        return kept, "as the data set says"
    drawn = [case.id for case in cases if case.labels]
    count = min(max(1, round(share * len(drawn))), len(drawn) - 1) if share else 0
    by_chance = sorted(drawn, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return set(by_chance[:count]), f"{count} of {len(drawn)} labelled cases, drawn by their names"


def _with_segments(data: FoundData) -> FoundData:
    """The same with the names that 3D Slicer's segmentations give, where nothing else names any."""
    maps = {path for case in data.cases for path in case.labels.values()}
    named = {path: segment_names(path) for path in sorted(maps)}
    found = dict.fromkeys(name for names in named.values() for name in names)
    if data.names or not found:
        return data
    if plain := [path for path, names in named.items() if not names]:
        raise BadInput(
            f"{plain[0].name} has numbers where other label maps have the named segments of 3D "
            "Slicer; save all of them as one or the other."
        )
    return replace(data, names=dict(enumerate(found, 1)))


def _renamed(data: FoundData, roles: tuple[str, ...]) -> FoundData:
    if len(roles) != len(data.roles):
        raise BadInput(
            f"{data.name} has the roles {', '.join(data.roles)}; give {len(data.roles)} names."
        )
    new = dict(zip(data.roles, roles, strict=True))
    cases = tuple(
        replace(
            case,
            images={new[role]: path for role, path in case.images.items()},
            labels={new[role]: path for role, path in case.labels.items()},
        )
        for case in data.cases
    )
    return replace(data, roles=roles, cases=cases)
