"""The choices of a segmentation in the reader's words, by their values in ``SegmentSettings``."""

from cmcseg.session.i18n import _


def align_words() -> dict[str, str]:
    """Whether the scans are aligned first."""
    return {"auto": _("when it helps"), "none": _("never"), "rigid": _("always (rigid)")}


def device_words() -> dict[str, str]:
    """Where the network runs."""
    return {
        "auto": _("automatic"),
        "cpu": _("processor"),
        "cuda": _("NVIDIA GPU"),
        "mps": _("Apple GPU"),
    }


def memory_words() -> dict[str, str]:
    """What to do when memory runs out."""
    return {"smaller": _("go on in smaller steps"), "stop": _("stop and say so")}
