"""How far down the page the user is."""

from enum import Enum


class Stage(str, Enum):
    """States of a segmentation, in order; ``cancel`` returns to the one before."""

    NO_SCANS = "no scans"
    READY = "ready"
    SEGMENTING = "segmenting"
    RESULT = "result"
    CORRECTING = "correcting"
    ACCEPTED = "accepted"


class LearnStage(str, Enum):
    """States of a fine-tuning, beside those of a segmentation."""

    IDLE = "idle"
    FINE_TUNING = "fine-tuning"
    VERDICT = "verdict"
    ADOPTED = "adopted"
    KEPT = "kept"
