"""Files that are dropped on the page: streamed to disk, measured, looked at, and only then kept."""

import gzip
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from aiohttp import BodyPartReader, web

from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import is_dicom, is_image_name
from cmcseg.web.folder import Folder, plain

LARGEST = 1 << 30  # bytes of one upload, and of what an archive unfolds to
MOST_FILES = 5000
MOST_PACKED = 200  # times that an archive may unfold; images seldom pass 20
PIECE = 1 << 20


async def receive(request: web.Request, folder: Folder) -> Path:
    """Keep what a form sends as a case of its own.

    Args:
        request: multipart; every part with a file name is a scan, a DICOM file or a zip of such.
        folder: where the case goes.

    Returns:
        The folder of the new case.

    Raises:
        BadInput: when it is too large, is no scan or cannot be written; nothing is kept then.
    """
    return _settle(folder, await _collected(request, folder))


async def receive_archive(request: web.Request, folder: Folder) -> Path:
    """Keep the one zip archive that a form sends; the caller removes it.

    Raises:
        BadInput: when it is too large or there is none.
    """
    draft = await _collected(request, folder)
    archive = next((file for file in draft.iterdir() if zipfile.is_zipfile(file)), None)
    if archive is None:
        shutil.rmtree(draft)
        raise BadInput("That is no zip archive; a model comes as one.")
    return archive


async def _collected(request: web.Request, folder: Folder) -> Path:
    """All parts of the form in a new folder, sizes checked while they come."""
    if (request.content_length or 0) > LARGEST:
        raise BadInput(_too_large())
    try:
        (place := folder.own("incoming")).mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=place))
    except OSError as error:
        raise BadInput(f"The file could not be kept: {error.strerror}.") from error
    try:
        left = LARGEST
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.filename:
                continue
            with (draft / plain(Path(part.filename).name)).open("xb") as file:
                while piece := await part.read_chunk(PIECE):
                    left -= len(piece)
                    if left < 0:
                        raise BadInput(_too_large())
                    file.write(piece)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise BadInput(f"The file could not be kept: {error.strerror}.") from error
    except (BadInput, ValueError, AssertionError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise error if isinstance(error, BadInput) else BadInput("That was no upload.") from error
    return draft


def _settle(folder: Folder, draft: Path) -> Path:
    """Unfold archives, look at every file, and move all into place at once."""
    try:
        for archive in [file for file in draft.iterdir() if zipfile.is_zipfile(file)]:
            unfold(archive, draft)
            archive.unlink()
        files = [file for file in draft.rglob("*") if file.is_file()]
        if not files:
            raise BadInput("Nothing came; drop a scan, or a folder of DICOM files.")
        for file in files:
            if not (is_dicom(file) or looks_like_scan(file)):
                raise BadInput(
                    f"{file.name} is no scan; NIfTI, NRRD, MetaImage and DICOM can be read."
                )
        name = plain(_name_of(files))
        target = folder.inside(name)
        number = 1
        while target.exists():
            number += 1
            target = folder.inside(f"{name} {number}")
        draft.rename(target)
        return target
    except OSError as error:
        raise BadInput(f"The files could not be kept: {error.strerror}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def unfold(archive: Path, into: Path) -> None:
    """Unpack a zip archive, unless it is a bomb or reaches outside.

    Raises:
        BadInput: for either, or when it is damaged.
    """
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
                stem = "" if is_image_name(inner.name) else f"{number:05d} "
                with (
                    packed.open(row) as source,
                    (into / plain(stem + inner.name)).open("xb") as out,
                ):
                    _copied(source, out, row.file_size, archive.name)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise BadInput(f"{archive.name} is damaged or locked: {error}.") from error


def looks_like_scan(path: Path) -> bool:
    """Whether the first bytes are those of the format that the name says."""
    name = path.name.lower()
    if not is_image_name(name):
        return False
    try:
        with gzip.open(path) if name.endswith(".gz") else path.open("rb") as file:
            head = file.read(400)
    except (OSError, EOFError):
        return False
    if name.endswith((".nii", ".nii.gz")):
        return head[:4] in tuple(
            n.to_bytes(4, order) for n in (348, 540) for order in ("little", "big")
        )
    if name.endswith((".nrrd", ".nhdr")):
        return head.startswith(b"NRRD000")
    return b"DimSize" in head or b"NDims" in head


def _copied(source: Iterable, target: object, promised: int, name: str) -> None:
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
