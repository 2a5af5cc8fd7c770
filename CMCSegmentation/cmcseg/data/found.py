"""Labelled scans as somebody keeps them, before a task is made of them."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class FoundCase:
    """One case of a data set.

    Attributes:
        id: of the case.
        images: files by role.
        labels: label maps by role; roles without one are unlabelled.
        validation: whether the data set keeps it back; None: it does not say.
    """

    id: str
    images: dict[str, Path]
    labels: dict[str, Path]
    validation: bool | None = None


@dataclass(frozen=True, kw_only=True)
class FoundData:
    """A data set in whatever layout.

    Attributes:
        name: what it is called.
        layout: what it was taken for, in words.
        roles: in the order of the data set.
        cases: as found.
        names: what values mean in the label maps; several may share a name; empty: not said.
        unannotated: the value that means "nobody looked here"; None: there is none.
        notes: what was decided on the way, a sentence each.
    """

    name: str
    layout: str
    roles: tuple[str, ...]
    cases: tuple[FoundCase, ...]
    names: dict[int, str] = field(default_factory=dict)
    unannotated: int | None = None
    notes: tuple[str, ...] = ()
