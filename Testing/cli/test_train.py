"""``cmcseg train``: a cache into a model."""

import json
from dataclasses import replace

import pytest
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.cli import main
from cmcseg.core.card import NetworkSpec
from cmcseg.data.cache import Cache
from cmcseg.nets.build import build_network
from safetensors.torch import save_file
from tiny import tiny_bundle, tiny_card, tiny_pairs

TWICE = ((2, 2, 2),)


@pytest.fixture
def a_cohort(tmp_path):
    """Three cases for a tiny network of the user's own; one scan without labels, one with marks."""
    torch.set_num_threads(1)
    cases = tiny_pairs(tmp_path, 3)
    del cases[0]["mr_labels"]
    cases[1]["mr_scribbles"] = cases[1].pop("mr_labels")
    (tmp_path / "own.json").write_text(json.dumps(tiny_card().to_dict()))
    path = tmp_path / "cohort.json"
    content = {"task": "own.json", "training": cases[:2], "validation": cases[2:]}
    path.write_text(json.dumps(content))
    return path


def refused(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main([*map(str, words)])
    assert stop.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_a_cohort_becomes_a_cache_and_a_cache_a_model(a_cohort, tmp_path, capsys):
    main(["prepare", str(a_cohort), "--out", str(tmp_path / "cache")])
    assert "6 scans" in capsys.readouterr().out
    run = tmp_path / "run"
    words = ["--cache", str(tmp_path / "cache"), "--out", str(run), "--steps", "3"]
    main(["train", "supervised", *words])
    assert load_bundle(run / "model").card.table == tiny_card().table
    assert {p.name for p in run.iterdir()} >= {"losses.csv", "scores.csv", "curves.png"}
    assert len((run / "losses.csv").read_text().splitlines()) == 4


def test_a_model_can_be_where_training_starts(a_cohort, tmp_path, capsys):
    main(["prepare", str(a_cohort), "--out", str(tmp_path / "cache")])
    start = tiny_bundle(tmp_path / "start")
    words = ["--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "run"), "--steps", "1"]
    main(["train", "supervised", *words, "--init", str(start)])
    capsys.readouterr()
    before, after = (load_bundle(p).network for p in (start, tmp_path / "run" / "model"))
    gaps = [
        float((a - b).detach().abs().max())
        for a, b in zip(before.parameters(), after.parameters(), strict=True)
    ]
    assert max(gaps) < 0.01  # one step away from where it started


def test_official_weights_can_be_where_the_encoders_start(a_cohort, tmp_path, capsys):
    spec = NetworkSpec(encoder="universal_unet", widths=(64, 128), patch=(1, 1, 1), strides=TWICE)
    card = replace(tiny_card(), network=spec)
    (tmp_path / "own.json").write_text(json.dumps(card.to_dict()))
    encoder = build_network(card).encoders[0]
    state = encoder.state_dict()
    names = encoder.official_names()
    start, run = tmp_path / "unet.safetensors", tmp_path / "run"
    theirs = {name: state[our] + 1 for our, name in names.items()}
    save_file(theirs, start, metadata={"encoder": "universal_unet"})
    words = ["train", "supervised", "--cohort", str(a_cohort), "--out", str(run), "--steps", "1"]
    main([*words, "--init", str(start)])
    assert "The encoders begin with the weights in" in capsys.readouterr().err
    found = load_bundle(run / "model").network.encoders[0].state_dict()
    assert all(torch.allclose(found[our], state[our] + 1, atol=0.01) for our in names)
    (tmp_path / "own.json").write_text(json.dumps(tiny_card().to_dict()))
    words[5] = str(tmp_path / "other")
    told = refused(capsys, *words, "--init", start)
    assert "holds weights of universal_unet, which this network does not use." in told


def test_every_option_of_training_reaches_the_training(tmp_path, monkeypatch):
    asked = {"optimizer": "muon", "rate": 0.1, "average": 0.2, "paired": 0.4, "phantoms": 0.5}
    asked |= {"foreign": 0.6, "augment": 0.7, "labelled": 0.8, "batch": 3, "steps": 4, "seed": 5}

    class Enough(Exception):
        """Nothing went wrong; no more is wanted."""

    def fit(_cache, settings, _folder, **_):
        raise Enough(settings)

    monkeypatch.setattr("cmcseg.learn.train_model.fit", fit)
    monkeypatch.setattr(
        "cmcseg.data.cache.open_cache", lambda _: Cache(folder=tmp_path, card=tiny_card(), scans=())
    )
    words = [word for key, value in asked.items() for word in (f"--{key}", str(value))]
    with pytest.raises(Enough) as stop:
        main(["train", "paper", "--cache", str(tmp_path), "--out", str(tmp_path / "o"), *words])
    (settings,) = stop.value.args
    assert settings.recipe == "paper"
    assert {key: getattr(settings, key) for key in asked} == asked


def test_a_rate_of_nothing_is_refused(tmp_path, capsys):
    words = ("--cache", tmp_path, "--out", tmp_path / "run", "--rate", "0")
    assert "A learning rate of 0.0 is not between 0 and 1." in refused(
        capsys, "train", "supervised", *words
    )


def test_a_cohort_of_one_modality_is_refused_in_words(a_cohort, tmp_path, capsys):
    cases = json.loads(a_cohort.read_text())
    for case in cases["training"]:
        for key in [key for key in case if key.startswith("mr")]:
            del case[key]
    a_cohort.write_text(json.dumps(cases))
    main(["prepare", str(a_cohort), "--out", str(tmp_path / "cache")])
    words = ["--cache", tmp_path / "cache", "--out", tmp_path / "run", "--steps", "2"]
    told = refused(capsys, "train", "supervised", *words)
    assert "has no mr scan to train on; add some to 'training' in the cohort, or make a" in told


def test_a_folder_that_is_no_cache_is_refused(tmp_path, capsys):
    told = refused(capsys, "train", "supervised", "--cache", tmp_path, "--out", tmp_path / "run")
    assert told.endswith("is not a prepared cache; make one with 'cmcseg prepare'.")


def test_an_unknown_recipe_is_refused(tmp_path, capsys):
    told = refused(capsys, "train", "magic", "--cache", tmp_path, "--out", tmp_path / "run")
    assert told == "The recipe 'magic' is not one of supervised, paper, best."
