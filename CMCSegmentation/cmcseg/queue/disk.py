"""What a disk says, in words."""

import errno

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is a disk or an allowance that is used up."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False


def in_words(error: BaseException) -> str:
    """Why a disk refused, without a full stop."""
    if is_full(error):
        return "the disk is full"
    return getattr(error, "strerror", None) or str(error).rstrip(".")
