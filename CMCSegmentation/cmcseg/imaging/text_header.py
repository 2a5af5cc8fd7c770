"""What a NRRD or MetaImage file says in its text header, looked at before any library parses it.

The libraries behind SimpleITK believe such a header: an axis too many overruns their memory, a size
that is not there is allocated, and a data file is opened wherever it lies. Here nothing is
believed. The formats: http://teem.sourceforge.net/nrrd/format.html and
https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.imaging.header import DEFLATE_LIMIT, KINDS, check_size

MOST_BYTES = 1 << 20  # of a header; a segmentation with 250 segments has a fifth of that
MOST_LINE = 1 << 12  # of a line that the libraries keep in buffers of their own
MOST_WORDS = 250  # of a text that MetaIO copies into 255 bytes
MOST_AXES = 5
NRRD, META = (".nrrd", ".nhdr"), (".mha", ".mhd")
_SIZES = {"char": 1, "short": 2, "int": 4, "long long": 8, "longlong": 8, "float": 4, "double": 8}
_SIZES |= {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "short int": 2, "long long int": 8}
_META_SIZES = {"char": 1, "short": 2, "int": 4, "long": 4, "long_long": 8, "float": 4, "double": 8}
# How many bytes one stored byte may stand for; bzip2 has no limit worth the name.
_UNFOLD = {"raw": 1, "gzip": DEFLATE_LIMIT, "bzip2": 1 << 40}
_ENCODINGS = {"raw": "raw", "gz": "gzip", "gzip": "gzip", "bz2": "bzip2", "bzip2": "bzip2"}
_ENCODINGS |= {"txt": "text", "text": "text", "ascii": "text", "hex": "text"}


@dataclass(frozen=True, kw_only=True)
class TextHeader:
    """A header that was looked at and found honest about its size and its place.

    Attributes:
        fields: the format's own, by name (lower case for NRRD).
        pairs: keys and values of other programs' (NRRD's ``:=``).
        shape: along every axis, the fastest first, those of values within a voxel included.
    """

    fields: dict[str, str]
    shape: tuple[int, ...]
    pairs: dict[str, str] = field(default_factory=dict)


def read_text_header(path: Path) -> TextHeader:
    """Look at a file's header.

    Args:
        path: an existing file that ends in one of ``NRRD`` or ``META``.

    Raises:
        BadInput: when it is no such header, contradicts itself, promises more than there is, or
            keeps its voxels anywhere but in one file of the same folder.
        OSError: when it cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(MOST_BYTES)
    if path.suffix.lower() in NRRD:
        return _nrrd(path, head)
    return _meta(path, head)


def _nrrd(path: Path, head: bytes) -> TextHeader:
    if not re.match(rb"NRRD000\d\r?\n", head):
        raise _damaged(path)
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    lines, start = _lines_until_blank(head, path)
    for line in lines[1:]:
        key, colon, value = line.partition(":")
        if line.startswith("#"):
            continue
        if not colon or value[:1] not in ("=", " "):
            raise _damaged(path)
        if value[0] == "=":
            pairs[key] = value[1:]
        elif _known(fields, key := key.strip().lower().replace(" ", "")):
            raise _twice(path, key)
        else:
            fields[key] = value.strip()
    kind = re.sub(r"^(un)?signed |^u(?=[a-z])|_t$", "", fields.get("type", "").lower()).strip()
    encoding = _ENCODINGS.get(fields.get("encoding", "").lower())
    if kind not in _SIZES or encoding is None:
        raise _damaged(path)
    shape = _shape(path, fields.get("dimension", ""), fields.get("sizes", ""))
    data = fields.get("datafile", "")
    _check_data(path, data, shape, _SIZES[kind], encoding, 0 if data else start)
    return TextHeader(fields=fields, pairs=pairs, shape=shape)


def _meta(path: Path, head: bytes) -> TextHeader:
    fields: dict[str, str] = {}
    start = 0
    for raw in head.split(b"\n"):
        start += len(raw) + 1
        line = _text(raw, path)
        if not line.strip():
            continue
        key, value = _meta_field(line, path)
        if _known(fields, key):
            raise _twice(path, key)
        fields[key] = value
        if key == "ElementDataFile":
            break
    else:
        raise _damaged(path)
    channels = fields.get("ElementNumberOfChannels", "1")
    kind = re.fullmatch(r"MET_U?(\w+?)(_ARRAY)?", fields.get("ElementType", "").upper())
    if not kind or kind[1].lower() not in _META_SIZES or not re.fullmatch(r"[1-9]\d?", channels):
        raise _damaged(path)
    shape = _shape(path, fields.get("NDims", ""), fields.get("DimSize", ""))
    packed = fields.get("CompressedData", "False").lower() in ("true", "1")
    plain = fields.get("BinaryData", "True").lower() in ("true", "1")
    encoding = "gzip" if packed else "raw" if plain else "text"
    counted = fields.get("CompressedDataSize", "0")  # MetaIO allocates as many bytes
    if not re.fullmatch(r"\d{1,18}", counted):
        raise _damaged(path)
    local = fields["ElementDataFile"].upper() == "LOCAL"
    data = "" if local else fields["ElementDataFile"]
    size = _META_SIZES[kind[1].lower()]
    whole = (int(channels), *shape) if channels != "1" else shape
    stored = _check_data(path, data, whole, size, encoding, start if local else 0)
    if int(counted) > stored:
        raise _damaged(path)
    return TextHeader(fields=fields, shape=whole)


def _meta_field(line: str, path: Path) -> tuple[str, str]:
    found = re.fullmatch(r"\s*([^=:]+?)\s*[=:]\s*(.*?)\s*", line)
    if not found:
        raise _damaged(path)
    key, value = found[1], found[2]
    if len(value) > (MOST_LINE if re.fullmatch(r"[-+.\deE\s]*", value) else MOST_WORDS):
        raise _damaged(path)
    return key, value


def _lines_until_blank(head: bytes, path: Path) -> tuple[list[str], int]:
    """The lines before the first blank one, and where what follows it begins."""
    lines, start = [], 0
    for raw in head.split(b"\n"):
        start += len(raw) + 1
        line = _text(raw, path)
        if not line:
            break
        lines.append(line)
    return lines, start


def _text(raw: bytes, path: Path) -> str:
    line = raw.decode("latin-1").removesuffix("\r")
    if "\0" in line or "\r" in line:
        raise _damaged(path)
    return line


def _known(fields: dict[str, str], key: str) -> bool:
    return key in fields and key != "Comment"


def _shape(path: Path, axes: str, sizes: str) -> tuple[int, ...]:
    words = sizes.split()
    if not re.fullmatch(r"\d{1,9}", axes) or not all(
        re.fullmatch(r"-?\d{1,18}", word) for word in words
    ):
        raise _damaged(path)
    if int(axes) > MOST_AXES:
        raise BadInput(f"{path.name} has {int(axes)} axes; a scan has 3, so export it again.")
    shape = tuple(map(int, words))
    if len(shape) != int(axes):
        raise BadInput(
            f"{path.name} speaks of {int(axes)} axes and gives the sizes of {len(shape)}; export "
            "it again."
        )
    if min(shape, default=0) < 1:
        raise BadInput(
            f"{path.name} has no voxels ({' x '.join(words) or 'no axes'}); export the scan again."
        )
    return shape


def _check_data(
    path: Path, name: str, shape: tuple[int, ...], itemsize: int, encoding: str, start: int
) -> int:
    """Bytes of the voxels, which are where they may be, and as many as were promised."""
    file = _beside(path, name) if name else path
    stored = max(file.stat().st_size - start, 0)
    check_size(path.name, shape, itemsize, stored, _UNFOLD.get(encoding, itemsize))
    return stored


def _beside(path: Path, name: str) -> Path:
    """The data file, which must be one plain name in the header's own folder."""
    if name.upper().split()[0] == "LIST" or re.search(r"%\d*d", name):
        raise BadInput(
            f"{path.name} keeps its voxels in several files; save it as one .nrrd, .mha or .nii.gz."
        )
    if re.search(r"[/\\:\0]", name) or name in (".", ".."):
        raise BadInput(
            f"{path.name} keeps its voxels outside its own folder, in a file that you did not "
            "give; put the data file beside it and name it in the header without a folder."
        )
    file = path.parent / name
    try:
        status = file.lstat()
    except OSError as error:
        raise BadInput(
            f"{path.name} keeps its voxels in {name}, which is not beside it; copy both files into "
            "one folder."
        ) from error
    if stat.S_ISLNK(status.st_mode):
        # Not Path.resolve, which raises where a link points at itself.
        real = Path(os.path.realpath(file))
        if real.parent == Path(os.path.realpath(path.parent)):
            status = real.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(
            f"{path.name} keeps its voxels in {name}, which is no file of its folder; copy both "
            "files into one folder."
        )
    return file


def _damaged(path: Path) -> BadInput:
    return BadInput(
        f"{path.name} is not an image, or its header is damaged; export it again as {KINDS}."
    )


def _twice(path: Path, key: str) -> BadInput:
    return BadInput(f"The header of {path.name} gives {key} twice; export the scan again.")
