"""One corrected pair, as it lies in the queue."""

import math
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import PurePosixPath, PureWindowsPath

from cmcseg.core.card import table_from_dict
from cmcseg.core.field_types import check_field_types
from cmcseg.core.labelmap import LabelTable
from cmcseg.queue.holdout import part_of

FORMAT = 1
_PAIR = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.nii\.gz")
_ROLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_ID = re.compile(r"([a-z0-9][a-z0-9_-]{0,63})\.r([1-9][0-9]{0,5})")


@dataclass(frozen=True, kw_only=True)
class EntryScan:
    """One scan of an entry; files are named within the entry's folder.

    Attributes:
        image: file of the scan, or an absolute path when it is only referred to.
        sha256: of the scan's file when it is only referred to, else empty.
        labels: the corrected label map, or None.
        scribbles: marks instead of a label map, or None.
        found: what the model had found, or None.
        strokes: what a hand drew to correct it, the accepted label at every marked voxel and 255
            elsewhere; or None.
        organs: those that were looked at; empty means all of the table.

    Raises:
        ValueError: for a file that would not lie in the entry's own folder.
    """

    image: str
    sha256: str = ""
    labels: str | None = None
    scribbles: str | None = None
    found: str | None = None
    strokes: str | None = None
    organs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.files:
            if not isinstance(name, str) or not _FILE.fullmatch(name):
                raise ValueError(f"{_short(str(name))!r} is not the name of a file of an entry.")
        kinds = (PurePosixPath, PureWindowsPath)  # a shared queue is read on both
        if self.sha256 and not any(kind(self.image).is_absolute() for kind in kinds):
            raise ValueError(
                f"The path {_short(self.image)!r} that is referred to is not absolute."
            )

    @property
    def files(self) -> list[str]:
        """Names of those that lie in the entry's folder."""
        kept = [] if self.sha256 else [self.image]
        drawn = (self.labels, self.scribbles, self.found, self.strokes)
        return [*kept, *(name for name in drawn if name is not None)]


@dataclass(frozen=True, kw_only=True)
class QueueEntry:
    """A corrected pair and where it came from.

    Attributes:
        pair: study-local id; nothing in it leads back to the patient.
        revision: 1 for the first correction of this pair, one more for each later one.
        at: when it was accepted, ISO 8601 with the offset from UTC.
        scans: by role.
        table: what the label maps' values mean.
        model, version, sha256: who had segmented it first; empty when nobody had.
        alignment: how the scans lay to each other, as ``Alignment.to_dict`` says; or None.
        changes: what was changed, organ by organ.
        strokes: marks whose proposals were taken: scan, organ, voxels, seconds of the hand, voxels
            that changed.
        seconds: how long the correction took.
        who, notes: in the user's words.

    Raises:
        ValueError: for a name, role or date that cannot be.
    """

    pair: str
    revision: int
    at: str
    scans: dict[str, EntryScan]
    table: LabelTable
    model: str = ""
    version: str = ""
    sha256: str = ""
    alignment: dict | None = None
    changes: tuple[dict, ...] = ()
    strokes: tuple[dict, ...] = ()
    seconds: float = 0.0
    who: str = ""
    notes: str = ""
    facts: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_pair(self.pair)
        if not 1 <= self.revision < 1_000_000:
            raise ValueError(f"The revision {self.revision} is outside 1 to 999999.")
        if datetime.fromisoformat(self.at).tzinfo is None:
            raise ValueError(f"The time {self.at} lacks its offset from UTC.")
        for role in self.scans:
            if not _ROLE.fullmatch(role):
                raise ValueError(f"{_short(role)!r} cannot be the role of a scan.")
        if not self.scans:
            raise ValueError(f"The entry {self.id} has no scan.")

    @property
    def id(self) -> str:
        """Name of the entry's folder."""
        return f"{self.pair}.r{self.revision}"

    @property
    def files(self) -> list[str]:
        """Names of the scans and label maps in the entry's folder."""
        return [name for scan in self.scans.values() for name in scan.files]

    @property
    def part(self) -> str:
        """``learn``, or ``check``: never trained on. The pair's id says it, so no edit can."""
        return part_of(self.pair)

    def to_dict(self) -> dict:
        """JSON-ready form; id and part are there to be read by people."""
        value = {"format": FORMAT, "id": self.id, "part": self.part, **asdict(self)}
        if not self.strokes:  # programs that know no strokes read all other entries
            for part in (value, *value["scans"].values()):
                del part["strokes"]
        return value

    @staticmethod
    def from_dict(value: dict) -> "QueueEntry":
        """Inverse of ``to_dict``.

        Raises:
            ValueError: when it is not one, or of a format that this version does not know.
        """
        try:
            if value["format"] != FORMAT:
                raise ValueError(f"Format {value['format']!r} is not {FORMAT}.")
            rest = {k: v for k, v in value.items() if k not in ("format", "id", "part")}
            rest["scans"] = {
                role: EntryScan(**{**scan, "organs": tuple(scan["organs"])})
                for role, scan in value["scans"].items()
            }
            rest["table"] = table_from_dict(value["table"])
            rest["changes"] = tuple(value["changes"])
            rest["strokes"] = tuple(value.get("strokes", ()))
            entry = QueueEntry(**rest)
            check_field_types(entry)
            if strange := [change for change in entry.changes if not _is_change(change)]:
                raise ValueError(f"{_short(str(strange[0]))} is no change of an organ.")
            if entry.id != value["id"]:
                raise ValueError(f"The id {value['id']} does not fit {entry.id}.")
        except (KeyError, TypeError, AttributeError, ArithmeticError, IndexError) as error:
            raise ValueError(f"This is no entry of a queue: {error}.") from error
        return entry


def check_pair(name: str) -> str:
    """The name, if it can be a pair's.

    Raises:
        ValueError: for anything that could lead out of the queue or fails on some disk.
    """
    if not _PAIR.fullmatch(name):
        raise ValueError(
            f"The pair's id {_short(name)!r} must be 1 to 64 characters of a to z, 0 to 9, "
            "'-' and '_'."
        )
    return name


def check_id(name: str) -> str:
    """The name, if it can be an entry's (``pair.rN``).

    Raises:
        ValueError: otherwise.
    """
    if not _ID.fullmatch(name):
        raise ValueError(f"{_short(name)!r} is not an entry's id, as in 'p4f01c2.r1'.")
    return name


def pair_of(entry_id: str) -> tuple[str, int]:
    """Pair and revision of an entry's id."""
    pair, _, revision = check_id(entry_id).rpartition(".r")
    return pair, int(revision)


def _is_change(change: dict) -> bool:
    words = all(isinstance(change.get(name), str) for name in ("role", "organ"))
    rest = [value for value in change.values() if not isinstance(value, str)]
    return words and all(type(n) in (int, float) and math.isfinite(n) for n in rest)


def _short(name: str) -> str:
    return name if len(name) <= 40 else name[:37] + "..."
