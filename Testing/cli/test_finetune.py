"""From the queue to an adopted model and back, by the commands alone."""

import json
import shutil

import numpy as np
import pytest
import torch
from cmcseg.bundle import store as stores
from cmcseg.bundle.store import Store
from cmcseg.cli import main
from cmcseg.data import phantom_cases
from cmcseg.learn import finetune, rehearsal
from matplotlib.image import imread
from tiny import tiny_bundle, tiny_pairs

NAME = "abdomen-ct-mr"


@pytest.fixture
def a_clinic(tmp_path, monkeypatch):
    """A tiny shipped model, an empty user folder, and a queue of two corrected pairs."""
    torch.set_num_threads(1)
    tiny_bundle(tmp_path / "shipped" / NAME)
    store = Store(shipped=tmp_path / "shipped", user=tmp_path / "user")
    monkeypatch.setattr(stores, "default_store", lambda: store)
    monkeypatch.setattr(phantom_cases, "phantom_task", lambda card: "")  # noqa: ARG005
    for case in tiny_pairs(tmp_path, 2):
        files = [f"{key}={tmp_path / case[key]}" for key in case if key != "id"]
        place = ["--queue", str(tmp_path / "queue"), "--id", case["id"], "--model", NAME]
        main(["queue", "add", *place, *files])
    return store


def run(capsys, *words):
    capsys.readouterr()
    main([*map(str, words)])
    return capsys.readouterr().out


def fine_tune(capsys, tmp_path):
    words = ["--model", NAME, "--queue", tmp_path / "queue", "--out", tmp_path / "run"]
    return json.loads(run(capsys, "finetune", *words, "--minutes", "0.01", "--json"))


def test_a_fine_tuned_model_is_adopted_only_with_a_reason_and_rolls_back(
    a_clinic, capsys, tmp_path
):
    before = (a_clinic.find(NAME) / "model.safetensors").read_bytes()
    verdict = fine_tune(capsys, tmp_path)
    assert verdict["verdict"] in ("keep", "insufficient")  # one pair is no evidence
    with pytest.raises(SystemExit) as stop:
        main(["models", "adopt", NAME, str(tmp_path / "run")])
    assert stop.value.code == 2
    assert "Give a reason with --overrule" in capsys.readouterr().err
    picture = imread(tmp_path / "run" / "changed-most.png")
    assert (np.ptp(picture[..., :3], axis=2) > 0.3).any()  # a border in an organ's colour
    words = [NAME, tmp_path / "run", "--overrule", "a trial", "--beside", "Dijon"]
    kept = f"Kept beside {NAME}: {NAME}-dijon 0.1.1 (Abdomen CT + MR, Dijon)"
    assert run(capsys, "models", "adopt", *words).split() == kept.split()
    assert (a_clinic.find(NAME) / "model.safetensors").read_bytes() == before
    found = run(capsys, "queue", "forget", "case0", "--queue", tmp_path / "queue", "--json")
    assert json.loads(found)["learned"] == [f"{NAME}-dijon 0.1.1"]
    adopted = run(
        capsys, "models", "adopt", NAME, tmp_path / "run", "--overrule", "a trial", "--json"
    )
    assert json.loads(adopted)["change"]["overruled_because"] == "a trial"
    versions = json.loads(run(capsys, "models", "history", NAME, "--json"))
    assert [v["in_use"] for v in versions] == [False, True]
    run(capsys, "models", "rollback", NAME)
    assert (a_clinic.find(NAME) / "model.safetensors").read_bytes() == before


@pytest.mark.usefixtures("a_clinic")
def test_scans_that_nobody_has_labelled_are_rehearsed_and_nobody_is_named(
    capsys, tmp_path, monkeypatch
):
    scans = tmp_path / "waiting"
    scans.mkdir()
    for path in tmp_path.glob("0_*.nii.gz"):
        shutil.copy(path, scans / path.name.replace("0_", "Anna Miller_"))
    monkeypatch.setattr(rehearsal, "SURE", 0.0)
    words = ["--model", NAME, "--queue", tmp_path / "queue", "--out", tmp_path / "run"]
    words += ["--folder", scans, "--minutes", "0.01", "--json"]
    verdict = json.loads(run(capsys, "finetune", *words))
    assert len(verdict["learned_from"]) == 2
    taught = [path.name for path in (tmp_path / "run" / "own").iterdir()]
    assert len(taught) == 2
    assert all(name.startswith("waiting-") for name in taught)
    assert "Anna" not in "".join(str(path) for path in (tmp_path / "run").rglob("*"))
    for name in ("plan.json", "verdict.json", "cache/cache.json", "candidate/card.json"):
        assert "Anna" not in (tmp_path / "run" / name).read_text()


@pytest.mark.usefixtures("a_clinic")
def test_the_queue_is_checked_first_and_what_is_damaged_is_named(capsys, tmp_path, monkeypatch):
    hurt = min((tmp_path / "queue" / "entries").iterdir())
    (hurt / "ct_labels.nii.gz").write_bytes(b"")
    seen = []
    monkeypatch.setattr(
        finetune, "fine_tune", lambda _, cohort, *__, **___: seen.append(cohort) or {}
    )
    told = fine_tune(capsys, tmp_path)
    why = "ct_labels.nii.gz was changed after it was written."
    assert told == {"set_aside": {hurt.name: why}, "unfit": {}}
    pair = hurt.name.split(".")[0]
    assert pair not in {pair.id for pair in (*seen[0].train, *seen[0].validation)}
    assert not hurt.exists()


@pytest.mark.usefixtures("a_clinic")
def test_an_empty_queue_has_nothing_to_teach(capsys, tmp_path):
    (tmp_path / "none").mkdir()
    words = ["--model", NAME, "--queue", str(tmp_path / "none"), "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as stop:
        main(["finetune", *words])
    assert stop.value.code == 2
    assert "There is no corrected pair to learn from; accept one first." in capsys.readouterr().err


@pytest.mark.usefixtures("a_clinic")
@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        ("0", "0.0 minutes are no time to learn"),
        ("nan", "nan minutes are no time to learn"),
        ("inf", "inf minutes would never end; give a number."),
    ],
)
def test_no_time_is_refused(capsys, tmp_path, minutes, words):
    place = ["--model", NAME, "--queue", str(tmp_path / "queue"), "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as stop:
        main(["finetune", *place, "--minutes", minutes])
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
