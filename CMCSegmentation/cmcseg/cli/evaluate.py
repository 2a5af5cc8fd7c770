"""``cmcseg evaluate``: how good a model is on labelled scans."""

from dataclasses import dataclass
from pathlib import Path

from cmcseg.cli.screen import SCREEN, checked
from cmcseg.core.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Dice per organ and case on a cohort's validation cases, each scan on its own grid."""

    model: str
    """Name of a model or its folder."""
    cohort: Path
    """A JSON datalist; its 'validation' cases are scored."""
    out: Path
    """Folder for scores.csv."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""

    def run(self) -> None:
        """Segment every scan alone and score it."""
        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.store import default_store
        from cmcseg.core.settings import SegmentSettings
        from cmcseg.data.cohort import read_cohort
        from cmcseg.imaging.files import atomic_path, read_label_map, read_volume
        from cmcseg.learn.scores import dice
        from cmcseg.predict.segment import segment

        bundle = load_bundle(default_store().find(self.model))
        cohort = read_cohort(self.cohort, bundle.card)
        settings = checked(SegmentSettings, device=self.device)
        rows = []
        for pair in cohort.validation:
            for role, scan in pair.scans.items():
                if scan.labels is None:
                    continue
                truth = read_label_map(scan.labels, cohort.table, cohort.unannotated)
                found = segment({role: read_volume(scan.image)}, bundle, settings).labels[role]
                for label in cohort.table:
                    score = dice(found.array, truth.array, label.value)
                    rows.append((pair.id, role, label.name, score))
                    SCREEN.print(f"{pair.id} {role} {label.name}: {score:.3f}")
        if not rows:
            raise BadInput(f"The cohort {self.cohort} has no labelled validation case.")
        self.out.mkdir(parents=True, exist_ok=True)
        lines = ["case,role,organ,dice", *(f"{c},{r},{o},{d:.4f}" for c, r, o, d in rows)]
        with atomic_path(self.out / "scores.csv") as draft:
            draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
