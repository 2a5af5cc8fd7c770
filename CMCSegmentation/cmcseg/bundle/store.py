"""Where models lie, and how they come and go; nothing here needs torch until weights come in."""

import difflib
import json
import os
import shutil
import uuid
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

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
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput


def shipped_folder() -> Path:
    """The models that came with the program."""
    return _resources() / "Models"


def user_folder() -> Path:
    """Where this user's own models lie; it need not be there yet."""
    return user_data_path("cmcseg", appauthor=False) / "models"


def default_store() -> "Store":
    """The shipped models and this user's own."""
    return Store(shipped=shipped_folder(), user=user_folder())


def task_names() -> tuple[str, ...]:
    """The tasks that a network can be trained for without writing a card."""
    return tuple(sorted(path.stem for path in (_resources() / "Tasks").glob("*.json")))


def task_card(name: str) -> ModelCard:
    """The card of a task, still without weights.

    Raises:
        BadInput: for an unknown name, listing those there are.
    """
    if name not in task_names():
        raise BadInput(_unknown("task", name, task_names()))
    text = (_resources() / "Tasks" / f"{name}.json").read_text(encoding="utf-8")
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

    def find(self, name_or_path: str | Path) -> Path:
        """The folder of a model, in the version that is in use; the model itself is not checked.

        Raises:
            BadInput: when there is none, listing those there are.
        """
        from cmcseg.bundle.versions import version_folder  # versions know the store

        name = str(name_or_path)
        if name in self.names():
            return version_folder(self, name) or self.base(name)
        path = Path(name_or_path).expanduser()
        if (path / CARD).is_file():
            return path
        if path.is_dir():
            raise BadInput(f"{path} is no model: it has no {CARD}.")
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

    def import_(self, source: Path) -> Path:
        """Take over a model from a folder or a zip archive, once all of it is checked.

        Returns:
            Its new folder, called by the name on its card.

        Raises:
            BadInput: when it is no model, is unsafe to unpack, was altered, does not load, or when
                there is a model of that name.
        """
        from cmcseg.bundle.load import network_from  # torch is needed from here on
        from cmcseg.bundle.versions import set_aside

        source = Path(source).expanduser()
        files = _read_source(source)
        card = verify(files, str(source))
        _refuse_collision(card, self)
        network_from(card, files[WEIGHTS], str(source))
        set_aside(self, card.name)  # a model that was deleted by hand leaves its versions behind
        place(files, self.user / card.name)
        return self.user / card.name

    def export(self, name: str, out_zip: Path) -> Path:
        """Write a model to a zip archive that ``import_`` takes; equal models give equal bytes.

        Returns:
            ``out_zip``.

        Raises:
            BadInput: when there is no such model, it was altered, the archive exists already or
                cannot be written.
        """
        folder, out_zip = self.find(name), Path(out_zip).expanduser()
        files = read_folder(folder)
        card = verify(files, str(folder))
        if out_zip.exists():
            raise BadInput(f"{out_zip} is there already; give another name.")
        draft = _draft_beside(out_zip)
        try:
            _write_zip(files, card.name, draft)
            draft.replace(out_zip)
        except OSError as error:
            raise BadInput(f"{out_zip} cannot be written: {error.strerror}.") from error
        finally:
            draft.unlink(missing_ok=True)
        return out_zip

    def remove(self, name: str) -> None:
        """Delete one of the user's models; versions that were made from it are set aside.

        The versions go first: a model of that name that comes later must not meet them.

        Raises:
            BadInput: when there is no such model, it came with the program, or the disk refuses.
        """
        from cmcseg.bundle.versions import set_aside

        if name not in _models(self.user):
            if name in _models(self.shipped):
                raise BadInput(f"The model {name} came with the program and cannot be removed.")
            raise BadInput(_unknown("model", name, _models(self.user)))
        set_aside(self, name)
        delete(self.user / name)


def place(files: dict[str, bytes], folder: Path, *, replace: bool = False) -> None:
    """Write a model's files so that ``folder`` holds all of them or is as it was.

    Args:
        files: content by name, verified.
        folder: where to; an empty folder counts as none, the very same model is left alone.
        replace: whether another model may make room; it is deleted once this one is in its place.

    Raises:
        BadInput: when the folder holds something else, or the disk refuses.
    """
    folder = folder.resolve()
    if folder.exists() and not _is_empty(folder):
        if _holds(folder, files):
            return
        if not replace:
            raise BadInput(f"{folder} holds something else; replace it or give another folder.")
        if not (folder / CARD).is_file():
            raise BadInput(f"{folder} holds something that is no model; give another folder.")
        check_folder(folder)  # a model is deleted, but never anything that lies beside it
    draft = _draft_beside(folder)
    try:
        for name, content in files.items():
            _write(draft / name, content)
        _swap(draft, folder)
    except OSError as error:
        raise BadInput(f"{folder} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _swap(draft: Path, folder: Path) -> None:
    """``draft`` takes the place of ``folder``; should that fail, ``folder`` comes back."""
    if not folder.exists():
        draft.rename(folder)
        return
    aside = _draft_beside(folder)
    folder.rename(aside)
    try:
        draft.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def delete(folder: Path) -> None:
    """Out of sight in one step, then deleted: a model is never half there.

    Raises:
        BadInput: when the disk refuses.
    """
    aside = _draft_beside(folder)
    try:
        folder.rename(aside)
        if aside.is_symlink():
            aside.unlink()
        else:
            shutil.rmtree(aside)
    except OSError as error:
        raise BadInput(f"{folder} cannot be removed: {error.strerror}.") from error


def _draft_beside(path: Path) -> Path:
    """A free hidden name on the same disk; ``_models`` does not list it."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


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


def _refuse_collision(card: ModelCard, store: Store) -> None:
    """Names that differ only in case are one name on Windows and macOS."""
    for name in store.names():
        if name.casefold() == card.name.casefold():
            there = store.card(name)
            what = "remove it first" if name in _models(store.user) else "it cannot be replaced"
            raise BadInput(
                f"There is a model {name} already (version {there.version}, this one is "
                f"{card.version}); {what}."
            )


def _models(home: Path) -> tuple[str, ...]:
    """Names of the folders in ``home`` that hold a card."""
    return tuple(sorted(path.parent.name for path in home.glob(f"*/{CARD}") if _is_named(path)))


def _is_named(card: Path) -> bool:
    with suppress(BadInput):
        return bool(check_name(card.parent.name))
    return False


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _holds(folder: Path, files: dict[str, bytes]) -> bool:
    with suppress(BadInput):
        return read_folder(folder) == files
    return False


def _unknown(what: str, name: str, names: tuple[str, ...]) -> str:
    if not names:
        return f"There is no {what} {name!r}, nor any other."
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f"; did you mean {close[0]}?" if close else "."
    return f"There is no {what} {name!r}{guess} There are: {', '.join(names)}."


def _resources() -> Path:
    """Inside an installed wheel, else beside the package in a checkout or a Slicer extension."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "resources"
    return inside if inside.is_dir() else package.parent / "Resources"
