"""What is given to the queue: scans and labels in memory or on disk, and where they came from."""

from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelMap, LabelTable
from cmcseg.core.volume import Volume


@dataclass(frozen=True, kw_only=True, eq=False)
class Submission:
    """A correction on its way into the queue.

    Attributes:
        scans: by role; the voxels are copied into the queue.
        corrected: label maps by role, as the user left them; 255 where nobody looked.
        table: of the label maps.
        found: what the model had found, by role.
        pair: study-local id; empty: the queue chooses one.
        references: roles whose scan stays where it is; the queue keeps path and checksum.
        organs: by role, those that were looked at; a role that is left out means all.
        drawn: by role, the strokes of the user's hand; 255 where there is none.
        model, version, sha256, alignment, changes, strokes, seconds, who, notes: as in
            ``QueueEntry``.

    Raises:
        ValueError: when nothing was corrected, or labels belong to another grid or role.
    """

    scans: dict[str, Volume]
    corrected: dict[str, LabelMap]
    table: LabelTable
    found: dict[str, LabelMap] = field(default_factory=dict)
    drawn: dict[str, LabelMap] = field(default_factory=dict)
    pair: str = ""
    references: dict[str, Path] = field(default_factory=dict)
    organs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    model: str = ""
    version: str = ""
    sha256: str = ""
    alignment: dict | None = None
    changes: tuple[dict, ...] = ()
    strokes: tuple[dict, ...] = ()
    seconds: float = 0.0
    who: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        if not self.corrected:
            raise ValueError("No label map was given; an entry needs a corrected scan.")
        kinds = {"corrected": self.corrected, "found": self.found, "drawn": self.drawn}
        for kind, maps in kinds.items():
            for role, labels in maps.items():
                if role not in self.scans:
                    raise ValueError(f"The {role} has a {kind} label map but no scan.")
                if not labels.grid.agrees_with(self.scans[role].grid):
                    raise ValueError(
                        f"The {kind} label map of the {role} lies on another grid than the scan."
                    )


def check_scans(scans: dict[str, Volume], table: LabelTable) -> None:
    """Refuse what only files given by hand can be: a mix-up that a model would learn from.

    Raises:
        BadInput: when a scan is a label map, or one scan was given for two roles.
    """
    labels = [0, *(label.value for label in table)]
    for role, scan in scans.items():
        if np.isin(scan.array, labels).all() and np.ptp(scan.array) > 0:
            raise BadInput(
                f"The {role} scan holds nothing but values of the label table; give the scan "
                "itself."
            )
    for one, other in combinations(scans, 2):
        if scans[one].is_same_as(scans[other]):
            raise BadInput(
                f"The same scan was given as {one} and as {other}; give two scans, or one."
            )
