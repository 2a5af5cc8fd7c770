"""The tables of the results page follow from the files beside it."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("bench_results", ROOT / "bench" / "results.py")
results = importlib.util.module_from_spec(spec)
spec.loader.exec_module(results)


def a_row(case, scans, dice, **other):
    row = {"case": case, "scans": scans, "role": "ct", "organ": "liver", "hd95_mm": "4.0"}
    return {**row, "dice": dice, **other}


ROWS = [
    a_row("a", "alone", "0.8"),
    a_row("a", "alone", "0.5", role="mr", hd95_mm=""),
    a_row("a", "alone", "0.6", organ="spleen", hd95_mm="7.0"),
    a_row("b", "alone", "0.9"),
    a_row("b", "together", "0.95", role="mr"),
    a_row("b", "alone", "0.7", role="mr"),
]


def test_an_organ_has_its_mean_and_its_worst_and_best_case():
    lines = results.organ_table(ROWS).splitlines()
    assert lines[2:] == [
        "| ct | liver | 2 | 0.850 (0.800 to 0.900) | 4.0 | - |",
        "| ct | spleen | 1 | 0.600 (0.600 to 0.600) | 7.0 | - |",
        "| mr | liver | 2 | 0.600 (0.500 to 0.700) | 4.0 | 0.950 (0.950 to 0.950) |",
    ]


def test_a_mean_stands_beside_those_of_the_versions_before():
    former = [
        {"role": "ct", "version": "0.1.0", "dice": "0.700"},
        {"role": "ct", "version": "0.2.0", "dice": "0.720"},
        {"role": "mr", "version": "0.1.0", "dice": "0.500"},
    ]
    assert (
        results.mean_table(ROWS, former)
        .splitlines()[0]
        .endswith("0.2.0, alone | version 0.1.0, alone |")
    )
    assert results.mean_table(ROWS, former).splitlines()[2:] == [
        "| ct | 0.767 | - | 0.720 | 0.700 |",
        "| mr | 0.600 | 0.950 | - | 0.500 |",
    ]


def test_a_displaced_partner_is_compared_case_by_case():
    keys = ("case", "shift_mm", "turn_degrees", "elastic_mm", "role", "way", "trust", "dice")
    values = [
        ("a", "20.0", "0.0", "0.0", "lge", "alone", "0.0", "0.80"),
        ("a", "20.0", "0.0", "0.0", "lge", "none", "0.5", "0.70"),
        ("a", "20.0", "0.0", "0.0", "lge", "auto", "0.9", "0.82"),
        ("b", "20.0", "0.0", "0.0", "lge", "alone", "0.0", "0.60"),
        ("b", "20.0", "0.0", "0.0", "lge", "none", "0.5", "0.60"),
        ("b", "20.0", "0.0", "0.0", "lge", "auto", "0.7", "0.59"),
    ]
    rows = [dict(zip(keys, row, strict=True)) for row in values]
    assert results.apart_table(rows).splitlines()[2:] == [
        "| shifted by 20 mm | lge | 0.700 | 0.650 | 0.705 | +0.005 (-0.010 to +0.020) | 0.80 |"
    ]


def test_only_what_stands_between_the_comments_is_replaced():
    page = "before\n<!-- x: made by bench/results.py -->\nold\n<!-- end of x -->\nafter"
    once = results.filled(page, "x", "| new |")
    assert once.startswith("before\n")
    assert once.endswith("\nafter")
    assert "old" not in once
    assert "| new |" in once
    assert results.filled(once, "x", "| new |") == once
    with pytest.raises(SystemExit, match="has no place for y"):
        results.filled(page, "y", "")


def test_an_altered_scan_is_compared_with_the_same_scan_as_it_was():
    rows = [
        {"case": case, "role": "ct", "way": way, "allowed": allowed, "dice": dice}
        for case, way, allowed, dice in (
            ("a", "as it is", "", "0.90"),
            ("a", "turned", "0.01", "0.88"),
            ("b", "as it is", "", "0.80"),
            ("b", "turned", "0.01", "0.81"),
        )
    ]
    assert results.robustness_table(rows).splitlines()[2:] == [
        "| ct | as it is | 0.850 | - | - | - |",
        "| ct | turned | 0.845 | -0.005 | -0.020 | -0.01 |",
    ]


def test_the_stream_tells_what_every_fine_tuning_brought():
    organs = ("right ventricle", "myocardium", "left ventricle")
    sets = {
        "validation bssfp": "on 20 others",
        "next bssfp": "on the next five",
        "home bssfp": "at home, bSSFP",
        "home lge": "at home, LGE",
    }
    row = {"order": "0", "cases": "5", "verdict": "insufficient", "compared": "4"}
    row |= {"mean change": "-0.0015"}
    row |= {f"control {which} {organ}": "0.8" for which in sets for organ in organs}
    row |= {f"candidate {which} {organ}": "0.81" for which in sets for organ in organs}
    most = {"order": "ceiling", "cases": "30"}
    for which in (name for name in sets if "next" not in name):
        most |= {f"control {which} {organ}": "0.8" for organ in organs}
        most |= {f"candidate {which} {organ}": "0.84" for organ in organs}
    head, _, first, last = results.stream_table(sets, [row], [most]).splitlines()
    assert head.endswith(f"| {' | '.join(sets.values())} |")
    cell = "0.810 (+0.010) / 0.810 (+0.010) / 0.810 (+0.010)"
    assert first == f"| 0 | 5 | insufficient, -0.002 on 4 | 25 % | {' | '.join([cell] * 4)} |"
    cell = cell.replace("0.810 (+0.010)", "0.840 (+0.040)")
    assert last == f"| ceiling | 30 | - | 100 % | {cell} | - | {cell} | {cell} |"
