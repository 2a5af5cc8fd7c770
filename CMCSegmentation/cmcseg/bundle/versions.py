"""Versions of a model: adopting is one switch, going back is another, nothing is lost.

    USER/.versions/NAME/line.json    which versions there are, in order, and which one is in use
    USER/.versions/NAME/ID/          an adopted version, a whole model of its own
    USER/.versions/.NAME.HEX/        all that once belonged to a model that was removed

The first version is ``base``: the model that was shipped or imported; it is never touched. Every
adoption makes a version of its own, even of weights that were adopted before: what was said at each
of them stays.
``line.json`` is replaced in one step, so at every moment it names a version that is whole.
"""

import hashlib
import json
import os
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from cmcseg.bundle.store import Store, delete
from cmcseg.bundle.verdict import ADOPT, read_verdict
from cmcseg.bundle.verify import check_name, read_card, read_folder, verify
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput

FOLDER, LINE, BASE = ".versions", "line.json", "base"
CANDIDATE, PLAN = "candidate", "plan.json"


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
    names, at = _line(store, model)
    return [_version(store, model, name, number == at) for number, name in enumerate(names)]


def adopt(store: Store, model: str, run: Path, *, overrule: str = "") -> Version:
    """Use the candidate of a fine-tuning from now on.

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

    verdict = read_verdict(run)
    if not (run / CANDIDATE).exists():
        raise BadInput(f"The fine-tuning in {run} made no new model ({verdict['reason']})")
    candidate = load_bundle(run / CANDIDATE)
    used = store.card(model)
    if verdict.get("sha256") != candidate.card.sha256 or verdict.get("model") != model:
        raise BadInput(f"The verdict in {run} does not belong to its candidate; fine-tune again.")
    if verdict.get("parent") != used.sha256:
        raise BadInput(
            f"The candidate in {run} was made from another version of {model} than the one in use; "
            "fine-tune again."
        )
    if verdict["verdict"] != ADOPT and not overrule.strip():
        raise BadInput(
            f"The comparison does not speak for the new model ({verdict['reason']}) Give a reason "
            "with --overrule, or keep the old one."
        )
    record = {
        "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "changed": f"Fine-tuned on {len(verdict['learned_from'])} corrected pairs.",
        "learned_from": verdict["learned_from"],
        "taught": verdict["taught"],
        "tested": f"{verdict['verdict']}: {verdict['reason']}",
        "compared_on": verdict["compared_on"],
        "organs": verdict["organs"],
        "fresh": verdict["fresh"],
        "settings": _settings(run),
        "may_affect": "All organs of all scans; look at the first results with care.",
        "overruled_because": overrule.strip(),
    }
    card = replace(
        used,
        version=_next(used.version),
        parent=used.sha256,
        measured={},
        history=(*used.history, record),
    )
    name = _id(record, candidate.card.sha256)
    # Weights that were half precision once are so again without a change of a bit.
    save_bundle(candidate.network.state_dict(), card, _home(store, model) / name)
    names, _ = _line(store, model)
    _switch(store, model, [*names, name], len(names))
    return history(store, model)[-1]


def rollback(store: Store, model: str) -> Version:
    """Use the version that the one in use was made from, if that is there and whole.

    Else, or where the one in use is so damaged that it cannot tell, the nearest whole version
    before it is used.

    Raises:
        BadInput: when the one in use is the first, or no earlier version is whole.
    """
    names, at = _line(store, model)
    if at == 0:
        raise BadInput(f"There is no version of {model} before the one in use.")
    versions = history(store, model)
    before = [version for version in reversed(versions[:at]) if not version.damage]
    if not before:
        raise BadInput(f"Every version of {model} before the one in use is damaged.")
    used = versions[at]
    parents = [v for v in before if not used.damage and v.card.sha256 == used.card.parent]
    to = (parents or before)[0]
    _switch(store, model, names, names.index(to.name))
    return replace(to, in_use=True)


def spare(store: Store, model: str) -> list[Version]:
    """The versions that ``prune`` would delete: all but the first and the one in use.

    Raises:
        BadInput: as ``history`` does.
    """
    return [v for v in history(store, model) if v.name != BASE and not v.in_use]


def prune(store: Store, model: str) -> list[Version]:
    """Delete the ``spare`` versions for good; what was said at their adoption goes with them.

    They leave the line first, so that it never names a version that is half there.

    Returns:
        Those that are gone.

    Raises:
        BadInput: as ``history`` does, or when the disk refuses.
    """
    gone = spare(store, model)
    if not gone:
        return gone
    kept = [v for v in history(store, model) if v not in gone]
    at = next(number for number, version in enumerate(kept) if version.in_use)
    _switch(store, model, [version.name for version in kept], at)
    for version in gone:
        folder = _folder(store, model, version.name)
        if folder.exists():
            delete(folder)
    return gone


def set_aside(store: Store, model: str) -> Path | None:
    """Take a model's versions out of sight, for when the model itself goes or another one comes.

    Returns:
        Where they lie now, for the user to keep or delete; None when there were none.

    Raises:
        BadInput: when the disk refuses.
    """
    home = _home(store, model)
    if not home.exists():
        return None
    aside = home.with_name(f".{model}.{secrets.token_hex(4)}")  # no model is called so
    try:
        home.rename(aside)
    except OSError as error:
        raise BadInput(f"{home} cannot be moved: {error.strerror}.") from error
    return aside


def version_folder(store: Store, model: str) -> Path | None:
    """Where the adopted version in use lies; None when the base is in use."""
    names, at = _read_line(_home(store, model) / LINE)
    return None if names[at] == BASE else _home(store, model) / names[at]


def _version(store: Store, model: str, name: str, in_use: bool) -> Version:
    card = None
    try:
        folder = _folder(store, model, name)
        card = read_card(folder)
        verify(read_folder(folder), str(folder))
    except BadInput as error:
        return Version(name=name, card=card, in_use=in_use, damage=str(error))
    return Version(name=name, card=card, in_use=in_use)


def _settings(run: Path) -> dict:
    """How long it learned and from which seed, as the run's plan says; empty when it has none."""
    try:
        plan = json.loads((run / PLAN).read_text(encoding="utf-8"))
        return {name: plan[name] for name in ("minutes", "seed")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _line(store: Store, model: str) -> tuple[list[str], int]:
    store.find(model)
    return _read_line(_home(store, model) / LINE)


def _read_line(path: Path) -> tuple[list[str], int]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        names, at = [str(name) for name in value["versions"]], int(value["in_use"])
        if names[0] != BASE or not 0 <= at < len(names):
            raise ValueError("it names no version")
        for name in names[1:]:
            if len(name) != 16 or not set(name) <= set("0123456789abcdef"):
                raise ValueError(f"{name!r} is no version")
    except FileNotFoundError:
        return [BASE], 0
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise BadInput(
            f"{path} is damaged ({error}); remove it to use the first version."
        ) from error
    return names, at


def _switch(store: Store, model: str, names: list[str], at: int) -> None:
    """Replace the line in one step."""
    path = _home(store, model) / LINE
    draft = path.with_name(f".{LINE}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            json.dump({"versions": names, "in_use": at}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise BadInput(f"{path} cannot be written: {error.strerror}.") from error


def _home(store: Store, model: str) -> Path:
    return store.user / FOLDER / check_name(model)


def _folder(store: Store, model: str, name: str) -> Path:
    return store.base(model) if name == BASE else _home(store, model) / name


def _id(record: dict, sha256: str) -> str:
    """Of an adoption: what was said, when, and about which weights."""
    text = json.dumps([record, sha256], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def _next(version: str) -> str:
    """0.1.0 to 0.1.1."""
    head, _, last = version.rpartition(".")
    return f"{head}.{int(last) + 1}" if head and last.isdigit() else f"{version}.1"
