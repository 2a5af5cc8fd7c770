"""``cmcseg evaluate``: how good a model is on labelled scans."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import date
from heapq import nsmallest
from pathlib import Path
from statistics import mean
from typing import Annotated

from rich.table import Table
from tyro.conf import arg

from cmcseg.cli.console import SCREEN, bar, checked
from cmcseg.cli.organ_scores import (
    TOLERANCE_MM,
    Score,
    ScoredScan,
    labelled_validation,
    scored,
    write_scores,
)
from cmcseg.core.errors import BadInput
from cmcseg.core.user_path import user_path
from cmcseg.core.whole_folder import new_folder

PAGE = "evaluation.html"
SHOWN = 6  # scans with pictures


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Dice, surface Dice, 95 % Hausdorff distance and volume error per organ and case.

    Every labelled validation scan is segmented alone and, where the case has two scans, together
    with the other one, each on its own grid. An organ that neither the model nor the truth shows
    gets no score.
    """

    model: str
    """Name of a model or its folder, or the folder of a run with --folds."""
    cohort: Path
    """A JSON datalist; its 'validation' cases are scored."""
    out: Path
    """Folder for scores.csv, scores.png and evaluation.html, which shows the worst scans."""
    tolerance_mm: float = TOLERANCE_MM
    """How far surfaces may lie apart and still agree, for the surface Dice."""
    align: str = "auto"
    """How two scans of a case are aligned: auto, none or rigid."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    write: bool = False
    """Put the measured values on the model's card; the model must be a folder."""
    import_: Annotated[bool, arg(name="import")] = False
    """Import the model afterwards, so that commands and panels know it by its name."""

    def run(self) -> None:
        """Segment, score, write, show the means."""
        from cmcseg.bundle.ensemble import load_model
        from cmcseg.bundle.pack import write_measured
        from cmcseg.bundle.store import default_store
        from cmcseg.core.settings import SegmentSettings
        from cmcseg.data.cohort import read_cohort
        from cmcseg.report.evaluation_page import write_evaluation
        from cmcseg.report.score_plot import draw_scores

        settings = checked(SegmentSettings, align=self.align, device=self.device)
        if not self.tolerance_mm >= 0:
            raise BadInput(f"A tolerance of {self.tolerance_mm} mm is less than 0.")
        store = default_store()
        bundle = load_model(store, self.model)
        if (self.write or self.import_) and not self._is_folder(store.names()):
            raise BadInput(
                f"--write and --import want a model's folder, which {self.model} is not."
            )
        if self.import_:
            store.refuse_taken(bundle.card)  # before the work is done
        path = user_path(self.cohort)
        cohort = read_cohort(path, bundle.card)
        pairs = labelled_validation(cohort, path)
        scans: list[ScoredScan] = []
        scores: list[Score] = []
        with bar() as report:
            for scan in scored(
                pairs, bundle, cohort, settings, tolerance_mm=self.tolerance_mm, report=report
            ):
                scores += scan.scores
                if scan.scores[0].scans == "alone":
                    scans = nsmallest(SHOWN, [*scans, scan], key=lambda each: each.mean_dice)
        columns, rows = means(scores, self.tolerance_mm)
        note = f"{len(pairs)} validation cases of {cohort.name}, {date.today().isoformat()}."
        with new_folder(self.out) as draft:
            write_scores(scores, draft / "scores.csv")
            colors = {label.name: label.color for label in bundle.card.table}
            plot = draft / "scores.png"
            draw_scores([astuple(s) for s in scores], colors, plot, title=bundle.card.title)
            write_evaluation(
                draft / PAGE,
                card=bundle.card,
                columns=columns,
                rows=rows,
                worst=[_worst(scan) for scan in scans],
                plot=plot,
                note=note,
            )
        show = Table(*columns)
        for row in rows:
            show.add_row(*row)
        SCREEN.print(show)
        SCREEN.print(f"Scores: {self.out / 'scores.csv'}, scores.png and {PAGE}", soft_wrap=True)
        if self.write:
            write_measured(bundle.folder, measured(scores, note, self.tolerance_mm))
            SCREEN.print(f"Written to the card in {bundle.folder}", soft_wrap=True)
        if self.import_:
            SCREEN.print(f"Imported {store.import_(bundle.folder).name}")

    def _is_folder(self, names: tuple[str, ...]) -> bool:
        from cmcseg.bundle.verify import CARD

        return self.model not in names and (user_path(self.model) / CARD).is_file()


def _worst(scan: ScoredScan):  # noqa: ANN202
    from cmcseg.report.evaluation_page import Worst

    dice = {score.organ: score.dice for score in scan.scores if score.dice == score.dice}
    return Worst(
        case=scan.case,
        role=scan.role,
        volume=scan.volume,
        found=scan.found,
        truth=scan.truth,
        dice=dice,
    )


def means(
    scores: list[Score], tolerance_mm: float
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows of the table of means, per role and organ."""
    surface = f"surface Dice {tolerance_mm:g} mm"
    columns: tuple[str, ...] = (
        "role",
        "organ",
        "cases",
        "Dice",
        surface,
        "HD95 mm",
        "volume error",
        "Dice together",
    )
    rows: list[tuple[str, ...]] = []
    for role, organ in dict.fromkeys((score.role, score.organ) for score in scores):
        mine = [s for s in scores if (s.role, s.organ) == (role, organ) and s.dice == s.dice]
        alone = [score for score in mine if score.scans == "alone"]
        both = [score for score in mine if score.scans == "together"]
        rows.append(
            (
                role,
                organ,
                str(len(alone)),
                _mean(alone, lambda s: s.dice, "{:.3f}"),
                _mean(alone, lambda s: s.surface_dice, "{:.3f}"),
                _mean(alone, lambda s: s.hd95_mm, "{:.1f}"),
                _mean(alone, lambda s: s.volume_error, "{:+.0%}"),
                _mean(both, lambda s: s.dice, "{:.3f}"),
            )
        )
    return columns, rows


def measured(scores: list[Score], note: str, tolerance_mm: float) -> dict:
    """What a card says: mean Dice by role and organ of scans alone, and how it was measured."""
    alone = [score for score in scores if score.scans == "alone" and score.dice == score.dice]
    kinds: dict[str, Callable[[Score], float]] = {
        "": lambda score: score.dice,
        f"surface Dice {tolerance_mm:g} mm": lambda score: score.surface_dice,
        "volume error": lambda score: score.volume_error,
    }
    tables = {}
    for kind, value in kinds.items():
        table: dict[str, dict[str, float]] = {}
        for role, organ in dict.fromkeys((s.role, s.organ) for s in alone):
            mine = [value(s) for s in alone if (s.role, s.organ) == (role, organ)]
            if known := [number for number in mine if number == number]:
                table.setdefault(role, {})[organ] = round(mean(known), 3)
        tables[kind] = table
    how = f"Mean Dice of each scan alone on its own grid after cleaning; {note}"
    cases = len({score.case for score in alone})
    return {**tables.pop(""), **tables, "cases": cases, "how": how}


def _mean(scores: list[Score], value: Callable[[Score], float], form: str) -> str:
    known = [number for score in scores if (number := value(score)) == number]
    return form.format(mean(known)) if known else "-"
