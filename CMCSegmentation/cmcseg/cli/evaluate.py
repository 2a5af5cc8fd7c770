"""``cmcseg evaluate``: how good a model is on labelled scans."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from rich.table import Table

from cmcseg.cli.console import SCREEN, bar, checked, new_folder
from cmcseg.core.atomic_write import write_whole
from cmcseg.core.errors import BadInput

COLUMNS = ("case", "scans", "role", "organ", "dice", "hd95_mm")


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Dice and 95 % Hausdorff distance per organ and case, each scan on its own grid.

    Every labelled validation scan is segmented alone and, where the case has two scans, together
    with the other one. An organ that neither the model nor the truth shows gets no score.
    """

    model: str
    """Name of a model or its folder."""
    cohort: Path
    """A JSON datalist; its 'validation' cases are scored."""
    out: Path
    """Folder for scores.csv and scores.png."""
    align: str = "auto"
    """How two scans of a case are aligned: auto, none or rigid."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""

    def run(self) -> None:
        """Segment, score, write, show the means."""
        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.store import default_store
        from cmcseg.core.settings import SegmentSettings
        from cmcseg.data.cohort import read_cohort
        from cmcseg.report.score_plot import draw_scores

        settings = checked(SegmentSettings, align=self.align, device=self.device)
        bundle = load_bundle(default_store().find(self.model))
        cohort = read_cohort(self.cohort.expanduser(), bundle.card)
        pairs = [p for p in cohort.validation if any(s.labels for s in p.scans.values())]
        if not pairs:
            raise BadInput(f"The cohort {self.cohort} has no labelled validation case.")
        rows: list[tuple] = []
        with bar() as report:
            for number, pair in enumerate(pairs):
                report(_at(f"case {pair.id}", number, len(pairs)))
                rows += _scored(pair, bundle, cohort, settings)
        with new_folder(self.out) as draft:
            _write(rows, draft / "scores.csv")
            colors = {label.name: label.color for label in bundle.card.table}
            draw_scores(rows, colors, draft / "scores.png", title=bundle.card.title)
        SCREEN.print(_means(rows))
        SCREEN.print(f"Scores: {self.out / 'scores.csv'} and scores.png", soft_wrap=True)


def _scored(pair, bundle, cohort, settings) -> Iterator[tuple]:  # noqa: ANN001
    """One row per scan, organ and way of segmenting."""
    from cmcseg.imaging.files import read_label_map, read_volume
    from cmcseg.imaging.surface import hausdorff95
    from cmcseg.learn.scores import dice
    from cmcseg.predict.segment import segment

    volumes = {role: read_volume(scan.image) for role, scan in pair.scans.items()}
    truths = {
        role: read_label_map(
            scan.labels, cohort.table, cohort.unannotated, cohort.names, volumes[role].grid
        )
        for role, scan in pair.scans.items()
        if scan.labels
    }
    ways = [("alone", {role: volumes[role]}) for role in truths]
    if len(volumes) == 2:
        ways.append(("together", volumes))
    for way, given in ways:
        found = segment(given, bundle, settings).labels
        for role in given:
            if role not in truths:
                continue
            truth = truths[role]
            organs = pair.scans[role].organs
            for label in cohort.table:
                if organs and label.name not in organs:
                    continue
                a, b = found[role].array == label.value, truth.array == label.value
                score = dice(found[role].array, truth.array, label.value)
                yield (pair.id, way, role, label.name, score, hausdorff95(a, b, truth.grid))


def _write(rows: list[tuple], path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for *names, score, distance in rows:
        writer.writerow((*names, f"{score:.4f}", f"{distance:.2f}"))
    write_whole(path, text.getvalue())


def _means(rows: list[tuple]) -> Table:
    """Mean Dice per role and organ, alone and together."""
    show = Table("role", "organ", "cases", "Dice alone", "HD95 mm alone", "Dice together")
    keys = dict.fromkeys((row[2], row[3]) for row in rows)
    for role, organ in keys:
        mine = [row for row in rows if row[2:4] == (role, organ) and row[4] == row[4]]
        alone = [row for row in mine if row[1] == "alone"]
        both = [row[4] for row in mine if row[1] == "together"]
        show.add_row(
            role,
            organ,
            str(len(alone)),
            f"{mean(row[4] for row in alone):.3f}" if alone else "-",
            f"{mean(row[5] for row in alone):.1f}" if alone else "-",
            f"{mean(both):.3f}" if both else "-",
        )
    return show


def _at(stage: str, done: int, total: int):  # noqa: ANN202
    from cmcseg.core.progress import Progress

    return Progress(stage=stage, done=done, total=total)
