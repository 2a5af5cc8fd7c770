"""The gate under attack: labels that are mistakes never lead to a model that is adopted.

The learner is the worst that can be thought of: it learns whatever it is taught to perfection, so
on pairs kept back that carry the same mistake the numbers speak for it as loudly as they can.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.data.cohort import read_cohort
from cmcseg.data.prepare import prepare
from cmcseg.imaging.files import read_label_map, write_label_map
from cmcseg.learn import finetune, stages
from cmcseg.learn.finetune import FineTuneSettings, fine_tune
from cmcseg.learn.predictions import Answer
from tiny import tiny_card, tiny_pairs, tiny_state

SETTINGS = FineTuneSettings(minutes=5, device="cpu", steps=1, rehearse=0, compare=0)
TRAIN, CHECK = ("case0",), tuple(f"case{k}" for k in range(2, 8))


def swapped(labels, _):
    return np.choose(labels, (0, 1, 3, 2, 4)).astype(np.uint8)


def shifted(labels, _):
    return np.roll(labels, 3, axis=1)  # 18 mm


def emptied(labels, _):
    return np.zeros_like(labels)


def random(labels, _):
    return np.random.default_rng(0).integers(0, 5, labels.shape).astype(np.uint8)


def of_another(_, other):
    return other


ATTACKS = (swapped, shifted, emptied, random, of_another)


@pytest.fixture(scope="module")
def a_bundle(tmp_path_factory):
    torch.set_num_threads(1)
    card = tiny_card()
    card = replace(card, grid=replace(card.grid, spacing=(6.0, 6.0, 6.0)))
    folder = tmp_path_factory.mktemp("models") / "model"
    save_bundle(tiny_state(card), card, folder)
    return load_bundle(folder)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Nine patients; the last one lends its labels, which lie a few centimetres off the others'."""
    folder = tmp_path_factory.mktemp("pairs")
    made = tiny_pairs(folder, 9)
    for role in ("ct", "mr"):
        path = folder / made[8][f"{role}_labels"]
        labels = read_label_map(path, tiny_card().table)
        write_label_map(replace(labels, array=np.roll(labels.array, (0, -3, 2), (0, 1, 2))), path)
    return folder, made


@pytest.fixture(scope="module")
def truths(a_bundle, cases, tmp_path_factory):
    """The true labels on the working grid, by pair and role."""
    home, made = cases
    (home / "true.json").write_text(json.dumps({"training": made[:8]}))
    cohort = read_cohort(home / "true.json", a_bundle.card)
    cache = prepare(cohort, a_bundle.card, tmp_path_factory.mktemp("true") / "cache")
    return {(scan.pair, scan.role): np.load(scan.labels) for scan in cache.scans}


@pytest.fixture(autouse=True)
def a_perfect_pupil(monkeypatch, truths):
    """The old model misses every second plane; the new one agrees with every label."""

    def answers(bundle, scans, card, device, report, stage, seconds):  # noqa: ARG001
        said = {}
        for scan in scans:
            if stage == "asking the model in use":
                labels = truths[scan.pair, scan.role].copy()
                labels[::2] = 0
            else:
                labels = np.load(scan.labels)
            labels = np.where(labels == 255, 0, labels).astype(np.uint8)
            said[scan.pair, scan.role] = Answer(
                labels=labels, sureness=np.ones(labels.shape, np.float16)
            )
        return said

    monkeypatch.setattr(stages, "answers", answers)


def verdict_of(a_bundle, cases, folder, attack=None, on=()):
    """Fine-tune on one pair and compare on three, the labels of some of them attacked."""
    home, made = cases
    table = a_bundle.card.table
    rows = {case["id"]: dict(case) for case in made[:8]}
    for name, row in rows.items():
        for role in ("ct", "mr"):
            row[role] = str(home / row[role])
            labels = read_label_map(home / row[f"{role}_labels"], table)
            if name in on:
                other = read_label_map(home / made[8][f"{role}_labels"], table)
                labels = replace(labels, array=attack(labels.array, other.array))
            row[f"{role}_labels"] = str(folder / f"{name}_{role}.nii.gz")
            write_label_map(labels, folder / f"{name}_{role}.nii.gz")
    content = {"training": [rows[n] for n in TRAIN], "validation": [rows[n] for n in CHECK]}
    (folder / "cohort.json").write_text(json.dumps(content))
    cohort = read_cohort(folder / "cohort.json", a_bundle.card)
    return fine_tune(a_bundle, cohort, folder / "run", SETTINGS)


def test_good_labels_are_adopted(a_bundle, cases, tmp_path):
    verdict = verdict_of(a_bundle, cases, tmp_path)
    assert verdict["verdict"] == "adopt"
    assert verdict["left_out"] == {}
    assert verdict["error_gone_at_worst"] > 0


def test_numbers_alone_would_adopt_a_mistake(a_bundle, cases, tmp_path, monkeypatch):
    """So it is for asking the scan that the mistakes below are refused."""
    monkeypatch.setattr(finetune, "implausible", lambda *_: "")
    verdict = verdict_of(a_bundle, cases, tmp_path, shifted, (*TRAIN, *CHECK))
    assert verdict["verdict"] == "adopt"


@pytest.mark.parametrize("on", [TRAIN, CHECK, (*TRAIN, *CHECK)], ids=["train", "check", "both"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_mistakes_are_refused_wherever_they_are(a_bundle, cases, tmp_path, attack, on):
    verdict = verdict_of(a_bundle, cases, tmp_path, attack, on)
    assert verdict["verdict"] in ("keep", "insufficient")
    assert set(verdict["left_out"]) == set(on)


def test_a_model_is_not_taught_by_itself_alone(a_bundle, cases, tmp_path, truths):
    """A scan that nobody has labelled helps not to forget; it is nothing to learn from."""
    verdict_of(a_bundle, cases, tmp_path, emptied, TRAIN)
    cohort = read_cohort(tmp_path / "cohort.json", a_bundle.card)
    scans = {role: replace(s, labels=None) for role, s in cohort.validation[0].scans.items()}
    waiting = replace(cohort.validation[0], id="waiting", scans=scans)
    truths.update({("waiting", role): truths["case2", role] for role in scans})
    cohort = replace(cohort, train=(*cohort.train, waiting), validation=cohort.validation[1:])
    verdict = fine_tune(a_bundle, cohort, tmp_path / "again", SETTINGS)
    assert verdict["verdict"] == "keep"
    assert verdict["reason"].startswith("The labels of every corrected pair look like a mistake:")
    assert not (tmp_path / "again" / "candidate").exists()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_one_pair_with_a_mistake_does_not_spoil_the_others(a_bundle, cases, tmp_path, attack):
    """Six are needed to compare on: five that are left are not enough evidence."""
    verdict = verdict_of(a_bundle, cases, tmp_path, attack, CHECK[:1])
    assert set(verdict["left_out"]) == {CHECK[0]}
    assert verdict["verdict"] == "insufficient"
    assert verdict["real_cases"] == 5
