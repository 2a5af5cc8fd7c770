"""nnU-Net's raw data sets, and the JSON lists of Decathlon and MONAI.

    Dataset700_Spleen/dataset.json  imagesTr/CASE_0000.nii.gz (a file per channel)  labelsTr/CASE.*
    dataset.json or datalist.json   {"training": [{"image": "a.nii.gz", "label": "b.nii.gz"}]}

A folder of several such data sets, one per role, is one data set whose cases join by their name.
"""

import re
from pathlib import Path

from cmcseg.core.counted import counted
from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import IMAGES
from cmcseg.core.json_file import read_json
from cmcseg.data.found import FoundCase, FoundData
from cmcseg.data.label_regions import read_label_table

DATASET = "dataset.json"
SIDES = {None: ("imagesTr", "labelsTr"), True: ("imagesTs", "labelsTs")}
_NUMBERED = re.compile(r"(?:Dataset|Task)\d{2,4}_(.+)")


def role_word(text: str) -> str:
    """A channel's name as a role: small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_") or "scan"


def read_dataset_folder(folder: Path) -> FoundData | None:
    """What a folder holds that is, or holds, data sets with a ``dataset.json``; None: none.

    Raises:
        BadInput: when one of them cannot be used.
    """
    if (folder / DATASET).is_file():
        return _one(folder)
    parts = sorted(place for place in folder.iterdir() if (place / DATASET).is_file())
    return _joined([_one(place) for place in parts], folder) if parts else None


def read_list(path: Path) -> FoundData:
    """A Decathlon or MONAI list; ``fold`` 0 is kept back where nothing else is.

    Raises:
        BadInput: when it lists no case with an ``image``.
    """
    content = _content(path)
    channels = _channels(content)
    table = read_label_table(content.get("labels"), path.name)
    cases, seen = [], set()
    kept_apart = bool(content.get("validation"))
    for key in ("training", "validation"):
        for entry in content.get(key) or ():
            if not isinstance(entry, dict) or "image" not in entry:
                raise BadInput(f"{path.name}: a case under {key!r} has no 'image'.")
            images = _paths(path.parent, entry["image"])
            labels = _paths(path.parent, entry.get("label"))
            roles = channels if len(channels) == len(images) else _numbered(len(images))
            seen.add(roles)
            folds = None if kept_apart or "fold" not in entry else entry["fold"] == 0
            cases.append(
                FoundCase(
                    id=_stem(images[0]),
                    images=dict(zip(roles, images, strict=True)),
                    labels=dict(zip(roles, labels * len(roles), strict=False)) if labels else {},
                    validation=key == "validation" if kept_apart else folds,
                )
            )
    if not cases:
        raise BadInput(f"{path.name} lists no case under 'training' or 'validation'.")
    left = len(content.get("test") or ())
    test = f"{counted(left, 'scan')} under 'test' left out, to stay unseen." if left else ""
    return FoundData(
        name=str(content.get("name") or path.parent.name),
        layout="a Decathlon or MONAI list",
        roles=max(seen, key=len),
        cases=tuple(cases),
        names=table.names,
        unannotated=table.ignored,
        notes=tuple(note for note in (table.note, test) if note),
    )


def _one(folder: Path) -> FoundData:
    """One data set: nnU-Net's own layout where there are numbered channels, else a list."""
    content = _content(folder / DATASET)
    training = content.get("training")
    numbered = any(_channel(path) for path in (folder / "imagesTr").glob("*"))
    if isinstance(training, list) and training and not numbered:
        return read_list(folder / DATASET)
    roles = _channels(content)
    table = read_label_table(content.get("labels"), DATASET, content.get("regions_class_order"))
    cases = []
    for validation, (images, labels) in SIDES.items():
        found: dict[str, dict[str, Path]] = {}
        for path in sorted((folder / images).glob("*")):
            if channel := _channel(path):
                name, number = channel
                if number >= len(roles):
                    raise BadInput(f"{path} is of a channel that {DATASET} does not name.")
                found.setdefault(name, {})[roles[number]] = path
        maps = {_stem(path): path for path in sorted((folder / labels).glob("*")) if _is(path)}
        for name, each in found.items():
            drawn = dict.fromkeys(each, maps[name]) if name in maps else {}
            if validation and not drawn:
                continue  # a test set without truth has nothing to say
            cases.append(FoundCase(id=name, images=each, labels=drawn, validation=validation))
    if not cases:
        raise BadInput(
            f"{folder} has no scan in imagesTr whose name ends in _0000, as nnU-Net's have."
        )
    match = _NUMBERED.fullmatch(folder.name)
    return FoundData(
        name=match[1] if match else folder.name,
        layout="an nnU-Net data set",
        roles=roles,
        cases=tuple(cases),
        names=table.names,
        unannotated=table.ignored,
        notes=(table.note,) if table.note else (),
    )


def _joined(parts: list[FoundData], folder: Path) -> FoundData:
    """Data sets of one role each as one of several roles."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    by_channel = len({part.roles for part in parts}) == len(parts)
    roles: list[str] = []
    cases: dict[str, FoundCase] = {}
    for part in parts:
        if len(part.roles) != 1 or part.names != first.names:
            raise BadInput(
                f"The data sets in {folder} do not go together: each must have one channel, and "
                "all the same labels; make a task of one of them."
            )
        role = part.roles[0] if by_channel else role_word(part.name)
        roles.append(role)
        for case in part.cases:
            known = cases.get(case.id, FoundCase(id=case.id, images={}, labels={}))
            cases[case.id] = FoundCase(
                id=case.id,
                images={**known.images, role: next(iter(case.images.values()))},
                labels={**known.labels, **dict(zip([role], case.labels.values(), strict=False))},
                validation=case.validation or known.validation,
            )
    marks = {part.unannotated for part in parts} - {None}
    return FoundData(
        name=folder.name,
        layout="nnU-Net data sets, one per role",
        roles=tuple(roles),
        cases=tuple(cases.values()),
        names=first.names,
        unannotated=marks.pop() if marks else None,
        notes=first.notes,
    )


def _content(path: Path) -> dict:
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path} must be a JSON object.")
    return content


def _channels(content: dict) -> tuple[str, ...]:
    named = content.get("channel_names") or content.get("modality") or {"0": "scan"}
    if isinstance(named, str):
        named = {"0": named}
    if not isinstance(named, dict):
        raise BadInput(f'{DATASET}: the channels must be named as in {{"0": "CT"}}.')
    roles = tuple(role_word(str(named[key])) for key in sorted(named, key=str))
    return roles if len(set(roles)) == len(roles) else _numbered(len(roles))


def _numbered(count: int) -> tuple[str, ...]:
    return ("scan",) if count == 1 else tuple(f"scan{number}" for number in range(1, count + 1))


def _channel(path: Path) -> tuple[str, int] | None:
    """The case and the channel that a name like CASE_0001.nii.gz tells."""
    match = re.fullmatch(r"(.+)_(\d{4})", _stem(path)) if _is(path) else None
    return (match[1], int(match[2])) if match else None


def _paths(root: Path, value: object) -> list[Path]:
    if value is None:
        return []
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) and each for each in values):
        raise BadInput(f"{value!r} was given where the path of a file was wanted.")
    return [root / str(each) for each in values]


def _is(path: Path) -> bool:
    return path.name.lower().endswith(IMAGES) and not path.name.startswith(".")


def _stem(path: Path) -> str:
    name = path.name
    ending = next((end for end in IMAGES if name.lower().endswith(end)), "")
    return name[: len(name) - len(ending)]
