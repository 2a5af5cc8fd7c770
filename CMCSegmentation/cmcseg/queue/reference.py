"""Scans that the queue only refers to: which may be, as their paths are kept for all to read."""

import re
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import is_dicom


def check_reference(role: str, path: Path, subject: str = "") -> Path:
    """The whole path of a scan, if the queue may keep it.

    A name in the path that is no part of the subject's id cannot be recognised: whoever refers to
    scans must keep patients' names out of the names of folders.

    Args:
        role: of the scan.
        path: an image file.
        subject: what the clinic calls the patient; empty when nobody said.

    Raises:
        BadInput: for DICOM, and for a path that holds a word of the subject's id.
    """
    whole = Path(path).resolve()
    if whole.is_dir() or is_dicom(whole):
        raise BadInput(
            f"The {role} is DICOM, which is many files and holds the patient's name, so the queue "
            "cannot refer to it; leave --reference out, and its voxels alone are copied."
        )
    words = re.findall(r"[^\W_]{3,}", subject.casefold())
    if told := [word for word in words if word in str(whole).casefold()]:
        raise BadInput(
            f"The path of the {role} holds {told[0]!r} of the patient's id, and the queue would "
            "keep it; leave --reference out, and its voxels alone are copied."
        )
    return whole
