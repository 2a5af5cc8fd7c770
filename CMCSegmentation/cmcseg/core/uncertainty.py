"""How much doubt is much: the limits and the levels of every table, page and review."""

from enum import IntEnum

DOUBTFUL = 0.3  # of 1; two equally likely organs out of four and background reach 0.43
# Share of an organ's voxels that are doubtful. Every organ has a doubtful rim: on eight scans of
# the abdominal model 0.1.0, organs of a Dice above 0.9 had shares of 0.13 to 0.22, and where more
# than 0.3 was doubtful Dice was 0.78 to 0.85.
SOME, HIGH = 0.22, 0.3


class DoubtLevel(IntEnum):
    """How much of an organ is in doubt; the most doubtful of several scans is their ``max``.

    ``NOT_FOUND`` is the least: that one scan lacks an organ hides no doubt about it in the other.
    """

    NOT_FOUND = 0
    LOW = 1
    SOME = 2
    HIGH = 3

    @property
    def word(self) -> str:
        """``not found``, ``low``, ``some`` or ``high``."""
        return self.name.lower().replace("_", " ")


def doubt_level(share: float, *, found: bool) -> DoubtLevel:
    """The level of an organ of which a share, 0 to 1, is doubtful."""
    if not found:
        return DoubtLevel.NOT_FOUND
    return DoubtLevel.HIGH if share > HIGH else DoubtLevel.SOME if share > SOME else DoubtLevel.LOW
