"""``cmcseg compare``: which of two models is better on the same cases, and how sure that is."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from tyro.conf import Positional

from cmcseg.cli.console import SCREEN, bar, checked
from cmcseg.cli.organ_scores import Score, labelled_validation, scored
from cmcseg.core.atomic_write import write_whole
from cmcseg.core.errors import BadInput
from cmcseg.core.paired import paired_interval
from cmcseg.core.sequential_test import FIRST
from cmcseg.core.user_path import user_path
from cmcseg.core.whole_folder import new_folder

ALL = "all organs"


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Score two models on the same cases and take the differences case by case.

    An interval that lies above 0 says that the second model is better on such cases; one that holds
    0 says that these cases cannot tell.
    """

    first: Positional[str]
    """Name of a model, its folder, or that of a run with --folds."""
    second: Positional[str]
    """The other one."""
    cohort: Path
    """A JSON datalist; its labelled 'validation' cases are scored, each scan alone."""
    out: Path
    """Folder for differences.csv and differences.png."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""

    def run(self) -> None:
        """Score both, subtract, say how sure the difference is."""
        from cmcseg.bundle.ensemble import load_model
        from cmcseg.bundle.store import default_store
        from cmcseg.core.settings import SegmentSettings
        from cmcseg.data.cohort import read_cohort
        from cmcseg.report.difference_plot import draw_differences

        settings = checked(SegmentSettings, device=self.device)
        path, dice = user_path(self.cohort), []
        for name in (self.first, self.second):
            bundle = load_model(default_store(), name)
            cohort = read_cohort(path, bundle.card)
            pairs = labelled_validation(cohort, path)
            with bar() as report:
                found = [
                    s
                    for scan in scored(
                        pairs, bundle, cohort, settings, together=False, report=report
                    )
                    for s in scan.scores
                ]
            dice.append(_alone(found))
        keys = [key for key in dice[0] if key in dice[1]]
        if not keys:
            raise BadInput(f"{self.first} and {self.second} have no role and organ in common.")
        rows = [(*key, dice[0][key], dice[1][key]) for key in keys]
        show = Table("role", "organ", "cases", "first", "second", "difference", "95 % interval")
        intervals: dict[tuple[str, str], tuple[float, float, float]] = {}
        for group, mine in _groups(rows).items():
            by_case = _by_case(mine)
            middle, low, high = intervals[group] = paired_interval(list(by_case.values()))
            first, second = (sum(row[n] for row in mine) / len(mine) for n in (3, 4))
            numbers = (f"{first:.3f}", f"{second:.3f}", f"{middle:+.3f}")
            sure = f"{low:+.3f} to {high:+.3f}" if low == low else "one case"
            show.add_row(*group, str(len(by_case)), *numbers, sure)
        with new_folder(self.out) as draft:
            _write(rows, draft / "differences.csv")
            changes = {key: list(_by_case(mine).values()) for key, mine in _groups(rows).items()}
            draw_differences(
                changes, intervals, draft / "differences.png", names=(self.first, self.second)
            )
        SCREEN.print(show)
        cases = len({row[0] for row in rows})
        told = verdict(intervals["", ALL], cases, self.first, self.second)
        SCREEN.print(told, soft_wrap=True, markup=False)
        SCREEN.print(f"Differences: {self.out / 'differences.csv'} and .png", soft_wrap=True)


def _alone(scores: list[Score]) -> dict[tuple[str, str, str], float]:
    """Dice by case, role and organ of scans by themselves."""
    return {
        (s.case, s.role, s.organ): s.dice for s in scores if s.scans == "alone" and s.dice == s.dice
    }


def _groups(rows: list[tuple]) -> dict[tuple[str, str], list[tuple]]:
    """Rows by role and organ, and all of them."""
    groups: dict[tuple[str, str], list[tuple]] = {}
    for row in rows:
        groups.setdefault((row[1], row[2]), []).append(row)
    return {**groups, ("", ALL): rows}


def _by_case(rows: list[tuple]) -> dict[str, float]:
    """The mean difference of every case, so that a case counts once."""
    cases: dict[str, list[float]] = {}
    for case, _, _, first, second in rows:
        cases.setdefault(case, []).append(second - first)
    return {case: sum(values) / len(values) for case, values in cases.items()}


def verdict(interval: tuple[float, float, float], cases: int, first: str, second: str) -> str:
    """One sentence: which model is better, or why that cannot be told.

    Args:
        interval: mean difference, lower and upper end.
        cases: how many there are; drawing a few of them again says too little of others.
        first: what the first model is called.
        second: the other one.
    """
    middle, low, high = interval
    if cases < FIRST:
        return (
            f"Too few cases ({cases}) to tell which model is better on others; at least {FIRST} "
            "are needed."
        )
    if low > 0 or high < 0:
        better = second if low > 0 else first
        return f"{better} is better on such cases, by {abs(middle):.3f} Dice."
    return "These cases cannot tell which model is better: the interval holds 0."


def _write(rows: list[tuple], path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("case", "role", "organ", "first", "second"))
    for *names, first, second in rows:
        writer.writerow((*names, f"{first:.4f}", f"{second:.4f}"))
    write_whole(path, text.getvalue())
