"""``cmcseg task``: from a folder to a task that training takes as it is."""

import json

import pytest
import torch
from cmcseg.cli import main
from cmcseg.core.labelmap import LabelMap, LabelTable
from cmcseg.imaging.files import read_label_map, write_label_map
from tiny import tiny_card, tiny_pairs

OWN = {1: 6, 4: 1}  # liver and spleen as this data set has them
SMALL = ["--widths", "4", "8", "--no-trial"]


@pytest.fixture
def an_nnunet_folder(tmp_path):
    """Three CTs in nnU-Net's layout whose labels have the values 6 and 1."""
    torch.set_num_threads(1)
    (tmp_path / "files").mkdir()
    place = tmp_path / "Dataset700_Belly"
    for name in ("imagesTr", "labelsTr"):
        (place / name).mkdir(parents=True)
    table = tiny_card().table
    wide = LabelTable(labels=tuple(_label(value) for value in range(1, 7)))
    for case in tiny_pairs(tmp_path / "files", 3):
        image = tmp_path / "files" / case["ct"]
        image.rename(place / "imagesTr" / f"{case['id']}_0000.nii.gz")
        drawn = read_label_map(tmp_path / "files" / case["ct_labels"], table)
        values = sum((drawn.array == old) * new for old, new in OWN.items()).astype("uint8")
        labels = LabelMap(array=values, grid=drawn.grid, table=wide)
        write_label_map(labels, place / "labelsTr" / f"{case['id']}.nii.gz")
    content = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 6, "spleen": 1}}
    (place / "dataset.json").write_text(json.dumps({**content, "file_ending": ".nii.gz"}))
    return place


def _label(value):
    from cmcseg.core.labelmap import Label

    return Label(value=value, name=f"x{value}", color="#000000")


def test_a_folder_becomes_a_task_with_reasons_that_prepare_and_check_take(
    an_nnunet_folder, tmp_path, capsys
):
    out = tmp_path / "mine"
    main(["task", "new", str(an_nnunet_folder), "--out", str(out), *SMALL[:3]])
    told = " ".join(capsys.readouterr().out.split())
    assert "an nnU-Net data set; 3 ct (3 labelled)" in told
    assert "A step takes about" in told
    assert f"Next: cmcseg train best --cohort {out / 'cohort.json'}" in told
    task = json.loads((out / "task.json").read_text())
    assert set(task["reasons"]) >= {"grid.spacing", "grid.window", "table", "inputs.ct.intensity"}
    main(["task", "check", str(out / "cohort.json")])
    told = capsys.readouterr().out
    assert told.startswith("belly: 2 organs in ct; 2 training and 1 validation cases.")


def test_a_slip_in_the_task_is_told_by_its_key(an_nnunet_folder, tmp_path, capsys):
    out = tmp_path / "mine"
    main(["task", "new", str(an_nnunet_folder), "--out", str(out), *SMALL])
    task = json.loads((out / "task.json").read_text())
    task["grid"]["spacings"] = task["grid"].pop("spacing")
    (out / "task.json").write_text(json.dumps(task))
    with pytest.raises(SystemExit):
        main(["task", "check", str(out / "cohort.json")])
    told = capsys.readouterr().err
    assert "the key grid.spacings is unknown" in told
    assert "the key grid.spacing is missing" in told
    assert "not a model card" not in told
