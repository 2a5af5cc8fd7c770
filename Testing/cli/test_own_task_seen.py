"""What a stranger with scans of their own ran into, each with the words that are told now."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import task_card
from cmcseg.cli import console, main
from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Progress
from cmcseg.core.settings import TrainSettings
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.imaging.role_checks import role_warnings
from cmcseg.learn import loop
from cmcseg.learn.loop import fit
from cmcseg.learn.recipe_notes import recipe_notes
from cmcseg.learn.train_model import train_model
from cmcseg.queue.cohort import as_cohort
from cmcseg.queue.ledger import Ledger
from tiny import tiny_bundle, tiny_cache, tiny_card, tiny_pairs

SHORT = TrainSettings(steps=2, device="cpu", warmup=1)


@pytest.fixture(scope="module")
def a_cache(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_cache(tmp_path_factory.mktemp("tiny"))


def refused(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main([*map(str, words)])
    assert stop.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def of_one_role(cache):
    """The cache without its MR."""
    scans = tuple(scan for scan in cache.scans if scan.role == "ct")
    return replace(cache, card=replace(cache.card, inputs=cache.card.inputs[:1]), scans=scans)


def a_cohort(folder, training, validation, name="own", **more):
    card = replace(tiny_card(), name=name)
    (folder / "own.json").write_text(json.dumps(card.to_dict()))
    content = {"task": "own.json", "training": training, "validation": validation, **more}
    path = folder / "cohort.json"
    path.write_text(json.dumps(content))
    return path


def test_a_name_that_no_folder_may_have_is_refused_before_anything_is_read(tmp_path, capsys):
    cases = tiny_pairs(tmp_path, 2)
    path = a_cohort(tmp_path, cases[:1], cases[1:], name="my: task")
    told = refused(capsys, "prepare", path, "--out", tmp_path / "cache")
    assert "The model name 'my: task' cannot name a folder" in told
    assert not (tmp_path / "cache").exists()


def test_it_is_refused_before_training_and_a_run_of_before_is_rescued_by_a_name(
    a_cache, tmp_path, monkeypatch, capsys
):
    spoiled = replace(a_cache, card=replace(a_cache.card, name="my: task"))
    fit(spoiled, TrainSettings(steps=2, device="cpu"), tmp_path / "run")
    monkeypatch.setattr("cmcseg.data.cache.open_cache", lambda _: spoiled)
    words = ["train", "supervised", "--cache", "x", "--out", str(tmp_path / "run")]
    words += ["--steps", "2", "--device", "cpu"]
    assert "cannot name a folder" in refused(capsys, *words)
    monkeypatch.setattr(loop, "_update", None)  # nothing is trained again
    main([*words, "--name", "mine"])
    assert load_bundle(tmp_path / "run" / "model").card.name == "mine"


def test_the_same_scan_on_both_sides_is_refused(tmp_path, capsys):
    cases = tiny_pairs(tmp_path, 1)
    again = {**cases[0], "id": "other name"}
    path = a_cohort(tmp_path, cases, [again])
    told = refused(capsys, "prepare", path, "--out", tmp_path / "cache")
    assert told.startswith(
        "The ct scan of other name (validation) is the same as the ct scan of case0 (train), so "
        "that a model would be measured on what it has learned; take one of them out."
    )


def test_the_same_scan_under_three_ids_is_told(tmp_path, capsys):
    cases = tiny_pairs(tmp_path, 1)
    path = a_cohort(tmp_path, [*cases, *({**cases[0], "id": name} for name in "bc")], [])
    main(["prepare", str(path), "--out", str(tmp_path / "cache")])
    told = " ".join(capsys.readouterr().out.split())
    assert "case0 and b and c hold the same scan; it counts as often as it is there." in told


def test_one_scan_for_two_roles_is_refused(tmp_path, capsys):
    case = tiny_pairs(tmp_path, 1)[0]
    path = a_cohort(tmp_path, [{**case, "mr": case["ct"], "mr_labels": case["ct_labels"]}], [])
    told = refused(capsys, "prepare", path, "--out", tmp_path / "cache")
    assert "the same scan was given as ct and as mr; give two scans, or one." in told


def test_paper_on_one_role_says_that_it_is_supervised(a_cache):
    told = recipe_notes(of_one_role(a_cache), replace(SHORT, recipe="paper"))
    assert told[0].endswith("with ct alone it is the recipe supervised.")
    assert recipe_notes(a_cache, SHORT) == []


@pytest.mark.parametrize("recipe", ["paper", "best"])
def test_a_recipe_without_unlabelled_scans_says_so(a_cache, recipe):
    (told,) = recipe_notes(a_cache, replace(SHORT, recipe=recipe))
    assert told.startswith(f"No training scan is without labels, so the recipe {recipe} has nothin")
    assert recipe_notes(a_cache, replace(SHORT, recipe=recipe, labelled=0.5)) == []


def test_training_and_a_study_tell_it_before_they_begin(a_cache, tmp_path, capsys):
    run = ["--cache", a_cache.folder, "--out", tmp_path / "run", "--steps", "1", "--device", "cpu"]
    main(["train", "best", *map(str, run)])
    told = " ".join(capsys.readouterr().err.split())
    assert "Note: No training scan is without labels, so the recipe best" in told
    text = f'cache = "{a_cache.folder}"\nsteps = 1\nseeds = [0]\nrecipes = ["paper"]\n'
    (tmp_path / "study.toml").write_text(f"{text}labelled = [1.0]\n")
    main(["study", str(tmp_path / "study.toml"), "--out", str(tmp_path / "study")])
    told = " ".join(capsys.readouterr().err.split())
    assert "Note: No training scan is without labels, so the recipe paper" in told


def test_a_finished_run_goes_on_for_more_steps(a_cache, tmp_path):
    fit(a_cache, SHORT, tmp_path)
    state = fit(a_cache, replace(SHORT, steps=4), tmp_path)
    assert state.step == 4
    assert len((tmp_path / "losses.csv").read_text().splitlines()) == 5
    with pytest.raises(BadInput, match=r"holds a run with another steps \(4, now 3\)"):
        fit(a_cache, replace(SHORT, steps=3), tmp_path)


def test_a_training_that_cannot_begin_leaves_no_folder(a_cache, tmp_path):
    bare = replace(a_cache, scans=tuple(s for s in a_cache.scans if s.split != "train"))
    with pytest.raises(BadInput, match="has no labelled scan to train on"):
        fit(bare, SHORT, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_labels_of_one_role_suffice(a_cache, tmp_path):
    """The other role learns from them as well, in contrasts of no sequence."""
    scans = tuple(
        scan if scan.role == "ct" else replace(scan, labels=None) for scan in a_cache.scans
    )
    bare = replace(a_cache, scans=scans)
    settings = replace(SHORT, steps=4)
    (told,) = recipe_notes(bare, settings)
    assert told == "No mr scan is labelled; it is learned from ct alone."
    begun = fit(a_cache, replace(SHORT, steps=1, rate=1e-9), tmp_path / "begun").network
    learned = fit(bare, settings, tmp_path / "run").network
    head = "decoders.0.heads.1.weight"
    moved = learned.state_dict()[head] - begun.state_dict()[head]
    assert moved.abs().max() > 1e-4
    model = train_model(bare, replace(settings, recipe="best"), tmp_path / "best")
    assert "mr (2 unlabelled)" in load_bundle(model).card.trained_on


def test_a_checkpoint_and_a_validation_come_by_time_as_well(a_cache, tmp_path):
    often = {"check_minutes": 1e-9, "validate_minutes": 1e-9}
    seen = []
    fit(
        a_cache,
        replace(SHORT, **often),
        tmp_path,
        checked=lambda _: seen.append("checkpoint"),
        validated=lambda state, _: seen.append(state.step),
    )
    assert seen == [1, "checkpoint", 2, "checkpoint"]
    with pytest.raises(ValueError, match="Minutes between checkpoints or validations must be abov"):
        replace(SHORT, check_minutes=0.0)


def test_a_log_has_lines_where_there_is_no_terminal(capsys):
    with console.bar() as report:
        for done in range(1000):
            report(Progress(stage=f"step {done}", done=done, total=1000))
        report(Progress(stage="step 1000", done=1000, total=1000))
    lines = capsys.readouterr().err.strip().splitlines()
    assert [re.sub(r"^[\d:]+ +", "", line) for line in lines] == ["0% step 0", "100% step 1000"]


def test_the_option_that_opens_no_browser_says_so(capsys):
    with pytest.raises(SystemExit):
        main(["web", "--help"])
    told = capsys.readouterr().out
    line = next(line for line in told.splitlines() if "--no-open" in line)
    assert "Open the system's browser" not in line
    assert "is not opened" in " ".join(told.split())


def test_a_model_of_one_role_does_not_ask_whether_roles_were_swapped(tmp_path):
    case = tiny_pairs(tmp_path, 1)[0]
    mr = read_volume(tmp_path / case["mr"])
    card = task_card("abdomen")
    one = replace(card, inputs=card.inputs[:1])
    assert role_warnings({"ct": mr}, card)[0].endswith("Are the roles swapped?")
    assert role_warnings({"ct": mr}, one)[0].endswith("Is it the right scan?")


# The queue


def imported(folder, capsys, name, rows, **more):
    """The entries of a queue after importing a list."""
    (folder / f"{name}.json").write_text(json.dumps({"training": rows, **more}))
    model = folder / "model"
    if not model.exists():
        tiny_bundle(model)
    queue = ["--queue", str(folder / "queue"), "--model", str(model)]
    main(["queue", "import", str(folder / f"{name}.json"), *queue])
    capsys.readouterr()
    return Ledger(folder / "queue")


def test_an_import_heeds_the_lists_own_table_of_labels(tmp_path, capsys):
    case = {key: name for key, name in tiny_pairs(tmp_path, 1)[0].items() if "mr" not in key}
    names = {"1": "spleen", "2": "right kidney", "3": "left kidney", "4": "liver"}
    ledger = imported(tmp_path, capsys, "list", [case], labels=names)
    (entry,) = ledger.latest()
    table = tiny_card().table
    before = read_label_map(tmp_path / case["ct_labels"], table).array
    after = read_label_map(ledger.path(entry, entry.scans["ct"].labels), table).array
    assert np.array_equal(after == 4, before == 1)  # what the file calls spleen
    assert np.array_equal(after == 1, before == 4)


def test_one_scan_under_three_ids_imported_twice_is_one_pair_on_one_side(tmp_path, capsys):
    case = {key: name for key, name in tiny_pairs(tmp_path, 1)[0].items() if "mr" not in key}
    rows = [{**case, "id": name} for name in "abc"]
    for name in ("one", "two"):
        ledger = imported(tmp_path, capsys, name, rows[:2], validation=rows[2:])
    (entry,) = ledger.latest()
    cohort = as_cohort(ledger, tiny_card())
    assert [pair.id for pair in (*cohort.train, *cohort.validation)] == [entry.pair]


def test_no_adoption_is_recommended_after_insufficient(tmp_path, monkeypatch, capsys):
    case = tiny_pairs(tmp_path, 1)[0]
    imported(tmp_path, capsys, "list", [case])
    told = {"organs": {}, "fresh": {}, "cases": {}, "reason": "Not enough evidence."}
    words = ["--model", str(tmp_path / "model"), "--queue", str(tmp_path / "queue")]
    for verdict, advised in (("insufficient", False), ("keep", False), ("adopt", True)):
        monkeypatch.setattr(
            "cmcseg.learn.finetune.fine_tune", lambda *_, v=verdict, **__: {**told, "verdict": v}
        )
        main(["finetune", *words, "--out", str(tmp_path / "run")])
        assert ("models adopt" in capsys.readouterr().out) == advised
