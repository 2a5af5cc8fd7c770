"""``cmcseg sample``: a synthetic pair to try things on."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from cmcseg.cli.console import SCREEN
from cmcseg.core.errors import BadInput
from cmcseg.core.whole_folder import new_folder

FARTHEST_MM = 200.0  # beyond it the scans share no view


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Write a synthetic pair with its truth, to try things on."""

    folder: Positional[Path]
    """Where ROLE.nii.gz and ROLE_truth.nii.gz go."""
    task: str = "abdomen"
    """abdomen, heart or orbit."""
    seed: int = 0
    """Another number is another phantom."""
    shift: float = 0.0
    """How far the second scan is moved, in mm."""

    def run(self) -> None:
        """Render and write."""
        from cmcseg.bundle.store import task_card
        from cmcseg.data.synthesis import make_pair
        from cmcseg.imaging.files import write_label_map, write_volume

        if not 0 <= self.shift <= FARTHEST_MM:  # NaN is refused as well
            raise BadInput(f"A shift of {self.shift:g} mm is not between 0 and {FARTHEST_MM:g} mm.")
        pair = make_pair(self.task, task_card(self.task).table, seed=self.seed, shift_mm=self.shift)
        with new_folder(self.folder) as draft:
            for role, scan in pair.items():
                write_volume(scan.volume, draft / f"{role}.nii.gz")
                write_label_map(scan.truth, draft / f"{role}_truth.nii.gz")
        SCREEN.print(f"Wrote {' and '.join(pair)} to {self.folder}", soft_wrap=True)
