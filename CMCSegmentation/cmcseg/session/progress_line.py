"""The line below a progress bar."""

from cmcseg.core.progress import Progress
from cmcseg.session.i18n import _


def progress_line(progress: Progress, device: str) -> str:
    """What is being done, how long it may still take, and where."""
    left = progress.seconds_left
    parts = [progress.stage, _("about {:.0f} s left").format(left) if left is not None else ""]
    return " · ".join(part for part in (*parts, device) if part)
