"""An organ that the model does not know: from its first drawing to an adopted model."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from cmcseg.bundle import store as stores
from cmcseg.bundle.begin import begin
from cmcseg.bundle.extend import fresh_organs
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import Store
from cmcseg.cli import main
from cmcseg.core.errors import BadInput
from cmcseg.data import phantom_cases
from cmcseg.data.cache import open_cache
from cmcseg.imaging.files import read_label_map, read_volume, write_label_map, write_volume
from cmcseg.predict.segment import segment
from tiny import tiny_card, tiny_pairs, tiny_state

NAME, NEW = "abdomen-ct-mr", "abdomen-gallbladder"
PLACE = (slice(17, 23), slice(4, 10), slice(5, 11))


@pytest.fixture
def a_clinic(tmp_path, monkeypatch):
    """A tiny shipped model, and the model that was made from it for a new organ."""
    torch.set_num_threads(1)
    card = tiny_card()
    card = replace(card, grid=replace(card.grid, spacing=(6.0, 6.0, 6.0)))
    save_bundle(tiny_state(card), card, tmp_path / "shipped" / NAME)
    store = Store(shipped=tmp_path / "shipped", user=tmp_path / "user")
    monkeypatch.setattr(stores, "default_store", lambda: store)
    monkeypatch.setattr(phantom_cases, "phantom_task", lambda card: "")  # noqa: ARG005
    return store


def run(capsys, *words):
    capsys.readouterr()
    main([*map(str, words)])
    return capsys.readouterr().out


def add(capsys, folder, case, model):
    files = [f"{key}={folder / case[key]}" for key in case if key != "id"]
    place = ["--queue", folder / "queue", "--id", case["id"], "--model", model]
    return run(capsys, "queue", "add", *place, *files).strip()


def with_gallbladder(folder, case, table):
    """The organ can be seen in both scans, and is drawn with the value 5."""
    for role in ("ct", "mr"):
        image = read_volume(folder / case[role])
        bright = image.array.copy()
        bright[PLACE] = 480
        write_volume(replace(image, array=bright), folder / case[role])
        labels = read_label_map(folder / case[f"{role}_labels"], table)
        drawn = labels.array.copy()
        drawn[PLACE] = 5
        write_label_map(replace(labels, array=drawn), folder / case[f"{role}_labels"])


def test_a_new_organ_is_learned_beside_the_old_ones(a_clinic, capsys, tmp_path):
    cases = tiny_pairs(tmp_path, 6)
    for case in cases[:2]:  # these were corrected before anybody asked for the gallbladder
        add(capsys, tmp_path, case, NAME)
    words = ["--organ", "gallbladder", "--code", "28231008", "--as", NEW]
    assert "Draw gallbladder with the value 5" in run(capsys, "models", "extend", NAME, *words)
    for case in cases[2:]:
        with_gallbladder(tmp_path, case, a_clinic.card(NEW).table)
        add(capsys, tmp_path, case, NEW)

    words = ["--queue", tmp_path / "queue", "--out", tmp_path / "run", "--minutes", "0.01"]
    verdict = json.loads(run(capsys, "finetune", "--model", NEW, *words, "--json"))
    assert verdict["unfit"] == verdict["left_out"] == {}
    assert verdict["taught"] == ["gallbladder"]
    assert set(verdict["fresh"]) == {"ct gallbladder", "mr gallbladder"}
    # Of the four that show it, all but the first are judged by a model that has learned it.
    assert {organ["cases"] for organ in verdict["fresh"].values()} == {3}
    assert not any("gallbladder" in name for name in verdict["organs"])
    assert {organ["cases"] for organ in verdict["organs"].values()} == {3}

    known = {s.pair: s.known for s in open_cache(tmp_path / "run" / "cache").scans}
    assert sorted(known.values()).count((True, True, True, True, True, False)) == 2
    assert np.sum(list(known.values())) == 6 * 6 - 2

    run(capsys, "models", "adopt", NEW, tmp_path / "run", "--overrule", "a trial")
    versions = json.loads(run(capsys, "models", "history", NEW, "--json"))
    assert versions[-1]["change"]["taught"] == ["gallbladder"]
    assert set(versions[-1]["change"]["fresh"]) == set(verdict["fresh"])
    assert fresh_organs(a_clinic.card(NEW)) == frozenset()
    assert [label.name for label in a_clinic.card(NEW).table][-1] == "gallbladder"


@pytest.mark.usefixtures("a_clinic")
def test_the_model_without_the_organ_says_how_to_add_it(capsys, tmp_path):
    case = tiny_pairs(tmp_path, 1)[0]
    run(capsys, "models", "extend", NAME, "--organ", "gallbladder", "--as", NEW)
    entry = add(capsys, tmp_path, case, NEW)
    words = ["--queue", tmp_path / "queue", "--out", tmp_path / "run"]
    with pytest.raises(SystemExit):
        main([*map(str, ("finetune", "--model", NAME, *words))])
    told = capsys.readouterr().err
    assert entry in told
    assert "its value 5 means gallbladder; to the model abdomen-ct-mr it means nothing" in (
        told.lower()
    )
    assert "models extend" in told


@pytest.mark.usefixtures("a_clinic")
def test_an_organ_that_nobody_has_drawn_is_named(capsys, tmp_path):
    for case in tiny_pairs(tmp_path, 2):
        add(capsys, tmp_path, case, NAME)
    run(capsys, "models", "extend", NAME, "--organ", "gallbladder", "--as", NEW)
    words = ["--queue", tmp_path / "queue", "--out", tmp_path / "run", "--minutes", "0.01"]
    verdict = json.loads(run(capsys, "finetune", "--model", NEW, *words, "--json"))
    assert verdict["fresh"] == {}
    assert "Not learned, as nobody has drawn it yet: gallbladder." in verdict["reason"]


def test_a_task_without_a_model_is_begun_drawn_and_learned_from_the_queue(
    a_clinic, capsys, tmp_path
):
    card = tiny_card("orbit")
    card = replace(card, grid=replace(card.grid, spacing=(6.0, 6.0, 6.0)))
    (tmp_path / "orbit.json").write_text(json.dumps(card.to_dict()))
    told = run(capsys, "models", "begin", tmp_path / "orbit.json", "--as", "my-orbit")
    assert "Began my-orbit: t1, t2;" in told
    begun = a_clinic.card("my-orbit")
    assert fresh_organs(begun) == {label.name for label in begun.table}
    cases = tiny_pairs(tmp_path, 4, "orbit")
    for role in begun.roles:  # one organ of the first case is drawn; noise must not contradict it
        path = tmp_path / cases[0][f"{role}_labels"]
        labels = read_label_map(path, begun.table)
        write_label_map(replace(labels, array=labels.array * (labels.array == 1)), path)
    scans = {role: read_volume(tmp_path / cases[0][role]) for role in begun.roles}
    found = segment(scans, load_bundle(a_clinic.find("my-orbit")))
    assert not any(labels.array.any() for labels in found.labels.values())
    assert not any(doubt.array.any() for doubt in found.doubt.values())
    assert found.warnings[-1].startswith("The model has learned nothing yet, so no organ is marked")
    for case in cases:
        files = [f"{key}={tmp_path / case[key]}" for key in case if key != "id"]
        place = ["--queue", tmp_path / "queue", "--id", case["id"], "--model", "my-orbit"]
        run(capsys, "queue", "add", *place, *files)
    words = ["--queue", tmp_path / "queue", "--out", tmp_path / "run", "--minutes", "0.01"]
    verdict = json.loads(run(capsys, "finetune", "--model", "my-orbit", *words, "--json"))
    assert len(verdict["taught"]) == 4  # as many as somebody drew
    assert verdict["organs"] == verdict["left_out"] == {}
    assert begun.title.endswith(" (not trained yet)")
    run(capsys, "models", "adopt", "my-orbit", tmp_path / "run", "--overrule", "a trial")
    card = a_clinic.card("my-orbit")
    assert (card.title, card.trained_on) == ("Orbit T1 + T2", "4 corrected pairs.")


def test_a_network_that_no_model_may_hold_is_refused_before_it_takes_memory(a_clinic):
    card = tiny_card("orbit")
    card = replace(card, network=replace(card.network, widths=(4096, 4096)))
    with pytest.raises(
        BadInput, match=r"would have \d+ million weights, and a model has at most 134"
    ):
        begin(a_clinic, card)
