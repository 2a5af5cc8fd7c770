"""What can go wrong, told in one sentence to the person at the screen."""


class CMCSegError(Exception):
    """Base of every error raised on purpose; its text is one sentence a user can act on."""


class BadInput(CMCSegError):
    """What the user gave cannot be used; the command ends with exit code 2."""


class Cancelled(CMCSegError):
    """The user stopped the work; nothing was left half-written."""
