"""``cmcseg evaluate`` on a cohort of two tiny cases."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import default_store
from cmcseg.cli import main
from cmcseg.cli.compare import verdict
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import write_label_map, write_volume
from tiny import tiny_bundle, tiny_card, tiny_state

GRID = Grid(shape=(30, 28, 12), affine=np.diag([4.0, 4.0, 6.0, 1.0]))


@pytest.fixture
def a_cohort(tmp_path):
    """Case "both" has two labelled scans, case "one" a CT whose annotator drew the liver only."""
    rng = np.random.default_rng(0)
    table = tiny_card().table
    for case, role in (("both", "ct"), ("both", "mr"), ("one", "ct")):
        image = rng.integers(0, 300, GRID.shape).astype(np.int16)
        labels = np.zeros(GRID.shape, dtype=np.uint8)
        labels[5:20, 5:20, 3:9] = 1
        write_volume(Volume(array=image, grid=GRID), tmp_path / f"{case}_{role}.nii.gz")
        drawn = LabelMap(array=labels, grid=GRID, table=table)
        write_label_map(drawn, tmp_path / f"{case}_{role}_labels.nii.gz")
    both = {"id": "both"}
    for role in ("ct", "mr"):
        both |= {role: f"both_{role}.nii.gz", f"{role}_labels": f"both_{role}_labels.nii.gz"}
    one = {
        "id": "one",
        "ct": "one_ct.nii.gz",
        "ct_labels": "one_ct_labels.nii.gz",
        "ct_organs": ["liver"],
    }
    path = tmp_path / "cohort.json"
    path.write_text(json.dumps({"validation": [both, one]}))
    return path


def evaluate(tmp_path, cohort):
    model = tiny_bundle(tmp_path / "model")
    out = tmp_path / "scores"
    main(["evaluate", "--model", str(model), "--cohort", str(cohort), "--out", str(out)])
    return list(csv.DictReader((out / "scores.csv").read_text().splitlines()))


def test_scans_are_scored_alone_and_together(tmp_path, a_cohort, capsys):
    rows = evaluate(tmp_path, a_cohort)
    ways = {(row["case"], row["scans"], row["role"]) for row in rows}
    assert ways == {
        ("both", "alone", "ct"),
        ("both", "alone", "mr"),
        ("both", "together", "ct"),
        ("both", "together", "mr"),
        ("one", "alone", "ct"),
    }
    assert (tmp_path / "scores" / "scores.png").stat().st_size > 10_000
    assert "surface" in capsys.readouterr().out


def test_only_organs_that_were_drawn_are_scored(tmp_path, a_cohort):
    rows = evaluate(tmp_path, a_cohort)
    assert {row["organ"] for row in rows if row["case"] == "one"} == {"liver"}
    assert len({row["organ"] for row in rows if row["case"] == "both"}) == 4


def test_a_cohort_without_truth_is_refused(tmp_path, a_cohort, capsys):
    content = {"validation": [{"id": "one", "ct": "one_ct.nii.gz"}]}
    a_cohort.write_text(json.dumps(content))
    with pytest.raises(SystemExit) as stop:
        evaluate(tmp_path, a_cohort)
    assert stop.value.code == 2
    assert "has no labelled validation case." in capsys.readouterr().err
    assert not (tmp_path / "scores").exists()


def test_surfaces_and_volumes_are_scored_and_the_worst_scans_shown(tmp_path, a_cohort):
    rows = evaluate(tmp_path, a_cohort)
    for row in rows:
        found, truth = float(row["volume_ml"]), float(row["truth_ml"])
        assert 0 <= float(row["surface_dice"]) <= 1 or row["dice"] == "nan"
        assert truth == pytest.approx(15 * 15 * 6 * GRID.voxel_ml if row["organ"] == "liver" else 0)
        assert found >= 0
    page = (tmp_path / "scores" / "evaluation.html").read_text()
    assert page.count("<figure>") == 3  # as many scans as there are
    assert "both, CT. Dice: liver" in page.replace("&#39;", "'")
    assert "<script" not in page


def test_what_was_measured_goes_onto_the_card_and_the_model_is_imported(
    tmp_path, a_cohort, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    card = replace(tiny_card(), name="mine")
    save_bundle(tiny_state(card), card, tmp_path / "model")
    before = load_bundle(tmp_path / "model").card
    words = ["--model", tmp_path / "model", "--cohort", a_cohort, "--out", tmp_path / "scores"]
    main(["evaluate", *map(str, words), "--write", "--import"])
    assert "Imported mine" in capsys.readouterr().out
    card = default_store().card("mine")
    assert card.sha256 == before.sha256
    assert set(card.measured["ct"]) >= {"liver"}
    assert card.measured["cases"] == 2
    assert "2 validation cases of cohort" in card.measured["how"]
    with pytest.raises(SystemExit):  # before an hour of scoring, not after it
        main(["evaluate", *map(str, words[:4]), "--out", str(tmp_path / "again"), "--import"])
    assert "There is a model mine already" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()
    with pytest.raises(SystemExit):
        main(["evaluate", "--model", "mine", *map(str, words[2:]), "--write"])
    assert "--write and --import want a model's folder, which mine is not." in (
        capsys.readouterr().err
    )


def test_two_models_are_compared_case_by_case(tmp_path, a_cohort, capsys):
    one, other = tiny_bundle(tmp_path / "one"), tiny_bundle(tmp_path / "other", seed=1)
    words = ["--cohort", str(a_cohort), "--out", str(tmp_path / "out")]
    main(["compare", str(one), str(other), *words])
    told = capsys.readouterr().out
    assert "all organs" in told
    assert "Too few cases (2) to tell which model is better" in told
    rows = list(csv.DictReader((tmp_path / "out" / "differences.csv").read_text().splitlines()))
    assert {(row["case"], row["role"]) for row in rows} >= {("both", "ct"), ("one", "ct")}
    assert (tmp_path / "out" / "differences.png").stat().st_size > 5_000


def test_which_model_is_better_is_only_told_of_enough_cases():
    better, doubtful = (0.1, 0.05, 0.2), (0.1, -0.05, 0.2)
    assert verdict(better, 6, "one", "other") == "other is better on such cases, by 0.100 Dice."
    assert verdict((-0.1, -0.2, -0.05), 6, "one", "other").startswith("one is better")
    assert verdict(better, 5, "one", "other").startswith("Too few cases (5) to tell which model")
    assert "the interval holds 0" in verdict(doubtful, 6, "one", "other")
