"""From corrected pairs to a verdict, on a network of a few thousand weights."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.core.errors import BadInput
from cmcseg.data.cache import open_cache
from cmcseg.data.cohort import read_cohort
from cmcseg.learn.comparisons import Past
from cmcseg.learn.finetune import FineTuneSettings, fine_tune
from cmcseg.learn.predictions import answer
from cmcseg.learn.stages import Stages, apart, mean_of, way_of
from safetensors import safe_open
from tiny import tiny_card, tiny_pairs, tiny_state

SETTINGS = FineTuneSettings(minutes=5, device="cpu", steps=3, rehearse=0, compare=0)


@pytest.fixture(scope="module")
def a_bundle(tmp_path_factory):
    torch.set_num_threads(1)
    card = tiny_card()
    card = replace(card, grid=replace(card.grid, spacing=(6.0, 6.0, 6.0)))
    folder = tmp_path_factory.mktemp("models") / "model"
    save_bundle(tiny_state(card), card, folder)
    return load_bundle(folder)


@pytest.fixture(scope="module")
def a_cohort(a_bundle, tmp_path_factory):
    """Two pairs to learn from, three to compare on; one scan has no labels."""
    folder = tmp_path_factory.mktemp("pairs")
    cases = tiny_pairs(folder, 5)
    del cases[1]["mr_labels"]
    path = folder / "cohort.json"
    path.write_text(json.dumps({"training": cases[:2], "validation": cases[2:]}))
    return read_cohort(path, a_bundle.card)


def test_a_run_ends_with_a_candidate_and_a_verdict_about_it(a_bundle, a_cohort, tmp_path):
    found = fine_tune(a_bundle, a_cohort, tmp_path / "run", SETTINGS)
    assert found == json.loads((tmp_path / "run" / "verdict.json").read_text())
    assert found["verdict"] in ("adopt", "keep", "insufficient")
    assert found["learned_from"] == ["case0", "case1"]
    # Each of the two to learn from is judged by what the other one teaches.
    assert sorted(found["compared_on"]) == ["case0", "case1", "case2", "case3", "case4"]
    assert found["real_cases"] == 5
    assert {score["case"]: score["lessons"] for score in found["scores"]} == {
        "case0": 1, "case1": 1, "case2": 2, "case3": 2, "case4": 2
    }  # fmt: skip
    # case1 has no labels of its MR; the boxes lie 6 mm apart in 20 slices.
    assert {role: group["count"] for role, group in found["scans"].items()} == {"ct": 5, "mr": 4}
    assert found["scans"]["mr"]["slices"] == [20, 20]
    words = "Compared on 5 pairs: CT 6 mm, 20 slices; MR 6 mm, 20 slices."
    assert words in found["reason"] or words.replace("Compared", "Shown") in found["reason"]
    candidate = load_bundle(tmp_path / "run" / "candidate").card
    assert candidate.sha256 == found["sha256"] != a_bundle.card.sha256
    assert candidate.parent == found["parent"] == a_bundle.card.sha256


def weights(path, prefix=""):
    with safe_open(path, framework="pt") as handle:
        names = [name for name in handle.keys() if name.startswith(prefix)]  # noqa: SIM118
        return {name.removeprefix(prefix): handle.get_tensor(name) for name in names}


def test_the_candidate_lies_part_of_the_way_to_what_was_learned(a_bundle, a_cohort, tmp_path):
    fine_tune(a_bundle, a_cohort, tmp_path, SETTINGS)
    old = apart(a_bundle).network.state_dict()
    learned = weights(tmp_path / "run" / "checkpoint.safetensors", "average.")
    new = load_bundle(tmp_path / "candidate").network.state_dict()
    assert any(not torch.equal(old[name], learned[name]) for name in old)
    assert 0 < way_of(1) < way_of(2) < way_of(20) < 1
    way = {name: torch.lerp(old[name], learned[name], way_of(2)) for name in old}
    # Models are stored in half precision.
    assert all(torch.equal(new[name], way[name].half().float()) for name in old)


def test_weights_count_by_the_pairs_that_they_learned_from():
    one = {"w": torch.tensor([0.0, 4.0]), "steps": torch.tensor(3)}
    other = {"w": torch.tensor([4.0, 8.0]), "steps": torch.tensor(3)}
    mean = mean_of([one, other], [3, 1])
    assert mean["w"].tolist() == [1.0, 5.0]
    assert mean["steps"] == 3


def test_the_last_stretch_begins_where_the_others_ended_on_average(
    a_bundle, a_cohort, tmp_path, monkeypatch
):
    begun = {}

    def learned(*given):
        _stages, _cache, _stretch, number, _minutes, weights = given
        begun[number] = weights
        return {name: value + len(begun) for name, value in weights.items()}

    monkeypatch.setattr(Stages, "learn", learned)
    fine_tune(a_bundle, a_cohort, tmp_path, SETTINGS)
    assert list(begun) == [0, 1, None]
    name = next(name for name, value in begun[0].items() if value.is_floating_point())
    assert torch.equal(begun[0][name], begun[1][name])  # each from the model in use
    assert torch.allclose(begun[None][name], begun[0][name] + 1.5)


def test_a_scan_that_nobody_corrected_is_segmented_as_before_to_the_bit(
    a_bundle, a_cohort, tmp_path
):
    train = tuple(replace(pair, scans={"ct": pair.scans["ct"]}) for pair in a_cohort.train)
    fine_tune(a_bundle, replace(a_cohort, train=train), tmp_path, SETTINGS)
    new = load_bundle(tmp_path / "candidate")
    window = torch.randn(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        said = [
            [
                net({m: window}, torch.zeros(1))[m].logits_BKDHW
                for net in (a_bundle.network, new.network)
            ]
            for m in (0, 1)
        ]
    assert not torch.equal(*said[0])
    assert torch.equal(*said[1])


def test_scans_of_another_kind_are_answered_as_before(a_bundle, a_cohort, tmp_path):
    fine_tune(a_bundle, a_cohort, tmp_path / "run", SETTINGS)
    made = load_bundle(tmp_path / "run" / "candidate")
    assert set(made.card.corrected) == {"ct", "mr"}
    scan = open_cache(tmp_path / "run" / "cache").scans[0]
    other = replace(scan, traits=replace(scan.traits, finest_mm=1.0, field_mm=500.0))

    def sureness(bundle, one):
        return answer(bundle.network.eval(), bundle.card, one, torch.device("cpu")).sureness

    assert not np.array_equal(sureness(made, scan), sureness(a_bundle, scan))
    assert np.array_equal(sureness(made, other), sureness(a_bundle, other))
    # And so after the next fine-tuning, that begins from what was learned.
    cohort = replace(a_cohort, train=a_cohort.train[:1])
    fine_tune(made, cohort, tmp_path / "next", SETTINGS)
    again = load_bundle(tmp_path / "next" / "candidate")
    assert [len(groups) for groups in again.card.corrected.values()] == [2, 2]
    assert not np.array_equal(sureness(again, scan), sureness(made, scan))
    assert np.array_equal(sureness(again, other), sureness(a_bundle, other))


def test_pairs_that_came_since_judge_the_earlier_ones_anew_and_each_look_is_remembered(
    a_bundle, a_cohort, tmp_path
):
    pairs = (*a_cohort.train, *a_cohort.validation)
    handed, past = [], None
    for number, count in enumerate((1, 4, 4, 5)):
        cohort = replace(a_cohort, train=pairs[:count], validation=())
        run = tmp_path / f"run{number}"
        fine_tune(a_bundle, cohort, run, SETTINGS, past=past, hand_on=handed.append)
        # Whatever it is worth, the next run goes on from it.
        past = replace(Past.from_dict(handed[-1]), candidate=run / "candidate")
    lessons = [{s["case"]: s["lessons"] for s in found["scores"]} for found in handed]
    assert lessons[0] == {}
    # case0 by what the three teach that came since, these by what it has taught.
    assert lessons[1] == {"case0": 3, "case1": 1, "case2": 1, "case3": 1}
    assert handed[2]["scores"] == handed[1]["scores"]  # nothing came, nothing is tried again
    assert lessons[3] == {**lessons[1], "case4": 4}
    looks = [found["earlier"] for found in handed]
    assert looks == [[], [], [], [handed[1]["scores"]]]


def test_started_again_it_says_the_same(a_bundle, a_cohort, tmp_path):
    first = fine_tune(a_bundle, a_cohort, tmp_path / "run", SETTINGS)
    assert fine_tune(a_bundle, a_cohort, tmp_path / "run", SETTINGS) == first


def test_an_interrupted_run_ends_as_an_unbroken_one(a_bundle, a_cohort, tmp_path):
    unbroken = fine_tune(a_bundle, a_cohort, tmp_path / "one", SETTINGS)

    class PlugPulledError(Exception):
        pass

    for words in ("preparing case2", "asking the model in use", "step 2", "asking the new model"):

        def report(progress, words=words):
            if progress.stage.startswith(words):
                raise PlugPulledError

        with pytest.raises(PlugPulledError):
            fine_tune(a_bundle, a_cohort, tmp_path / "two", SETTINGS, report)
    assert fine_tune(a_bundle, a_cohort, tmp_path / "two", SETTINGS) == unbroken


def test_a_folder_with_another_run_is_refused(a_bundle, a_cohort, tmp_path):
    fine_tune(a_bundle, a_cohort, tmp_path / "run", SETTINGS)
    with pytest.raises(BadInput, match="holds a fine-tuning of another model, other pairs or"):
        fine_tune(a_bundle, a_cohort, tmp_path / "run", replace(SETTINGS, minutes=7))


def test_without_a_corrected_pair_there_is_nothing_to_learn(a_bundle, a_cohort, tmp_path):
    with pytest.raises(BadInput, match="There is no corrected pair to learn from"):
        fine_tune(a_bundle, replace(a_cohort, train=()), tmp_path / "run", SETTINGS)
    assert not (tmp_path / "run").exists()


def test_no_time_is_refused():
    with pytest.raises(ValueError, match="0 minutes are no time to learn"):
        FineTuneSettings(minutes=0)


def test_corrections_of_one_scan_alone_are_learned_from(a_bundle, tmp_path):
    cases = tiny_pairs(tmp_path, 2)
    for case in cases:
        for key in ("mr", "mr_labels"):
            del case[key]
    path = tmp_path / "cohort.json"
    path.write_text(json.dumps({"training": cases[:1], "validation": cases[1:]}))
    found = fine_tune(a_bundle, read_cohort(path, a_bundle.card), tmp_path / "run", SETTINGS)
    assert found["learned_from"] == ["case0"]
    assert {name.split()[0] for name in found["organs"]} == {"ct"}
    rows = (tmp_path / "run" / "run" / "losses.csv").read_text().splitlines()
    losses = [dict(zip(rows[0].split(","), row.split(","), strict=True)) for row in rows[1:]]
    assert all(float(row["overlap ct"]) > 0 for row in losses)
