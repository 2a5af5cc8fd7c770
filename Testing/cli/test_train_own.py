"""A stranger's way to a model, and all that a training leaves behind."""

import json
from dataclasses import replace

import cmcseg
import pytest
import torch
from cmcseg.bundle.ensemble import load_model
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.cli import main
from cmcseg.core.errors import BadInput
from cmcseg.learn.train_model import fold_of
from own_folders import a_heart_folder, an_nnunet_folder
from tiny import tiny_bundle, tiny_cache

SMALL = ["--widths", "4", "8", "--no-trial"]
CPU = ["--device", "cpu"]


@pytest.fixture(scope="module")
def a_cache(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_cache(tmp_path_factory.mktemp("tiny"), train=3)


@pytest.fixture(scope="module")
def a_run(a_cache, tmp_path_factory):
    """Four steps, looked at twice."""
    out = tmp_path_factory.mktemp("run") / "run"
    words = ["--cache", a_cache.folder, "--out", out, "--steps", 4, "--validate-every", 2]
    main(["train", "supervised", *map(str, words), *CPU, "--name", "mine", "--seed", "3"])
    return out


def test_a_stranger_with_own_label_values_needs_three_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    folder, mine = an_nnunet_folder(tmp_path), tmp_path / "mine"
    cohort, run = mine / "cohort.json", mine / "run"
    licence = ["--licence", "Ours; ask first."]
    main(["task", "new", str(folder), "--out", str(mine), *SMALL, *licence])
    main(["train", "supervised", "--cohort", str(cohort), "--out", str(run), "--steps", "2", *CPU])
    words = ["--model", run / "model", "--cohort", cohort, "--out", mine / "scores"]
    main(["evaluate", *map(str, words), "--write", "--import", *CPU])
    assert "Imported belly" in capsys.readouterr().out
    card = default_store().card("belly")
    assert [label.name for label in card.table] == ["spleen", "liver"]
    assert card.licence == "Ours; ask first."
    assert set(card.measured) >= {"ct", "how", "cases"}


def test_a_training_whose_cohort_cannot_be_used_leaves_no_folder(tmp_path, capsys):
    mine = tmp_path / "mine"
    main(["task", "new", str(an_nnunet_folder(tmp_path)), "--out", str(mine), *SMALL])
    cohort = json.loads((mine / "cohort.json").read_text())
    (mine / "cohort.json").write_text(json.dumps({**cohort, "labels": {"6": "liver"}}))
    words = ["--cohort", str(mine / "cohort.json"), "--out", str(mine / "deep" / "run"), *CPU]
    with pytest.raises(SystemExit):
        main(["train", "supervised", *words])
    assert "holds the value 1, which the table of the datalist does" in capsys.readouterr().err
    assert not (mine / "deep").exists()


def test_a_task_or_a_list_that_was_edited_meanwhile_is_not_passed_over(tmp_path, capsys):
    """As where the window is halved to save memory, and the same command given again."""
    mine = tmp_path / "mine"
    main(["task", "new", str(an_nnunet_folder(tmp_path)), "--out", str(mine), *SMALL])
    words = ["--cohort", str(mine / "cohort.json"), "--out", str(mine / "run"), *CPU]
    main(["train", "supervised", *words, "--steps", "1"])
    main(["train", "supervised", *words, "--steps", "2"])  # it goes on
    changes = (("cohort", "the list of cases"), ("task", "the task"))
    for name, told in changes:
        content = json.loads((mine / f"{name}.json").read_text())
        if name == "task":
            content["grid"]["window"] = [8, 8, 8]
        else:
            content["training"] = content["training"][:1]
        (mine / f"{name}.json").write_text(json.dumps(content))
        with pytest.raises(SystemExit):
            main(["train", "supervised", *words, "--steps", "3"])
        assert f"{mine / 'run' / 'cache'} was prepared before {told} was changed;" in (
            capsys.readouterr().err
        )
        with pytest.raises(BadInput, match=f"before {told} was changed"):
            cmcseg.train(mine / "cohort.json", mine / "run", steps=3)


def test_a_stranger_with_pairs_without_labels_is_helped_by_best(tmp_path, capsys):
    folder, mine = a_heart_folder(tmp_path), tmp_path / "mine"
    main(["task", "new", str(folder), "--out", str(mine), "--roles", "bssfp", "lge", *SMALL])
    words = ["--cohort", mine / "cohort.json", "--out", mine / "run", "--steps", "2"]
    main(["train", "best", *map(str, words), *CPU])
    told = " ".join(capsys.readouterr().err.split())
    assert "has nothing beyond what supervised has" not in told
    card = load_bundle(mine / "run" / "model").card
    assert "2 unlabelled" in card.trained_on
    assert card.history[-1]["recipe"] == "best"


def test_the_card_says_where_the_weights_come_from(a_run, a_cache):
    card = load_bundle(a_run / "model").card
    (record,) = card.history
    assert card.name == "mine"
    assert card.trained_on == "3 ct (3 labelled), 3 mr (3 labelled)."
    assert {k: record[k] for k in ("recipe", "seed", "steps", "parent")} == {
        "recipe": "supervised", "seed": 3, "steps": 4, "parent": "",
    }  # fmt: skip
    assert record["processor"].endswith("thread")
    assert record["hours"] >= 0
    learned = {scan.checksum for scan in a_cache.scans if scan.split == "train"}
    assert set(record["scans"]) == learned
    assert card.measured["cases"] == 1
    assert card.measured["how"].endswith("1 validation cases, step 4.")


def test_the_best_weights_are_kept_beside_the_last(a_run):
    best, last = (load_bundle(a_run / name).card for name in ("best", "model"))
    assert best.history[-1]["steps"] in (2, 4)
    assert best.table == last.table


def test_the_configuration_is_written_and_can_be_read_back(a_run, tmp_path, capsys):
    written = json.loads((a_run / "train.json").read_text())
    assert (written["recipe"], written["steps"], written["seed"]) == ("supervised", 4, 3)
    again = ["--config", str(a_run / "train.json"), "--out", str(tmp_path / "again")]
    main(["train", *again, "--steps", "1"])
    read = json.loads((tmp_path / "again" / "train.json").read_text())
    assert read == {**written, "steps": 1, "out": str(tmp_path / "again")}
    (tmp_path / "odd.json").write_text(json.dumps({**written, "stepps": 1}))
    with pytest.raises(SystemExit) as stop:
        main(["train", "--config", str(tmp_path / "odd.json")])
    assert stop.value.code == 2
    assert "has the unknown option 'stepps'; known are recipe, out" in capsys.readouterr().err


def test_a_model_of_other_roles_and_organs_is_where_training_starts(a_cache, tmp_path, capsys):
    start = tiny_bundle(tmp_path / "start", "heart")
    words = ["--cache", a_cache.folder, "--out", tmp_path / "run", "--steps", 1, "--init", start]
    main(["train", "supervised", *map(str, words), *CPU])
    told = " ".join(capsys.readouterr().err.split())
    assert "of the weights begin as those of heart-bssfp-lge; ct as bssfp, mr as bssfp" in told
    assert "new, by chance: liver, right kidney, left kidney, spleen" in told
    card = load_bundle(tmp_path / "run" / "model").card
    parent = load_bundle(start).card
    assert card.parent == parent.sha256
    assert parent.sha256 in card.history[-1]["parent"]


def test_folds_keep_each_case_back_once_and_are_one_model(a_cache, tmp_path, capsys):
    kept = [
        {scan.pair for scan in fold_of(a_cache, number, 2).scans if scan.split == "validation"}
        for number in (0, 1)
    ]
    assert not kept[0] & kept[1]
    assert kept[0] | kept[1] == {scan.pair for scan in a_cache.scans}
    out = tmp_path / "run"
    words = ["--cache", a_cache.folder, "--out", out, "--steps", 1, "--folds", 2]
    main(["train", "supervised", *map(str, words), *CPU])
    assert f"Model: {out}" in capsys.readouterr().out
    both = load_model(default_store(), str(out))
    each = [load_bundle(out / f"fold{number}" / "model").network for number in (0, 1)]
    image = {0: torch.randn(1, 1, 16, 16, 16)}
    with torch.inference_mode():
        said = [n(image, torch.zeros(1))[0].logits_BKDHW.softmax(1) for n in (both.network, *each)]
    assert torch.allclose(said[0], (said[1] + said[2]) / 2, atol=1e-5)
    assert both.card.measured["how"].startswith("Mean of the 2 members")


def test_cases_that_show_one_scan_stay_in_one_fold(a_cache):
    twin = replace(a_cache.scans[0], pair="other")
    cache = replace(a_cache, scans=(*a_cache.scans, twin))
    for number in (0, 1):
        split = {scan.pair: scan.split for scan in fold_of(cache, number, 2).scans}
        assert split["other"] == split[a_cache.scans[0].pair]


def test_events_hold_what_the_tables_hold(a_run, tmp_path):
    pytest.importorskip("tensorboardX", reason="the extra 'events' is not installed")
    from cmcseg.report.events import Events
    from tensorboardX.proto.event_pb2 import Event

    events = Events(tmp_path)
    events(a_run)
    events(a_run)  # nothing is written twice
    events.writer.close()
    (file,) = (tmp_path / "events").iterdir()
    found = {}
    content, place = file.read_bytes(), 0
    while place < len(content):
        size = int.from_bytes(content[place : place + 8], "little")
        event = Event.FromString(content[place + 12 : place + 12 + size])
        place += size + 16
        for value in event.summary.value:
            assert (value.tag, event.step) not in found
            found[value.tag, event.step] = value.simple_value
    assert {step for tag, step in found if tag == "loss/overlap_ct"} == {1, 2, 3, 4}
    assert {step for tag, step in found if tag.startswith("dice/")} == {2, 4}


def test_a_cache_and_a_cohort_at_once_are_refused(a_cache, tmp_path, capsys):
    for words in ([], ["--cache", str(a_cache.folder), "--cohort", "x.json"]):
        with pytest.raises(SystemExit):
            main(["train", "supervised", "--out", str(tmp_path / "run"), *words])
        assert "Give either --cache, made by 'cmcseg prepare', or --cohort." in (
            capsys.readouterr().err
        )
