"""Whether a model is whole, unaltered and safe to unpack; nothing here needs torch.

A model is a folder of four files: the weights, the card, MONAI's metadata, and a list of their
SHA-256 sums that ``sha256sum -c SHA256SUMS`` understands. The sums show damage and careless edits;
they are no signature, so a model from a stranger is worth no more trust than the stranger.
"""

import hashlib
import re
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import is_device_name
from cmcseg.core.json_file import parse_json

WEIGHTS = "model.safetensors"
CARD = "card.json"
METADATA = "configs/metadata.json"
SUMS = "SHA256SUMS"
SUMMED = (WEIGHTS, CARD, METADATA)
FILES = (*SUMMED, SUMS)

MEBIBYTE = 2**20
MOST_BYTES = 256 * MEBIBYTE  # of a whole model
MOST_TEXT_BYTES = 4 * MEBIBYTE  # of any file but the weights
MOST_RATIO = 100  # weights hardly shrink; only a bomb packs a hundred bytes into one

# What MONAI's schema of 25 July 2024 (the newest one) requires, at the top and of each tensor.
SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
    "meta_schema_20240725.json"
)
METADATA_TEXTS = (
    "schema",
    "version",
    "monai_version",
    "pytorch_version",
    "numpy_version",
    "task",
    "description",
    "authors",
    "copyright",
)
METADATA_RECORDS = ("required_packages_version", "network_data_format")
TENSOR_KEYS = ("type", "format", "num_channels", "spatial_shape", "dtype", "value_range")

_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_SUM_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
_LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")  # file browsers leave these behind


def check_name(name: str) -> str:
    """The name, when a folder may be called so on every system.

    Raises:
        BadInput: for anything but 1 to 64 letters, digits and ``- _ .`` that start with a letter,
            digit or ``_``, do not end with a dot, and are no device of Windows.
    """
    fits = isinstance(name, str) and _SAFE_NAME.fullmatch(name) and not name.endswith(".")
    if not fits or is_device_name(name):
        raise BadInput(
            f"The model name {name!r} cannot name a folder; use 1 to 64 letters, digits, hyphens, "
            "underscores and dots, starting with a letter or digit."
        )
    return name


def read_card(folder: Path) -> ModelCard:
    """The card of a model, checked against its sum; the weights are not looked at.

    Raises:
        BadInput: when the folder is no model, or the card was altered or cannot be read.
    """
    files = {name: _read(Path(folder), name) for name in (CARD, SUMS)}
    _check_sum(files, CARD, str(folder))
    return _parse_card(files[CARD], str(folder))


def read_folder(folder: Path) -> dict[str, bytes]:
    """The four files of a model; what they hold is not checked yet.

    Raises:
        BadInput: when a file is missing or too large.
    """
    return {name: _read(Path(folder), name) for name in FILES}


def verify(files: dict[str, bytes], where: str) -> ModelCard:
    """Check the files of a model against each other.

    Args:
        files: content by name, one per entry of ``FILES``.
        where: what the errors call the model.

    Returns:
        Its card.

    Raises:
        BadInput: when a file differs from its sum, the weights from the card's sum, or the card or
            the metadata cannot be read.
    """
    for name in SUMMED:
        _check_sum(files, name, where)
    card = _parse_card(files[CARD], where)
    if card.sha256 != sha256(files[WEIGHTS]):
        raise BadInput(
            f"The weights in {where} are not those that its card.json promises (SHA-256 "
            f"{str(card.sha256)[:12] or 'not given'}); get the model again."
        )
    check_name(card.name)
    _check_metadata(files[METADATA], where)
    return card


def sums(files: dict[str, bytes]) -> bytes:
    """The content of ``SHA256SUMS`` for these files."""
    return "".join(f"{sha256(files[name])}  {name}\n" for name in SUMMED).encode()


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def check_folder(folder: Path) -> None:
    """Refuse a model's folder that holds anything besides the four files.

    Raises:
        BadInput: for a link, or for a file or folder that is no part of a model.
    """
    configs = Path(folder, METADATA).parent
    nested = configs.iterdir() if configs.is_dir() else ()
    for path in sorted((*Path(folder).iterdir(), *nested)):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise BadInput(f"{name} in {folder} is a link; copy the file itself to its place.")
        if path.name not in _LITTER and path != configs and name not in FILES:
            raise BadInput(f"{name} in {folder} is no part of a model; take it out.")


def read_zip(archive: Path) -> dict[str, bytes]:
    """The four files of a zipped model; nothing is written, and nothing read before it is checked.

    The files lie at the top of the archive or together in one folder, as MONAI packs them.

    Raises:
        BadInput: when it is no zip archive, is too large, encrypted or damaged, or holds links,
            strange paths or files that are no part of a model.
    """
    if archive.stat().st_size > MOST_BYTES:
        raise BadInput(f"{archive} is larger than {MOST_BYTES // MEBIBYTE} MiB; no model is.")
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _check_members(opened.infolist(), archive)
            return {name: _read_member(opened, info) for name, info in members.items()}
    except zipfile.BadZipFile as error:
        if zipfile.is_zipfile(archive):
            raise BadInput(f"{archive} is damaged ({error}); get it again.") from error
        raise BadInput(f"{archive} is neither a folder nor a zip archive.") from error
    except (zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        raise BadInput(f"{archive} is damaged ({error}); get it again.") from error


def _check_members(infos: list[zipfile.ZipInfo], archive: Path) -> dict[str, zipfile.ZipInfo]:
    """The members by their name in the model, when all of them are harmless and expected."""
    for info in infos:
        _check_member(info, archive)
    total = sum(info.file_size for info in infos)
    if total > MOST_BYTES:
        raise BadInput(
            f"{archive} unpacks to {total / MEBIBYTE:.0f} MiB; a model has at most "
            f"{MOST_BYTES // MEBIBYTE} MiB."
        )
    paths = {PurePosixPath(info.filename): info for info in infos if _counts(info)}
    if len(paths) < sum(_counts(info) for info in infos):
        raise BadInput(f"{archive} holds two files of one name; no model does.")
    tops = {path.parts[0] for path in paths if len(path.parts) > 1}
    inside = len(tops) == 1 and all(len(path.parts) > 1 for path in paths)
    if inside and "configs" not in tops:
        paths = {PurePosixPath(*path.parts[1:]): info for path, info in paths.items()}
    members = {str(path): info for path, info in paths.items()}
    if strange := sorted(set(members) - set(FILES)):
        raise BadInput(f"{strange[0]} in {archive} is no part of a model; take it out.")
    if missing := [name for name in FILES if name not in members]:
        raise BadInput(f"{archive} is no model: it has no {missing[0]}.")
    return members


def _check_member(info: zipfile.ZipInfo, archive: Path) -> None:
    """Refuse a member that could land elsewhere, be something else, or grow without end."""
    raw = info.orig_filename  # ``filename`` has been tidied by then
    parts = raw.removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts) or re.search(r"[\\:\x00]", raw):
        raise BadInput(f"{archive} holds the unsafe path {raw!r}; nothing was unpacked.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadInput(f"{raw} in {archive} is a link or a device; nothing was unpacked.")
    if info.flag_bits & 0x1:
        raise BadInput(f"{archive} is encrypted; unpack it yourself and import the folder.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadInput(f"{raw} in {archive} is not packed by the method 'deflate'; pack it again.")
    if info.file_size > MOST_RATIO * max(info.compress_size, 1):
        raise BadInput(
            f"{raw} in {archive} grows more than {MOST_RATIO}-fold when unpacked; no model does."
        )


def _counts(info: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    return not (info.is_dir() or path.name in _LITTER or path.parts[0] == "__MACOSX")


def _read_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with opened.open(info) as stream:
        content = stream.read(info.file_size)  # the stream checks the CRC at its end
        if len(content) != info.file_size or stream.read(1):
            raise zipfile.BadZipFile(f"{info.filename} has another size than the archive says")
    return content


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    most = MOST_BYTES if name == WEIGHTS else MOST_TEXT_BYTES
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise BadInput(f"{name} in {folder} is not a file.")
        if found.st_size > most:
            raise BadInput(f"{name} in {folder} is larger than {most // MEBIBYTE} MiB.")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInput(f"{folder} is no model: it has no {name}.") from error
    except OSError as error:
        raise BadInput(f"{name} in {folder} cannot be read: {error.strerror}.") from error


def _check_sum(files: dict[str, bytes], name: str, where: str) -> None:
    lines = [_SUM_LINE.fullmatch(line) for line in files[SUMS].decode("latin-1").splitlines()]
    listed = {line[2]: line[1] for line in lines if line}
    if name not in listed:
        raise BadInput(f"SHA256SUMS in {where} does not list {name}; get the model again.")
    if listed[name] != sha256(files[name]):
        raise BadInput(
            f"{name} in {where} was altered or damaged (its SHA-256 is not the one in SHA256SUMS); "
            "get the model again."
        )


def _parse_card(content: bytes, where: str) -> ModelCard:
    if len(content) > MOST_TEXT_BYTES:
        raise BadInput(f"card.json in {where} is larger than {MOST_TEXT_BYTES // MEBIBYTE} MiB.")
    value = _parse_json(content, CARD, where)
    try:
        return ModelCard.from_dict(value)
    except BadInput as error:
        raise BadInput(f"card.json in {where} cannot be used: {error}") from error


def _parse_json(content: bytes, name: str, where: str) -> dict:
    try:
        value = parse_json(content)
    except ValueError as error:
        raise BadInput(f"{name} in {where} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BadInput(f"{name} in {where} holds no record.")
    return value


def _check_metadata(content: bytes, where: str) -> None:
    """What MONAI's schema requires: texts, records, and the keys of every tensor."""
    value = _parse_json(content, METADATA, where)
    wrong = [key for key in METADATA_TEXTS if not isinstance(value.get(key), str)]
    wrong += [key for key in METADATA_RECORDS if not isinstance(value.get(key), dict)]
    for side in ("inputs", "outputs") if not wrong else ():
        tensors = value["network_data_format"].get(side)
        if not isinstance(tensors, dict):
            wrong.append(f"network_data_format.{side}")
            continue
        for name, tensor in tensors.items():
            keys = tensor if isinstance(tensor, dict) else {}
            wrong += [f"{side}.{name}.{key}" for key in TENSOR_KEYS if key not in keys]
    if wrong:
        raise BadInput(f"{METADATA} in {where} lacks {', '.join(wrong)}, which MONAI requires.")
