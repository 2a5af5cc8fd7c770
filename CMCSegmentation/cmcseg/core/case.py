"""Who is segmented or learned from: scans, pairs of scans and cohorts of pairs."""

from dataclasses import dataclass, field
from pathlib import Path

from cmcseg.core.labelmap import LabelTable


@dataclass(frozen=True, kw_only=True)
class Scan:
    """One scan of a pair, and what is known about its organs.

    Attributes:
        role: the part it plays for the model ("ct", "mr", "bssfp", "lge").
        image: an image file, or a folder that holds one DICOM series.
        labels: a dense label map, when there is one.
        scribbles: a sparse label map; voxels that nobody marked take no part.
        organs: names of the organs that ``labels`` covers; empty means all of the table.
    """

    role: str
    image: Path
    labels: Path | None = None
    scribbles: Path | None = None
    organs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.labels is not None and self.scribbles is not None:
            raise ValueError(f"The {self.role} scan has dense labels and scribbles; give one.")

    @property
    def annotation(self) -> Path | None:
        """The label map or the scribbles, whichever there is."""
        return self.labels or self.scribbles


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Scans of one subject by role; not assumed aligned, and any role may be missing."""

    id: str
    scans: dict[str, Scan]

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("A pair needs an id.")
        if not self.scans:
            raise ValueError(f"Pair {self.id} has no scan.")
        if any(role != scan.role for role, scan in self.scans.items()):
            raise ValueError(f"Pair {self.id} files a scan under another role than its own.")

    @property
    def is_labelled(self) -> bool:
        """Whether any scan of the pair carries an annotation."""
        return any(scan.annotation for scan in self.scans.values())


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Pairs to learn from, to choose by and to score on.

    Attributes:
        name: what the cohort is called.
        roles: every role that occurs, in the order of the network's inputs.
        table: the organs of the label maps.
        train: pairs that may move weights.
        validation: pairs that models are chosen by.
        unannotated: the value in scribbles that means "nobody looked here".
        names: what the values mean in the files, where the cohort says; empty: as in the table.
    """

    name: str
    roles: tuple[str, ...]
    table: LabelTable
    train: tuple[Pair, ...]
    validation: tuple[Pair, ...] = ()
    unannotated: int = 255
    names: dict[int, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = [pair.id for pair in self.train + self.validation]
        if len(set(ids)) != len(ids):
            twice = sorted({i for i in ids if ids.count(i) > 1})
            raise ValueError(f"Cohort {self.name} lists {', '.join(twice)} twice.")
        for pair in self.train + self.validation:
            if strange := set(pair.scans) - set(self.roles):
                raise ValueError(
                    f"Pair {pair.id} has the unknown role {', '.join(sorted(strange))}."
                )
