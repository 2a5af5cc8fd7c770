"""What comes out: how two scans lie to each other, and which organ is where."""

from dataclasses import dataclass, field

import numpy as np

from cmcseg.core.labelmap import LabelMap
from cmcseg.core.volume import Volume


@dataclass(frozen=True, kw_only=True, eq=False)
class Alignment:
    """How the moving scan lies to the fixed scan.

    Attributes:
        fixed: role of the scan that stays.
        moving: role of the scan that is moved.
        matrix: 4 x 4 rigid RAS matrix in mm, from the moving scan's world to the fixed one's.
        method: ``header`` (the files' own coordinates), ``rigid`` (registered) or ``hand`` (put
            there by the user).
        similarity: normalised mutual information of the two scans after ``matrix``, 1 to 2.
        confidence: 0 (cannot be trusted) to 1 (as sure as the measure gets).
        overlap: share of the smaller field of view that both scans see, 0 to 1.
        shift_mm: how far ``matrix`` moves the moving scan's middle.
        angle_deg: by how much ``matrix`` turns it.
        tilt_deg: angle between the two stacks' slice normals as the files give them.
        centers_mm: distance of the two fields of view's middles as the files give them.
        seconds: how long it took.
    """

    fixed: str
    moving: str
    matrix: np.ndarray
    method: str
    similarity: float
    confidence: float
    overlap: float
    shift_mm: float
    angle_deg: float
    tilt_deg: float
    centers_mm: float
    seconds: float = 0.0

    def __post_init__(self) -> None:
        turn = self.matrix[:3, :3]
        if self.matrix.shape != (4, 4) or not np.allclose(turn @ turn.T, np.eye(3), atol=1e-6):
            raise ValueError("An alignment needs a rigid 4 x 4 matrix.")
        if not (0 <= self.confidence <= 1 and 0 <= self.overlap <= 1 + 1e-9):
            raise ValueError("Confidence and overlap lie between 0 and 1.")
        if self.method not in ("header", "rigid", "hand"):
            raise ValueError(f"Alignment method {self.method!r} is not known.")

    @property
    def trust(self) -> float:
        """How far the scans may help each other, 0 to 1; fully where a user has placed them."""
        return 1.0 if self.method == "hand" else self.confidence

    def sentence(self) -> str:
        """What a clinician wants to know, in one line."""
        known = (
            f"centres {self.centers_mm:.0f} mm apart, {self.overlap:.0%} shared view, "
            f"{self.tilt_deg:.0f} degrees tilted"
        )
        if self.method == "header":
            return (
                f"Aligned by the files' own coordinates: {known}; confidence {self.confidence:.0%}."
            )
        how = "Placed by hand" if self.method == "hand" else "Registered"
        return (
            f"{how}: moved {self.shift_mm:.1f} mm, turned {self.angle_deg:.1f} degrees "
            f"({known}); confidence {self.confidence:.0%}."
        )

    def to_dict(self) -> dict:
        """JSON-ready form."""
        return {**self.__dict__, "matrix": self.matrix.tolist()}

    @staticmethod
    def from_dict(value: dict) -> "Alignment":
        """Inverse of ``to_dict``."""
        return Alignment(**{**value, "matrix": np.array(value["matrix"], dtype=np.float64)})


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """The segmentation of a pair, each scan on its own grid.

    Attributes:
        labels: a label map per role.
        doubt: per role, 0 (sure) to 1 (entropy, or the two scans disagree).
        model, version, sha256: who made it.
        alignment: how the scans lay to each other; None for a single scan.
        seconds: per stage.
        device: where the network ran.
        precision: the numbers in which it ran: ``float32``, ``float16`` or ``bfloat16``.
        peak_mb: largest memory of the process (and of the GPU) meanwhile, in MiB.
        warnings: one sentence each.
        disagreement: per role, the part of the doubt that comes from the two scans contradicting
            each other, 0 to 1; empty for a single scan.
    """

    labels: dict[str, LabelMap]
    doubt: dict[str, Volume]
    model: str
    version: str
    sha256: str
    alignment: Alignment | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    device: str = "cpu"
    precision: str = "float32"
    peak_mb: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    disagreement: dict[str, Volume] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.labels or set(self.labels) != set(self.doubt):
            raise ValueError("A prediction holds a label map and a doubt map for each role.")
        for role, label_map in self.labels.items():
            if not label_map.grid.agrees_with(self.doubt[role].grid):
                raise ValueError(f"Labels and doubt of {role} lie on different grids.")
