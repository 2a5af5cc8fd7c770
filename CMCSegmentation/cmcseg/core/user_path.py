"""A path as a user writes it."""

from pathlib import Path


def user_path(path: str | Path) -> Path:
    """``~`` and ``~ann`` are home folders; if nobody is called so, it is a name like any other."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # "~ct.nii.gz", as some programs call what is not saved yet
        return Path(path)
