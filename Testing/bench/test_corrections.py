"""The table of what corrections brought follows from the fine-tunings that were measured."""

import importlib
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
KEY = ("seed", "scan", "folder", "corrections", "steps", "cpu_s", "verdict")
DICE = ("ct/liver/a", "ct/spleen/a", "ct/liver/b", "ct/spleen/b", "mr/liver/c")


@pytest.fixture
def corrections(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("corrections")


def a_row(*values):
    return dict(zip((*KEY, *DICE), map(str, values), strict=True))


ROWS = [
    a_row(0, "none", "without", 0, 0, "", "", 0.5, 0.7, 0.6, 0.6, 0.8),
    a_row(1, "none", "without", 0, 0, "", "", 0.6, 0.6, 0.6, "nan", 0.7),
    a_row(0, "every", "with", 8, 100, 60, "adopt", 0.8, 0.8, 0.6, 0.8, 0.8),
    a_row(0, "every", "with", 2, 100, 60, "adopt", 0.6, 0.7, 0.7, 0.7, 0.9),
    a_row(1, "every", "with", 2, 100, 120, "keep", 0.7, 0.7, 0.6, "nan", 0.7),
]


def test_each_case_is_compared_with_itself_in_the_seeds_that_were_measured(corrections):
    table = corrections.table(ROWS).splitlines()
    assert table[0].endswith("| seeds | ct | mr | verdict |")
    # Cases a and b change by 0.075 and 0.067 with two corrections, in seeds 0 and 1.
    assert table[2:] == [
        "| - | - | 0 | 0 | - | 2 | Dice 0.600 | Dice 0.750 | - |",
        "| every | with | 2 | 100 | 1.5 | 2 | +0.071 (+0.018 to +0.124) | +0.050 "
        "| 1 adopt, 1 keep |",
        "| every | with | 8 | 100 | 1.0 | 1 | +0.150 (-0.485 to +0.785) | +0.000 | 1 adopt |",
    ]


def test_a_curve_begins_at_the_mean_start_model_and_shows_what_was_added(corrections):
    (curve,) = corrections.by_corrections(ROWS, "mr").values()
    xs, dice = [point[0] for point in curve], [point[1] for point in curve]
    assert xs == [0.0, 2.0, 8.0]
    assert dice == pytest.approx([0.75, 0.8, 0.75])


def test_a_curve_begins_at_the_control_where_there_is_one(corrections):
    control = a_row(0, "every", "with", 0, 100, 60, "-", 0.5, 0.7, 0.6, 0.6, 0.7)
    (curve,) = corrections.by_corrections([*ROWS, control], "mr").values()
    assert [point[:2] for point in curve[:2]] == [(0.0, pytest.approx(0.65)), (2.0, 0.8)]


def test_an_organ_whose_change_scatters_more_needs_more_cases(corrections):
    assert [corrections.needed(scatter) for scatter in (0.001, 0.02, 0.04)] == [2, 4, 7]
    lines = corrections.cases_table(ROWS).splitlines()
    # The liver of cases a and b: 0.3 and 0, 0.1 and 0.1, 0.1 and 0.
    assert lines[2].startswith("| ct liver | 0.129 |")
