"""The command as a user meets it: exit codes, one sentence, nothing left behind."""

import json
import subprocess
import sys

import numpy as np
import pytest
from cmcseg.bundle.load import load_bundle
from cmcseg.cli import main
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import write_volume
from cmcseg.predict import segment as segmenting
from tiny import tiny_bundle

GRID = Grid(shape=(40, 36, 20), affine=np.diag([4.0, 4.0, 6.0, 1.0]))


@pytest.fixture
def a_model(tmp_path):
    return tiny_bundle(tmp_path / "model")


@pytest.fixture
def a_ct(tmp_path):
    array = np.random.default_rng(0).integers(-1000, 300, GRID.shape).astype(np.int16)
    path = tmp_path / "a ct é.nii.gz"
    write_volume(Volume(array=array, grid=GRID), path)
    return path


def test_a_scan_becomes_the_promised_files(tmp_path, a_model, a_ct, capsys):
    out = tmp_path / "out"
    main(["segment", "--model", str(a_model), f"ct={a_ct}", "--out", str(out), "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((out / "prediction.json").read_text())
    assert {p.name for p in out.iterdir()} == {
        "ct_labels.nii.gz",
        "ct.seg.nrrd",
        "ct_doubt.nii.gz",
        "prediction.json",
        "report.html",
    }


def test_the_screen_says_what_the_report_says(tmp_path, a_model, a_ct, capsys, monkeypatch):
    found = np.zeros(GRID.shape, np.uint8)
    found[10:20, 10:20, 5:10], found[:5] = 1, 2  # the second one reaches the scan's edge
    sure = np.zeros(GRID.shape, np.float32)
    monkeypatch.setattr(segmenting, "write_back", lambda *_, **__: (found, sure, None))
    monkeypatch.setattr(segmenting, "clean", lambda label_map, *_: label_map)
    main(["segment", "--model", str(a_model), f"ct={a_ct}", "--out", str(tmp_path / "out")])
    shown = capsys.readouterr().out
    rows = {line.split("│")[1].strip(): line for line in shown.splitlines() if "│" in line}
    names = [label.name for label in load_bundle(a_model).card.table]
    assert [cell.strip() for cell in rows[names[0]].split("│")[2:4]] == ["48", "low"]
    assert [cell.strip() for cell in rows[names[1]].split("│")[2:4]] == ["346 (cut)", "low"]
    assert [cell.strip() for cell in rows[names[2]].split("│")[2:4]] == ["not found", ""]
    assert "(cut): the organ reaches the scan's edge" in shown


@pytest.mark.parametrize(
    ("scans", "words"),
    [
        (["ct=nowhere.nii.gz"], "There is no file nowhere.nii.gz"),
        (["pet=a.nii.gz"], "There is no role 'pet'; the roles are ct, mr."),
        (["a.nii.gz"], "'a.nii.gz' is not of the form ROLE=PATH"),
        (["ct=a.nii.gz", "mr=a.nii.gz"], "was given for two roles"),
    ],
)
def test_bad_input_is_one_sentence_exit_2_and_no_folder(tmp_path, a_model, capsys, scans, words):
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stop:
        main(["segment", "--model", str(a_model), *scans, "--out", str(out)])
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_a_reader_that_has_seen_enough_is_no_error():
    words = [sys.executable, "-m", "cmcseg", "models", "list", "--json"]
    started = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    started.stdout.close()  # as head does
    assert started.stderr.read() == b""
    started.stderr.close()
    started.wait(60)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--shift", "nan"], "A shift of nan mm is not between 0 and 200 mm."),
        (["--shift", "-5"], "A shift of -5 mm is not between 0 and 200 mm."),
        (["--seed", "-1"], "A phantom's seed is a whole number from 0 on, not -1."),
        (["--task", "lung"], "There is no task 'lung'. There are: abdomen, heart, orbit."),
    ],
)
def test_a_sample_of_what_there_is_not_is_refused(tmp_path, capsys, words, told):
    with pytest.raises(SystemExit) as stop:
        main(["sample", str(tmp_path / "s"), *words])
    assert stop.value.code == 2
    assert capsys.readouterr().err.strip() == told
    assert not (tmp_path / "s").exists()
