"""Scans and label maps that say by their names which case, role and kind they are.

images/01_bssfp.nii.gz   labels/01_bssfp.nii.gz      or      ann_ct.nrrd   ann_ct_labels.nrrd
"""

import re
from collections import Counter
from pathlib import Path

from cmcseg.core.counted import counted
from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import IMAGES, is_junk
from cmcseg.data.found import FoundCase, FoundData

MOST_ROLES = 4
_DRAWN = r"labels?(?:tr)?|masks?|seg|segs|segmentations?|truth|gt|manual|annotations?"
_MAP = re.compile(rf"(.+?)[ ._-](?:{_DRAWN})", re.IGNORECASE)
_CASES = r"(?:patient|pat|case|subject|subj|sub|id|scan|image|img)\d*$"
_FOLDER = re.compile(rf"(?:{_DRAWN}|images?(?:tr)?|scans?)", re.IGNORECASE)


def read_named_files(
    folder: Path, roles: tuple[str, ...] = (), *, unpaired: bool = False
) -> FoundData:
    """The cases of a folder, by the names of its files.

    Args:
        folder: is searched at any depth.
        roles: words in names that are roles; empty: the words that come again and again at the
            end, or the beginning, of all names.
        unpaired: scans of two roles with the same rest of their names are two patients.

    Raises:
        BadInput: when there is no scan, or a name is given twice.
    """
    images: dict[str, Path] = {}
    maps: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name.lower().endswith(IMAGES) and not is_junk(path):
            key, is_map = _key(path.relative_to(folder))
            place = maps if is_map else images
            if key in place:
                raise BadInput(f"{path} and {place[key]} have the same name; rename one of them.")
            place[key] = path
    if lost := sorted(set(maps) - set(images)):
        raise BadInput(f"The label map {maps[lost[0]]} has no scan called {lost[0]}.")
    if not images:
        raise BadInput(f"{folder} holds no scan ({', '.join(IMAGES[:5])}).")
    wanted = {role.casefold() for role in roles}
    told = [key for key in images if wanted & {word.casefold() for word in _words(key)}]
    left = len(images) - len(told) if told else 0
    images = {key: images[key] for key in told or images}
    split = _split(list(images), tuple(role.casefold() for role in roles))
    found: dict[str, FoundCase] = {}
    for key, path in images.items():
        name, role = split[key]
        name = f"{name}_{role}" if unpaired else name
        known = found.get(name, FoundCase(id=name, images={}, labels={}))
        labels = {role: maps[key]} if key in maps else {}
        found[name] = FoundCase(
            id=name, images={**known.images, role: path}, labels={**known.labels, **labels}
        )
    order = roles or tuple(dict.fromkeys(role for _, role in split.values()))
    pairs = [case.id for case in found.values() if len(case.images) > 1]
    note = (
        f"Scans with the same rest of their names are taken for one patient ({len(pairs)} of "
        f"{len(found)}, {pairs[0]} first); if they are not, say --unpaired."
        if pairs
        else ""
    )
    return FoundData(
        name=folder.name,
        layout="files with roles in their names" if len(order) > 1 else "files of one role",
        roles=tuple(role.casefold() for role in order),
        cases=tuple(found.values()),
        notes=tuple(each for each in (note, _left_out(left, roles)) if each),
    )


def _left_out(count: int, roles: tuple[str, ...]) -> str:
    words = " or ".join(roles)
    told = f"Left out: {counted(count, 'scan')} without {words} in the name."
    return told if count else ""


def _words(key: str) -> list[str]:
    return re.split(r"[ ._-]+", key)


def _key(path: Path) -> tuple[str, bool]:
    """A scan's name, folders included, and whether the file is its label map."""
    ending = next(end for end in IMAGES if path.name.lower().endswith(end))
    stem = path.name[: -len(ending)]
    drawn = [part for part in path.parts[:-1] if re.fullmatch(_DRAWN, part, re.IGNORECASE)]
    match = _MAP.fullmatch(stem)
    parts = [part for part in path.parts[:-1] if not _FOLDER.fullmatch(part)]
    return "_".join([*parts, match[1] if match else stem]), bool(drawn or match)


def _split(keys: list[str], roles: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """The case and the role that each name tells."""
    words = {key: _words(key) for key in keys}
    if roles:
        return {key: _with_role(key, of, roles) for key, of in words.items()}
    for place in (-1, 0):
        counts = Counter(of[place].casefold() for of in words.values() if len(of) > 1)
        again = all(count > 1 for count in counts.values()) or len(keys) <= MOST_ROLES
        named = all(re.fullmatch(rf"(?!{_CASES})[a-z]+\d?", word) for word in counts)
        if 1 < len(counts) <= MOST_ROLES and sum(counts.values()) == len(keys) and again and named:
            seats = {key: of[place].casefold() for key, of in words.items()}
            rest = {k: of[:-1] if place else of[1:] for k, of in words.items()}
            return {key: ("_".join(rest[key]), role) for key, role in seats.items()}
    return {key: (key, "scan") for key in keys}


def _with_role(key: str, words: list[str], roles: tuple[str, ...]) -> tuple[str, str]:
    mine = [word for word in words if word.casefold() in roles]
    if len(roles) == 1 and not mine:
        return key, roles[0]
    if len(mine) != 1:
        raise BadInput(f"The name {key} does not say which of {', '.join(roles)} it is.")
    rest = [word for word in words if word != mine[0]]
    return "_".join(rest) or key, mine[0].casefold()
