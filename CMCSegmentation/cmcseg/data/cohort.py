"""Reading a cohort: a Decathlon/MONAI-style datalist with a key per role.

    {"name": "my abdomen", "task": "abdomen", "unannotated": 255,
     "training":   [{"id": "a", "ct": "a_ct.nii.gz", "ct_labels": "a_ct_labels.nii.gz",
                     "mr": "a_mr.nii.gz", "mr_scribbles": "a_mr_marks.nii.gz"}],
     "validation": [{"id": "b", "ct": "b_ct.nii.gz", "ct_labels": "b.nii.gz",
                     "ct_organs": ["liver"]}]}

Paths are relative to the file. A role without ``_labels`` or ``_scribbles`` is unlabelled;
``_organs`` says which organs a partial label map covers. A table "labels", as in
``{"1": "spleen", "4": "liver"}`` or ``{"spleen": 1, "liver": 4}``, says what values mean in the
files; without it they mean what the model's own table says. ``{"kidneys": [2, 3]}`` makes one organ
of several values; a value called "ignore" is one that nobody looked at, and one called "background"
an organ that is not to be learned.

A case may also say ``image`` and ``label`` as those of Decathlon and MONAI do: a file for a model
of one role, a list in the order of the roles for others; ``fold`` is not looked at.
"""

import json
import re
from pathlib import Path

from cmcseg.core.card import ModelCard
from cmcseg.core.case import Cohort, Pair, Scan
from cmcseg.core.counted import counted
from cmcseg.core.errors import BadInput
from cmcseg.core.user_path import user_path
from cmcseg.data.label_regions import read_label_table

_SUFFIXES = ("labels", "scribbles", "organs")
FOREIGN = ("image", "label", "fold")  # of Decathlon and MONAI


def read_cohort(path: Path, card: ModelCard) -> Cohort:
    """Read a datalist for a task or model.

    Args:
        path: the JSON file.
        card: gives the roles and the organs.

    Raises:
        BadInput: with the entry and the key that cannot be used, or the file that is missing.
    """
    content = read_datalist(path)
    try:
        return Cohort(
            name=str(content.get("name", path.stem)),
            roles=card.roles,
            table=card.table,
            train=_pairs(content, "training", path, card),
            validation=_pairs(content, "validation", path, card),
            unannotated=_unannotated(content, path),
            names=_names(content, path),
        )
    except ValueError as error:
        raise BadInput(f"{path.name}: {error}") from error


def read_datalist(path: Path) -> dict:
    """The raw JSON object of a cohort file; BadInput when there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"The cohort {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise BadInput(f"The cohort {path} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise BadInput(f"The cohort {path} must be a JSON object with a list 'training'.")
    if not content.get("training") and not content.get("validation"):
        raise BadInput(f"The cohort {path} lists no case under 'training' or 'validation'.")
    return content


def _pairs(content: dict, key: str, path: Path, card: ModelCard) -> tuple[Pair, ...]:
    entries = content.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadInput(f"{path.name}: {key!r} must be a list of objects, one per case.")
    return tuple(
        _pair(entry, f"{key}_{number:03d}", path.parent, card)
        for number, entry in enumerate(entries)
    )


def _unannotated(content: dict, path: Path) -> int:
    value = content.get("unannotated", 255)
    if not isinstance(value, int) or not 0 <= value <= 255:
        raise BadInput(f"{path.name}: 'unannotated' is {value!r}, not a number from 0 to 255.")
    return value


def _names(content: dict, path: Path) -> dict[int, str]:
    """Names by value; that of voxels that nobody looked at is one of them."""
    table = read_label_table(content.get("labels"), path.name, content.get("regions_class_order"))
    return table.names | ({} if table.ignored is None else {table.ignored: "ignore"})


def _by_role(entry: dict, roles: tuple[str, ...], name: str) -> dict:
    """A case with a key per role; ``image`` and ``label``, as Decathlon and MONAI say, are turned.

    Where both stand, as in what the queue exports, the roles' own keys count.
    """
    own = {key: value for key, value in entry.items() if key not in FOREIGN}
    if "image" not in entry or any(role in entry for role in roles):
        return own
    for key, suffix in (("image", ""), ("label", "_labels")):
        given = entry.get(key)
        files = given if isinstance(given, list) else [] if given is None else [given]
        if len(files) not in ((0, 1, len(roles)) if suffix else (len(roles),)):
            raise BadInput(
                f"Case {name} gives {counted(len(files), 'file')} as {key!r}; the roles are "
                f"{', '.join(roles)}, so give a list of {len(roles)}, or a key per role."
            )
        files = files * len(roles) if len(files) == 1 else files
        own |= {f"{role}{suffix}": file for role, file in zip(roles, files, strict=False)}
    return own


def _pair(entry: dict, default: str, root: Path, card: ModelCard) -> Pair:
    name = str(entry.get("id", default))
    if not re.fullmatch(r"[^/\\:\x00]+", name) or name.startswith("."):
        raise BadInput(f"The case id {name!r} cannot be part of a file's name; rename the case.")
    entry = _by_role(entry, card.roles, name)
    known = {"id", *card.roles, *(f"{r}_{s}" for r in card.roles for s in _SUFFIXES)}
    if strange := sorted(set(entry) - known):
        raise BadInput(
            f"Case {name} has the unknown key {strange[0]!r}; "
            f"known are id, {', '.join(card.roles)} and each role with "
            f"{', '.join('_' + s for s in _SUFFIXES)}."
        )
    names = {label.name for label in card.table}
    scans = {}
    for role in card.roles:
        if role not in entry:
            if lost := sorted(key for key in entry if key.startswith(f"{role}_")):
                raise BadInput(f"Case {name} has {lost[0]!r} but no {role!r} to go with it.")
            continue
        organs = entry.get(f"{role}_organs", [])
        if not isinstance(organs, list) or not all(isinstance(organ, str) for organ in organs):
            raise BadInput(f"Case {name} gives {organs!r} as organs; give a list of their names.")
        if strange := set(organs) - names:
            raise BadInput(f"Case {name} names the unknown organ {sorted(strange)[0]!r}.")
        scans[role] = Scan(
            role=role,
            image=_existing(root, entry[role], name),
            labels=_existing(root, entry.get(f"{role}_labels"), name),
            scribbles=_existing(root, entry.get(f"{role}_scribbles"), name),
            organs=tuple(organs),
        )
    return Pair(id=name, scans=scans)


def _existing(root: Path, value: object, case: str) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise BadInput(f"Case {case} gives {value!r} where the path of a file was wanted.")
    path = root / user_path(value)
    if not path.exists():
        raise BadInput(f"Case {case} points to {path}, which does not exist.")
    return path
