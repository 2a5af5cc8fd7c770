"""Where models lie, and how they come and go; nothing here needs torch until weights come in."""

import difflib
import json
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from cmcseg.bundle.folders import erase, hide_folder, recover, write_folder
from cmcseg.bundle.verify import (
    CARD,
    FILES,
    WEIGHTS,
    check_folder,
    check_name,
    read_card,
    read_folder,
    read_zip,
    verify,
)
from cmcseg.bundle.version_line import folder_in_use, home_of, locked, set_aside
from cmcseg.core.atomic_write import atomic_path
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.resources import resource_folder
from cmcseg.core.user_path import user_path

RUN = ("model", "candidate")  # where trainings and fine-tunings put theirs


def shipped_folder() -> Path:
    """The models that came with the program."""
    return resource_folder() / "Models"


def user_folder() -> Path:
    """Where this user's own models lie; it need not be there yet."""
    return user_data_path("cmcseg", appauthor=False) / "models"


def default_store() -> "Store":
    """The shipped models and this user's own."""
    return Store(shipped=shipped_folder(), user=user_folder())


def task_names() -> tuple[str, ...]:
    """The tasks that a network can be trained for without writing a card."""
    return tuple(sorted(path.stem for path in (resource_folder() / "Tasks").glob("*.json")))


def task_card(name: str) -> ModelCard:
    """The card of a task, still without weights.

    Raises:
        BadInput: for an unknown name, listing those there are.
    """
    if name not in task_names():
        raise BadInput(_unknown("task", name, task_names()))
    text = (resource_folder() / "Tasks" / f"{name}.json").read_text(encoding="utf-8")
    return ModelCard.from_dict(json.loads(text))


@dataclass(frozen=True, kw_only=True)
class Store:
    """The models at hand; a user's own model comes before a shipped one of the same name.

    Attributes:
        shipped: folder of the models that came with the program, one folder each; never changed.
        user: folder of the user's models, ``user/<name>/``; made when the first one comes.
    """

    shipped: Path
    user: Path

    def names(self) -> tuple[str, ...]:
        """What ``find`` knows, in alphabetical order."""
        return tuple(sorted({*_models(self.shipped), *_models(self.user)}))

    def own(self) -> tuple[str, ...]:
        """The user's own among them, which ``remove`` can take away."""
        return tuple(sorted(_models(self.user)))

    def in_place_of_shipped(self) -> tuple[str, ...]:
        """A sentence for each of the user's models that hides one that came with the program."""
        return tuple(
            f"The model {name} in {self.user / name} takes the place of the one that came with the "
            f"program; if that is not meant, say 'cmcseg models remove {name}'."
            for name in sorted({*_models(self.shipped)} & {*_models(self.user)})
        )

    def find(self, name_or_path: str | Path) -> Path:
        """The folder of a model, in the version that is in use; the model itself is not checked.

        Raises:
            BadInput: when there is none, listing those there are.
        """
        name = str(name_or_path)
        if name in self.names():
            return folder_in_use(self.user, name) or self.base(name)
        path = user_path(name_or_path)
        recover(path)
        if (path / CARD).is_file():
            return path
        if path.is_dir():
            inner = next((path / each for each in RUN if (path / each / CARD).is_file()), None)
            hint = f" Did you mean {inner}?" if inner else ""
            raise BadInput(f"{path} is no model: it has no {CARD}.{hint}")
        raise BadInput(_unknown("model", name, self.names()))

    def base(self, name: str) -> Path:
        """The folder of a model as it was shipped or imported.

        Raises:
            BadInput: when there is none, listing those there are.
        """
        for home in (self.user, self.shipped):
            if name in _models(home):
                return home / name
        raise BadInput(_unknown("model", name, self.names()))

    def card(self, name_or_path: str | Path) -> ModelCard:
        """The card of a model, without reading its weights.

        Raises:
            BadInput: when there is no such model, or its card was altered or cannot be read.
        """
        return read_card(self.find(name_or_path))

    def cards(self) -> tuple[list[ModelCard], list[str]]:
        """The cards of all models, and a sentence for each model that is damaged."""
        cards, damaged = [], []
        for name in self.names():
            try:
                cards.append(self.card(name))
            except BadInput as error:
                damaged.append(str(error))
        return cards, damaged

    def import_(self, source: Path) -> Path:
        """Take over a model from a folder or a zip archive, once all of it is checked.

        Returns:
            Its new folder, called by the name on its card.

        Raises:
            BadInput: when it is no model, is unsafe to unpack, was altered, does not load, or when
                there is a model of that name.
        """
        from cmcseg.bundle.load import network_from  # torch is needed from here on

        source = user_path(source)
        files = _read_source(source)
        card = verify(files, str(source))
        self.refuse_taken(card)
        network_from(card, files[WEIGHTS], str(source))
        home = home_of(self.user, card.name)
        with locked(home):
            aside = set_aside(home)  # a model that was deleted by hand leaves its versions behind
            try:
                write_folder(files, self.user / card.name)
            except BadInput:
                if aside:
                    aside.rename(home)
                raise
        return self.user / card.name

    def refuse_taken(self, card: ModelCard) -> None:
        """Refuse a model whose name is another's; ``import_`` does.

        Names that differ only in case are one name on Windows and macOS.

        Raises:
            BadInput: saying which model has the name.
        """
        for name in self.names():
            if name.casefold() == card.name.casefold():
                there = self.card(name)
                what = "remove it first" if name in _models(self.user) else "it cannot be replaced"
                raise BadInput(
                    f"There is a model {name} already (version {there.version}, this one is "
                    f"{card.version}); {what}."
                )

    def export(self, name: str, out_zip: Path) -> Path:
        """Write a model to a zip archive that ``import_`` takes; equal models give equal bytes.

        Returns:
            ``out_zip``.

        Raises:
            BadInput: when there is no such model, it was altered, the archive exists already or
                cannot be written.
        """
        folder, out_zip = self.find(name), user_path(out_zip)
        files = read_folder(folder)
        card = verify(files, str(folder))
        if out_zip.exists():
            raise BadInput(f"{out_zip} is there already; give another name.")
        with atomic_path(out_zip) as draft:
            _write_zip(files, card.name, draft)
        return out_zip

    def remove(self, name: str) -> None:
        """Delete one of the user's models; versions that were made from it are set aside.

        Both or none: versions stay with a model that cannot go, and a model of that name that
        comes later does not meet them.

        Raises:
            BadInput: when there is no such model, it came with the program, or the disk refuses.
        """
        if name not in _models(self.user):
            if name in _models(self.shipped):
                raise BadInput(f"The model {name} came with the program and cannot be removed.")
            raise BadInput(_unknown("model", name, _models(self.user)))
        home = home_of(self.user, name)
        with locked(home):
            hidden = hide_folder(self.user / name)
            try:
                set_aside(home)
            except BadInput:
                hidden.rename(self.user / name)
                raise
        erase(hidden)


def _write_zip(files: dict[str, bytes], name: str, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:  # stored: half-precision weights hardly shrink
        for file in FILES:
            info = zipfile.ZipInfo(f"{name}/{file}")  # its date is fixed, 1980
            info.external_attr = 0o644 << 16
            archive.writestr(info, files[file])


def _read_source(source: Path) -> dict[str, bytes]:
    if not source.exists():
        raise BadInput(f"{source} is not there; give a model's folder or zip archive.")
    if source.is_file():
        return read_zip(source)
    files = read_folder(source)  # first, as it tells best what a wrong folder lacks
    check_folder(source)
    return files


def _models(home: Path) -> tuple[str, ...]:
    """Names of the folders in ``home`` that hold a card."""
    cards = (path for path in home.glob(f"*/{CARD}") if path.is_file() and _is_named(path))
    return tuple(sorted(path.parent.name for path in cards))


def _is_named(card: Path) -> bool:
    with suppress(BadInput):
        return bool(check_name(card.parent.name))
    return False


def _unknown(what: str, name: str, names: tuple[str, ...]) -> str:
    if not names:
        return f"There is no {what} {name!r}, nor any other."
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f"; did you mean {close[0]}?" if close else "."
    return f"There is no {what} {name!r}{guess} There are: {', '.join(names)}."
