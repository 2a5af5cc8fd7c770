"""The tables of a study say what its rows say."""

import csv
import json

import pytest
from cmcseg.study.estimates import TOGETHER, Estimate, by_seed, difference, estimate
from cmcseg.study.run import FACTS, KEY
from cmcseg.study.table import write_report

ORGANS = ("ct liver", "ct spleen", "mr liver", "mr spleen")


def a_row(recipe, labelled, seed, dice, **other):
    rest = ("nothing", "True", "both", "", "", "")
    key = dict(zip(KEY, (recipe, labelled, seed, *rest), strict=True))
    facts = dict(zip(FACTS, ("300", "1000", "12.0", "a CPU"), strict=True))
    values = dict(zip(ORGANS, dice, strict=True))
    return {**key, **facts, **values, **other}


ROWS = [
    a_row("supervised", "0.1", "0", ("0.5", "0.7", "0.4", "0.4")),
    a_row("supervised", "0.1", "1", ("0.6", "0.8", "0.4", "0.5")),
    a_row("paper", "0.1", "0", ("0.6", "0.8", "0.3", "0.3")),
    a_row("paper", "0.1", "1", ("0.8", "0.8", "0.3", "0.4")),
    a_row("paper", "0.1", "0", ("0.2", "0.2", "0.2", "0.2"), without="csc"),
    a_row("paper", "0.1", "0", ("0.1", "0.1", "", ""), fusion="False", modality="ct"),
    a_row("paper", "0.1", "0", ("0.65", "0.85", "0.3", "0.3"), **TOGETHER | {"apart_mm": "20"}),
]


@pytest.fixture
def a_report(tmp_path):
    with (tmp_path / "study.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    plan = {
        "steps": 300,
        "batch": 2,
        "init": None,
        "spacing": [6, 6, 6],
        "network": {"encoder": "residual", "fusion": "concat", "widths": [8, 16]},
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    write_report(tmp_path)
    return (tmp_path / "results.md").read_text()


def test_the_interval_is_students():
    assert estimate([1.0, 2.0, 3.0]).half == pytest.approx(4.303 / 3**0.5)
    assert estimate([1.0, 3.0]).half == pytest.approx(12.706)
    assert estimate([]) is None


def test_one_seed_has_no_interval():
    assert estimate([0.5]).told() == "0.500"
    assert Estimate(mean=0.1, half=0.05, seeds=3).told(signed=True) == "+0.100 (+0.050 to +0.150)"


def test_a_cell_is_found_by_its_columns_and_a_role_by_its_organs():
    found = by_seed(ROWS, "ct", recipe="supervised", labelled="0.1")
    assert found == {"0": pytest.approx(0.6), "1": pytest.approx(0.7)}
    assert by_seed(ROWS, "mr", recipe="paper", labelled="0.1", modality="ct", fusion="False") == {}


def test_a_gain_is_the_mean_of_differences_of_equal_seeds():
    gain = difference({"0": 0.7, "1": 0.8, "2": 0.1}, {"1": 0.7, "0": 0.5})
    assert (gain.mean, gain.seeds) == (pytest.approx(0.15), 2)


def test_the_tables_hold_means_gains_and_how_they_came_about(a_report):
    assert "| 10 % | supervised | 0.650 (0.015 to 1.285) | - | 0.425" in a_report
    assert "+0.100 (+0.100 to +0.100)" in a_report  # 0.7 - 0.6 and 0.8 - 0.7
    assert "| 10 % | paper | without CSC | 0.200 | -0.500 | 0.200 | -0.100 |" in a_report
    assert "| 10 % | paper | one modality | 0.100 | -0.600 | - | - |" in a_report
    assert "| 10 % | paper | 20 | 0 | 0 | 0.750 | +0.050 | 0.300 | +0.000 |" in a_report
    assert (
        "7 cells, 2 seeds, 300 steps, batch 2, from random weights; working grid 6 x 6 x 6 mm"
        in a_report
    )
    assert "12 to 12 s a training." in a_report


def test_a_table_without_a_number_is_left_out(a_report):
    assert "supervised | 20 |" not in a_report  # never tested displaced
    assert "supervised | all" not in a_report  # nothing was left out of it
