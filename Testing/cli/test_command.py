"""The command as a user meets it: exit codes, one sentence, nothing left behind."""

import json

import numpy as np
import pytest
from cmcseg.cli import main
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import write_volume
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
