"""Files that are dropped on the page: streamed to disk, measured, looked at, and only then kept.

They are known by their names and first bytes; what is in them is read elsewhere, by a process that
can do nothing else.
"""

import asyncio
import gzip
import re
import shutil
import tempfile
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aiohttp import BodyPartReader, web

from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import is_data_name, is_dicom, is_image_name, is_junk
from cmcseg.web.folder import Folder, plain

LARGEST = 1 << 30  # bytes of one upload, and of what an archive unfolds to
MOST_FILES = 5000
MOST_PACKED = 200  # times that an archive may unfold; images seldom pass 20
PIECE = 1 << 20
ODD_ARCHIVE = (ValueError, IndexError, OverflowError)  # what names and numbers of chance raise
STALLED = 60.0  # seconds without a byte, after which an upload is given up
RESERVE = 256 << 20  # bytes that stay free on the disk
MOST_NAMED = 3  # files that were passed over
TASK_FILE = ".json"


@dataclass(frozen=True, kw_only=True)
class Received:
    """What became of an upload.

    Attributes:
        folder: of the new case.
        note: which files were passed over because they are no scans, or empty.
    """

    folder: Path
    note: str = ""


async def receive(request: web.Request, folder: Folder) -> Received:
    """Keep what a form sends as a case of its own.

    Args:
        request: multipart; every part with a file name is a scan, a DICOM file or a zip of such.
        folder: where the case goes.

    Raises:
        BadInput: when it is too large, holds no scan or one that is damaged, or cannot be written;
            nothing is kept then.
    """
    draft, junk = await _collected(request, folder)
    # Unpacking would stop every window.
    return await asyncio.to_thread(_settle, folder, draft, junk)


async def receive_model(request: web.Request, folder: Folder) -> Path:
    """Keep the model's archive, or the task's file, that a form sends.

    The caller discards the folder that it lies in.

    Raises:
        BadInput: when it is too large or there is none.
    """
    draft, _ = await _collected(request, folder)
    for file in draft.iterdir():
        if file.suffix.lower() == TASK_FILE or zipfile.is_zipfile(file):
            return file
    discard(draft)
    raise BadInput("That is neither a model, which is a zip archive, nor a task, a JSON file.")


def discard(draft: Path) -> None:
    """Delete what was sent and is needed no more."""
    shutil.rmtree(draft, ignore_errors=True)


async def _collected(request: web.Request, folder: Folder) -> tuple[Path, list[str]]:
    """All parts of the form in a new folder, and names of junk among them, which is not kept.

    Numbers and sizes are checked while they come.
    """
    length = request.content_length or 0
    if length > LARGEST:
        raise BadInput(_too_large())
    try:
        place = folder.make("incoming")
        if shutil.disk_usage(place).free < length + RESERVE:
            raise BadInput("There is no room for the file; make some, and send it again.")
        draft = Path(tempfile.mkdtemp(dir=place))
    except OSError as error:
        raise BadInput(f"The file could not be kept: {error.strerror}.") from error
    try:
        junk = await _take_parts(request, draft)
    except (asyncio.TimeoutError, TimeoutError) as error:
        discard(draft)
        raise BadInput("The upload stood still and was given up; send it again.") from error
    except ConnectionError as error:
        discard(draft)
        raise BadInput("The upload was broken off; send it again.") from error
    except OSError as error:
        discard(draft)
        raise BadInput(f"The file could not be kept: {error.strerror}.") from error
    except (BadInput, ValueError, AssertionError, RuntimeError) as error:
        discard(draft)
        raise error if isinstance(error, BadInput) else BadInput("That was no upload.") from error
    except BaseException:  # the page was closed meanwhile
        discard(draft)
        raise
    return draft, junk


async def _take_parts(request: web.Request, draft: Path) -> list[str]:
    parts = await request.multipart()
    left, count, junk = LARGEST, 0, []
    while (part := await asyncio.wait_for(parts.next(), STALLED)) is not None:
        count += 1
        if count > MOST_FILES:
            raise BadInput(
                f"Those are more than {MOST_FILES} files; send them in parts, or zipped."
            )
        if not isinstance(part, BodyPartReader) or not part.filename:
            raise BadInput("That was no upload.")
        with _new_file(draft, plain(Path(part.filename).name)) as file:
            while piece := await asyncio.wait_for(part.read_chunk(PIECE), STALLED):
                left -= len(piece)
                if left < 0:
                    raise BadInput(_too_large())
                await asyncio.to_thread(file.write, piece)
        if is_junk(Path(part.filename)):
            Path(file.name).unlink()
            junk.append(Path(part.filename).name)
    return junk


def _new_file(draft: Path, name: str) -> BinaryIO:
    """A file of that name, or one that is free: files of several DICOM series share names."""
    for number in range(MOST_FILES):
        path = draft / (name if number == 0 else f"{number:05d} {name}")
        with suppress(FileExistsError):
            return path.open("xb")
    raise BadInput("Those are too many files of one name.")


def _settle(folder: Folder, draft: Path, junk: list[str]) -> Received:
    """Unfold archives, look at every file, and move all scans into place at once."""
    try:
        for archive in [file for file in draft.iterdir() if zipfile.is_zipfile(file)]:
            junk += unfold(archive, draft)
            archive.unlink()
        files = [file for file in draft.rglob("*") if file.is_file()]
        if not files:
            raise BadInput("Nothing came; drop a scan, or a folder of DICOM files.")
        strangers = _no_scans(files)
        scans = [file for file in files if file not in strangers]
        wanted = [file for file in strangers if is_image_name(file.name)]
        if wanted or not scans:
            raise BadInput(
                f"{_sent_as((wanted or files)[0])} is no scan; NIfTI, NRRD, MetaImage and DICOM "
                "can be read."
            )
        for file in strangers:
            file.unlink()
        if not folder.root.is_dir():
            raise BadInput(folder.gone)
        target = folder.inside(folder.free_name(plain(_name_of(scans))))
        draft.rename(target)
        return Received(folder=target, note=_passed_over([*map(_sent_as, strangers), *junk]))
    except OSError as error:
        raise BadInput(f"The files could not be kept: {error.strerror}.") from error
    finally:
        discard(draft)


def _no_scans(files: list[Path]) -> list[Path]:
    """Those that are neither scans nor the voxels of a header that lies beside them."""
    detached = any(file.name.lower().endswith((".mhd", ".nhdr")) for file in files)

    def belongs(file: Path) -> bool:
        return is_dicom(file) or looks_like_scan(file) or (detached and is_data_name(file.name))

    return sorted(file for file in files if not belongs(file))


def _sent_as(file: Path) -> str:
    """The name of a file before one was made for it that is free."""
    return re.sub(r"^\d{5} ", "", file.name)


def _passed_over(names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"What is no scan was passed over: {', '.join(names[:MOST_NAMED])}{more}."


def unfold(archive: Path, into: Path) -> list[str]:
    """Unpack a zip archive, unless it is a bomb or reaches outside.

    Returns:
        Names of what a system or a disc's writer left in it, which is not unpacked.

    Raises:
        BadInput: for either, or when it is damaged.
    """
    junk: list[str] = []
    try:
        with zipfile.ZipFile(archive) as packed:
            rows = [row for row in packed.infolist() if not row.is_dir()]
            size = sum(row.file_size for row in rows)
            if len(rows) > MOST_FILES or size > LARGEST:
                raise BadInput(f"{archive.name} unfolds to more than the app takes.")
            if size > MOST_PACKED * max(archive.stat().st_size, 1):
                raise BadInput(f"{archive.name} unfolds to far more than it is; it was not opened.")
            for number, row in enumerate(rows):
                inner = Path(row.filename)
                if inner.is_absolute() or ".." in inner.parts:
                    raise BadInput(f"{archive.name} reaches outside its own folder.")
                # DICOM files of several series often share their names.
                alone = is_image_name(inner.name) or is_data_name(inner.name)
                stem = "" if alone else f"{number:05d} "
                if is_junk(inner):
                    junk.append(inner.name)
                    continue
                with (
                    packed.open(row) as source,
                    _new_file(into, plain(stem + inner.name)) as out,
                ):
                    _copied(source, out, row.file_size, archive.name)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, *ODD_ARCHIVE) as error:
        raise BadInput(f"{archive.name} is damaged or locked: {error}.") from error
    return junk


def looks_like_scan(path: Path) -> bool:
    """Whether the first bytes are those of the format that the name says."""
    name = path.name.lower()
    if not is_image_name(name):
        return False
    try:
        with gzip.open(path) if name.endswith(".gz") else path.open("rb") as file:
            head = file.read(400)
    except (OSError, EOFError, zlib.error):
        return False
    if name.endswith((".nii", ".nii.gz")):
        return head[:4] in tuple(
            n.to_bytes(4, order) for n in (348, 540) for order in ("little", "big")
        )
    if name.endswith((".nrrd", ".nhdr")):
        return head.startswith(b"NRRD000")
    return b"DimSize" in head or b"NDims" in head


def _copied(source: BinaryIO, target: BinaryIO, promised: int, name: str) -> None:
    """An archive may lie about sizes, so count."""
    left = promised
    while piece := source.read(PIECE):
        left -= len(piece)
        if left < 0:
            raise BadInput(f"{name} unfolds to more than it says; it was not opened.")
        target.write(piece)


def _name_of(files: list[Path]) -> str:
    """The first scan's name without its ending; "study" for DICOM, whose names mean nothing."""
    first = min(files, key=lambda file: file.name)
    return first.name.split(".")[0] if is_image_name(first.name) else "study"


def _too_large() -> str:
    return f"That is more than {LARGEST >> 30} GB; copy such scans into the app's folder instead."
