"""Versions of a model: adopting is one switch, going back is another, nothing is lost.

Every adoption makes a version of its own, even of weights that were adopted before: what was said
at each of them stays. Where versions lie, ``version_line`` says.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from cmcseg.bundle.adoption import (
    CANDIDATE,
    adoption_record,
    check_adoption,
    next_version,
    verdict_of,
)
from cmcseg.bundle.folders import delete_folder
from cmcseg.bundle.store import Store
from cmcseg.bundle.untaught import taught
from cmcseg.bundle.verify import read_card, read_folder, verify
from cmcseg.bundle.version_line import BASE, VersionLine, home_of, locked, read_line, write_line
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a model.

    Attributes:
        name: ``base``, or 16 hexadecimal digits that tell the adoption.
        card: what it promises; ``history`` says how it came about. None when it cannot be read.
        in_use: whether ``Store.find`` gives this one.
        damage: one sentence when a byte of it is not as it was written, else empty.
    """

    name: str
    card: ModelCard | None
    in_use: bool
    damage: str = ""

    def to_dict(self) -> dict:
        """JSON-ready: the last change record, and what tells versions apart."""
        card = self.card
        return {
            "name": self.name,
            "version": card.version if card else "",
            "sha256": card.sha256 if card else "",
            "parent": card.parent if card else "",
            "in_use": self.in_use,
            "change": card.history[-1] if card and card.history else {},
            "damage": self.damage,
        }


def history(store: Store, model: str) -> list[Version]:
    """All versions of a model, oldest first; every byte of them is checked.

    A damaged version is listed with a word about it, and hides none of the others.

    Raises:
        BadInput: when there is no such model.
    """
    line = _line(store, model)
    return [_version(store, model, line, name) for name in line.versions]


def adopt(store: Store, model: str, run: Path, *, overrule: str = "") -> Version:
    """Use the candidate of a fine-tuning from now on, under a number that no version had before.

    Args:
        store: where the model is known.
        model: its name.
        run: folder of the fine-tuning.
        overrule: why to adopt it although the verdict is not ``adopt``; kept for ever.

    Raises:
        BadInput: when the verdict is against it and no reason is given, when it does not belong to
            these weights or does not follow from its own numbers, when there is no candidate, or
            when that came from another version than the one in use.
    """
    from cmcseg.bundle.load import load_bundle  # torch is needed from here on
    from cmcseg.bundle.pack import save_bundle

    verdict = verdict_of(run)
    candidate = load_bundle(run / CANDIDATE)
    home = home_of(store.user, model)
    with locked(home):
        used, line = store.card(model), _line(store, model)
        check_adoption(verdict, candidate.card, used, model, run, overrule)
        record = adoption_record(verdict, run, overrule)
        given = {*line.given, *_numbers(store, model, line)}
        number = next_version(used.version)
        while number in given:
            number = next_version(number)
        card = replace(
            taught(used, len(verdict["learned_from"])),
            version=number,
            network=candidate.card.network,
            corrected=candidate.card.corrected,
            parent=used.sha256,
            measured={},
            history=(*used.history, record),
        )
        name = _id(record, candidate.card.sha256)
        # Weights that were half precision once are so again without a change of a bit.
        save_bundle(candidate.network.state_dict(), card, home / name)
        after = VersionLine(
            versions=(*line.versions, name),
            in_use=len(line.versions),
            given=tuple(sorted({*given, number})),
        )
        write_line(home, line, after)
    return _version(store, model, after, name, check=False)


def rollback(store: Store, model: str, to: str = "") -> Version:
    """Use the version that the one in use was made from, if that is there and whole.

    Else, or where the one in use is so damaged that it cannot tell, the nearest whole version
    before it is used.

    Args:
        store: where the model is known.
        model: its name.
        to: name of the version to use instead, one that came later perhaps.

    Raises:
        BadInput: when the one in use is the first, or no earlier version is whole; when there is no
            version ``to``, or it is damaged.
    """
    home = home_of(store.user, model)
    with locked(home):
        line = _line(store, model)
        found = _named(store, model, line, to) if to else _before(store, model, line)
        write_line(home, line, replace(line, in_use=line.versions.index(found.name)))
    return replace(found, in_use=True)


def spare(store: Store, model: str) -> list[Version]:
    """The versions that ``prune`` would delete: all but the first and the one in use.

    Raises:
        BadInput: when there is no such model.
    """
    line = _line(store, model)
    names = [name for name in line.versions if name not in (BASE, line.name)]
    return [_version(store, model, line, name, check=False) for name in names]


def prune(store: Store, model: str) -> list[Version]:
    """Delete the ``spare`` versions for good; what was said at their adoption goes with them.

    They leave the line first, so that it never names a version that is half there.

    Returns:
        Those that are gone.

    Raises:
        BadInput: when there is no such model, or when the disk refuses.
    """
    home = home_of(store.user, model)
    with locked(home):
        line, gone = _line(store, model), spare(store, model)
        if gone:
            kept = tuple(dict.fromkeys((BASE, line.name)))
            given = tuple(sorted({*line.given, *_numbers(store, model, line)}))
            write_line(home, line, VersionLine(versions=kept, in_use=len(kept) - 1, given=given))
        for version in gone:
            if (home / version.name).exists():
                delete_folder(home / version.name)
    return gone


def _line(store: Store, model: str) -> VersionLine:
    store.find(model)
    return read_line(home_of(store.user, model))


def _named(store: Store, model: str, line: VersionLine, name: str) -> Version:
    """A whole version by its name."""
    if name not in line.versions:
        raise BadInput(f"There is no such version of {model}; see 'cmcseg models history {model}'.")
    found = _version(store, model, line, name)
    if found.damage:
        raise BadInput(f"That version of {model} is damaged and stays out of use: {found.damage}")
    return found


def _before(store: Store, model: str, line: VersionLine) -> Version:
    """The version to go back to where none is named."""
    if line.in_use == 0:
        raise BadInput(f"There is no version of {model} before the one in use.")
    names = list(reversed(line.versions[: line.in_use]))
    used = _version(store, model, line, line.name)
    if used.card and not used.damage:
        parent = used.card.parent
        cards = {name: _version(store, model, line, name, check=False).card for name in names}
        sums = {name: card.sha256 for name, card in cards.items() if card}
        names.sort(key=lambda name: sums.get(name) != parent)  # its parent first
    found = (_version(store, model, line, name) for name in names)
    to = next((version for version in found if not version.damage), None)
    if to is None:
        raise BadInput(f"Every version of {model} before the one in use is damaged.")
    return to


def _folder(store: Store, model: str, name: str) -> Path:
    return store.base(model) if name == BASE else home_of(store.user, model) / name


def _version(
    store: Store, model: str, line: VersionLine, name: str, *, check: bool = True
) -> Version:
    """One version; ``check`` looks at every byte of it, else its card alone is read."""
    card, damage = None, ""
    try:
        folder = _folder(store, model, name)
        card = read_card(folder)
        if check:
            verify(read_folder(folder), str(folder))
    except BadInput as error:
        damage = str(error)
    return Version(name=name, card=card, in_use=name == line.name, damage=damage)


def _numbers(store: Store, model: str, line: VersionLine) -> set[str]:
    """The version numbers of the models that are there; lines of earlier programs list none."""
    found = (_version(store, model, line, name, check=False).card for name in line.versions)
    return {card.version for card in found if card}


def _id(record: dict, sha256: str) -> str:
    """Of an adoption: what was said, when, and about which weights."""
    text = json.dumps([record, sha256], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
