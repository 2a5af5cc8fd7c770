"""``cmcseg task``: from a folder to a task that training takes as it is."""

import json

import pytest
import torch
from cmcseg.cli import main
from own_folders import an_nnunet_folder

SMALL = ["--widths", "4", "8", "--no-trial"]


@pytest.fixture
def a_folder(tmp_path):
    torch.set_num_threads(1)
    return an_nnunet_folder(tmp_path)


def test_a_folder_becomes_a_task_with_reasons_that_prepare_and_check_take(
    a_folder, tmp_path, capsys
):
    out = tmp_path / "mine"
    main(["task", "new", str(a_folder), "--out", str(out), *SMALL[:3]])
    told = " ".join(capsys.readouterr().out.split())
    assert "an nnU-Net data set; 3 ct (3 labelled)" in told
    assert "A step takes about" in told
    assert f"Next: cmcseg train supervised --cohort {out / 'cohort.json'}" in told
    task = json.loads((out / "task.json").read_text())
    assert set(task["reasons"]) >= {"grid.spacing", "grid.window", "table", "inputs.ct.intensity"}
    main(["task", "check", str(out / "cohort.json")])
    told = capsys.readouterr().out
    assert told.startswith("belly: 2 organs in ct; 2 training and 1 validation cases.")


def test_a_value_without_a_name_is_told_and_an_edited_task_is_not_written_over(
    a_folder, tmp_path, capsys
):
    out, content = tmp_path / "mine", json.loads((a_folder / "dataset.json").read_text())
    del content["labels"]["spleen"]
    (a_folder / "dataset.json").write_text(json.dumps(content))
    main(["task", "new", str(a_folder), "--out", str(out), *SMALL])
    told = capsys.readouterr().err
    assert "Note: No name is given for 1 in the label maps; each is an organ of its own" in told
    assert "--labels 1=NAME names it." in told
    with pytest.raises(SystemExit):
        main(["task", "new", str(a_folder), "--out", str(out), *SMALL])
    assert "task.json is there already, and may have been edited;" in capsys.readouterr().err


def test_a_slip_in_the_task_is_told_by_its_key(a_folder, tmp_path, capsys):
    out = tmp_path / "mine"
    main(["task", "new", str(a_folder), "--out", str(out), *SMALL])
    task = json.loads((out / "task.json").read_text())
    task["grid"]["spacings"] = task["grid"].pop("spacing")
    (out / "task.json").write_text(json.dumps(task))
    with pytest.raises(SystemExit):
        main(["task", "check", str(out / "cohort.json")])
    told = capsys.readouterr().err
    assert "the key grid.spacings is unknown" in told
    assert "the key grid.spacing is missing" in told
    assert "not a model card" not in told
