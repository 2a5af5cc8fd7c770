"""Which versions of a model there are, and which one is in use: one file, replaced in one step.

    USER/.versions/NAME/line.json    the versions in order, and which one is in use
    USER/.versions/NAME/ID/          an adopted version, a whole model of its own
    USER/.versions/.NAME.HEX/        all that once belonged to a model that was removed
    USER/.versions/.NAME.lock        held by whoever changes the line

The first version is ``base``: the model that was shipped or imported; it is never touched.
At every moment the file names a version that is whole.
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from cmcseg.bundle.verify import check_name
from cmcseg.core.atomic_write import write_whole
from cmcseg.core.errors import BadInput
from cmcseg.core.json_file import read_json

FOLDER, LINE, BASE = ".versions", "line.json", "base"
WAIT_SECONDS = 60.0  # longer than an adoption takes


@dataclass(frozen=True, kw_only=True)
class VersionLine:
    """The versions of a model.

    Attributes:
        versions: their names, oldest first.
        in_use: number of the one in use.
        given: the version numbers that were ever given, also those of versions that are gone.
    """

    versions: tuple[str, ...] = (BASE,)
    in_use: int = 0
    given: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the version in use."""
        return self.versions[self.in_use]


def home_of(user: Path, model: str) -> Path:
    """Where the versions of a model lie below the user's folder of models."""
    return user / FOLDER / check_name(model)


def folder_in_use(user: Path, model: str) -> Path | None:
    """Where the adopted version in use lies; None when the base is in use."""
    home = home_of(user, model)
    name = read_line(home).name
    return None if name == BASE else home / name


def read_line(home: Path) -> VersionLine:
    """The versions of a model; of one that nobody has adopted, the base alone.

    Raises:
        BadInput: when the file is damaged.
    """
    path = home / LINE
    try:
        value = read_json(path)
        line = VersionLine(
            versions=tuple(str(name) for name in value["versions"]),
            in_use=int(value["in_use"]),
            given=tuple(str(number) for number in value.get("given", ())),
        )
        if line.versions[0] != BASE or not 0 <= line.in_use < len(line.versions):
            raise ValueError("it names no version")
        for name in line.versions[1:]:
            if len(name) != 16 or not set(name) <= set("0123456789abcdef"):
                raise ValueError(f"{name!r} is no version")
    except FileNotFoundError:
        return VersionLine()
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise BadInput(
            f"{path} is damaged ({error}); remove it to use the first version."
        ) from error
    return line


def write_line(home: Path, before: VersionLine, after: VersionLine) -> None:
    """Replace the line in one step, if it is still the one that the change was made from.

    Raises:
        BadInput: when somebody else has changed it, or the disk refuses.
    """
    if read_line(home) != before:
        raise BadInput(f"Another program has just changed the versions of {home.name}; try again.")
    home.mkdir(parents=True, exist_ok=True)
    write_whole(home / LINE, json.dumps(asdict(after), indent=1))


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Keep every other program from changing a model's versions meanwhile.

    Raises:
        BadInput: when another program holds them for long, or the disk refuses.
    """
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(home.with_name(f".{home.name}.lock"), timeout=WAIT_SECONDS)
        lock.acquire()
    except Timeout:
        raise BadInput(
            f"Another program is changing the versions of {home.name}; try again later."
        ) from None
    except OSError as error:
        raise BadInput(f"{home} cannot be written: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()


def set_aside(home: Path) -> Path | None:
    """Take a model's versions out of sight, for when the model itself goes or another one comes.

    Returns:
        Where they lie now, for the user to keep or delete; None when there were none.

    Raises:
        BadInput: when the disk refuses.
    """
    if not home.exists():
        return None
    aside = home.with_name(f".{home.name}.{secrets.token_hex(4)}")  # no model is called so
    try:
        home.rename(aside)
    except OSError as error:
        raise BadInput(f"{home} cannot be moved: {error.strerror}.") from error
    return aside
