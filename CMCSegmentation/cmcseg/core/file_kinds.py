"""What a file is by its name and its first bytes, before anything reads it."""

import re
from pathlib import Path

_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
IMAGES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")  # of scans in one file
DATA = (".raw", ".zraw", ".raw.gz")  # voxels whose header is another file
# What systems and writers of discs put beside scans.
JUNK = (".ds_store", "thumbs.db", "desktop.ini", "autorun.inf", "dicomdir")


def is_device_name(name: str) -> bool:
    """Whether Windows takes a name, whatever its ending, for a device."""
    return _DEVICES.fullmatch(name) is not None


def is_junk(path: Path) -> bool:
    """Whether a name is one that a system or a disc's writer leaves beside scans."""
    name = path.name.lower()
    return name in JUNK or name.startswith("._") or "__MACOSX" in path.parts


def is_image_name(name: str) -> bool:
    """Whether a name ends like that of a scan in one file."""
    return name.lower().endswith(IMAGES)


def is_data_name(name: str) -> bool:
    """Whether a name ends like that of voxels whose header is another file."""
    return name.lower().endswith(DATA)


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its first bytes.

    They are the mark behind 128 bytes or, as old exports lack both, a data element of group 2 or 8.
    """
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return False
        with path.open("rb") as file:
            head = file.read(132)
    except OSError:
        return False
    return head[128:] == b"DICM" or _is_element(head)


def _is_element(head: bytes) -> bool:
    """Whether bytes begin with a little endian data element; PS3.5 7.1."""
    if len(head) < 132 or head[:2] not in (b"\x02\x00", b"\x08\x00") or head[3] > 0x11:
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    return explicit or int.from_bytes(head[4:8], "little") < 1 << 10
