"""``cmcseg demo``: the whole job on a synthetic pair whose truth is known."""

from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from tyro.conf import Positional

from cmcseg.cli.console import SCREEN
from cmcseg.cli.sample import Sample
from cmcseg.cli.segment import Segment
from cmcseg.core.user_path import user_path


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Make a synthetic misaligned pair, segment it, compare with its truth."""

    folder: Positional[Path] = Path("demo")
    """Where everything goes; it is made anew."""

    def run(self) -> None:
        """Sample, segment, score."""
        from cmcseg.bundle.store import task_card
        from cmcseg.imaging.files import read_label_map
        from cmcseg.learn.scores import dice

        table = task_card("abdomen").table
        folder = user_path(self.folder)
        pair, result = folder / "pair", folder / "result"
        Sample(folder=pair, seed=1, shift=8.0).run()
        scans = (f"ct={pair / 'ct.nii.gz'}", f"mr={pair / 'mr.nii.gz'}")
        Segment(scans=scans, model="abdomen-ct-mr", out=result).run()
        show = Table("organ", "CT Dice", "MR Dice", title="Agreement with the phantom's truth")
        maps = {
            (role, kind): read_label_map(path, table)
            for role in ("ct", "mr")
            for kind, path in (
                ("truth", pair / f"{role}_truth.nii.gz"),
                ("found", result / f"{role}_labels.nii.gz"),
            )
        }
        for label in table:
            scores = [
                dice(maps[role, "found"].array, maps[role, "truth"].array, label.value)
                for role in ("ct", "mr")
            ]
            show.add_row(label.name, *(f"{score:.3f}" for score in scores))
        SCREEN.print(show)
        SCREEN.print(f"Report: {result / 'report.html'}", soft_wrap=True)
