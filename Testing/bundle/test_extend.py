"""Room for one organ more: what a model knew stays to the bit."""

import numpy as np
import pytest
import torch
from cmcseg.bundle.extend import extend, fresh_organs
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import Store
from cmcseg.bundle.versions import adopt, history
from cmcseg.core.errors import BadInput
from cmcseg.nets.sliding_window import sliding_window
from fine_tuned import NAME, a_run
from tiny import tiny_bundle

NEW = "with-gallbladder"


@pytest.fixture
def a_store(tmp_path):
    tiny_bundle(tmp_path / "shipped" / NAME)
    return Store(shipped=tmp_path / "shipped", user=tmp_path / "user")


def both(store):
    return (load_bundle(store.find(name)) for name in (NAME, NEW))


def test_the_scores_of_the_old_organs_stay_to_the_bit(a_store):
    extend(a_store, NAME, "gallbladder", NEW)
    old, new = both(a_store)
    chance = torch.Generator().manual_seed(0)
    images = {m: torch.randn(1, 1, 16, 16, 16, generator=chance) for m in (0, 1)}
    with torch.no_grad():
        before, after = (b.network(images, torch.ones(1)) for b in (old, new))
    for m in images:
        one, two = before[m].logits_BKDHW, after[m].logits_BKDHW
        assert two.shape[1] == one.shape[1] + 1
        assert torch.equal(two[:, :-1], one)
        assert (two[:, -1] < two[:, 0]).all()  # it is nowhere more likely than the background


def test_it_finds_what_the_old_one_finds(a_store):
    extend(a_store, NAME, "gallbladder", NEW)
    old, new = both(a_store)
    # One window: where several overlap, probabilities are averaged, which one class more moves.
    image = np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32)
    cpu = torch.device("cpu")
    found = [sliding_window(b.network, {0: image}, b.card, 0.0, cpu)[0] for b in (old, new)]
    labels = [p.argmax(axis=0) for p in found]
    assert len(np.unique(labels[0])) > 1
    # Scores are equal to the bit, shares of one are rounded: two that are all but equal may swap.
    second, first = np.sort(found[0].astype(np.float32), axis=0)[-2:]
    clear = first - second > 0.005
    assert clear.mean() > 0.5
    assert np.array_equal(labels[0][clear], labels[1][clear])


def test_the_card_says_what_was_added_and_where_it_came_from(a_store):
    card = extend(a_store, NAME, " gallbladder ", NEW, code="28231008")
    used = a_store.card(NAME)
    label = card.table.named("gallbladder")
    assert (label.value, label.code.value, label.side) == (5, "28231008", None)
    assert list(card.table)[:4] == list(used.table)
    assert label.color not in {other.color for other in used.table}
    assert card.parent == used.sha256
    assert card.history[-1]["changed"] == "Room was made for gallbladder; it is not learned yet."
    assert fresh_organs(card) == {"gallbladder"}
    assert fresh_organs(used) == frozenset()
    assert a_store.names() == (NAME, NEW)
    assert [version.name for version in history(a_store, NEW)] == ["base"]


def test_organs_can_be_added_one_after_the_other_and_sides_know_each_other(a_store):
    extend(a_store, NAME, "left adrenal gland", "first")
    card = extend(a_store, "first", "right adrenal gland", "second", code="29392005")
    assert [label.name for label in card.table][4:] == ["left adrenal gland", "right adrenal gland"]
    assert card.table.mirrored == ((2, 3), (5, 6))
    assert card.table.named("right adrenal gland").side.meaning == "Right"
    assert card.table.named("right adrenal gland").code.meaning == "adrenal gland"
    assert fresh_organs(card) == {"left adrenal gland", "right adrenal gland"}


@pytest.mark.parametrize(
    ("organ", "name", "sentence"),
    [
        ("Liver", NEW, "The model knows Liver already."),
        ("gallbladder", NAME, f"There is a model {NAME} already"),
        ("gallbladder", "../up", "cannot name a folder"),
        ("  ", NEW, "has no name"),
    ],
)
def test_what_cannot_be_added_is_refused_and_leaves_nothing(a_store, organ, name, sentence):
    with pytest.raises(BadInput, match=sentence):
        extend(a_store, NAME, organ, name)
    assert a_store.names() == (NAME,)


def test_an_organ_is_known_once_a_version_that_was_taught_it_is_adopted(a_store, tmp_path):
    extend(a_store, NAME, "gallbladder", NEW)
    run = a_run(a_store, tmp_path / "one", name=NEW)
    assert fresh_organs(adopt(a_store, NEW, run).card) == {"gallbladder"}
    taught = a_run(a_store, tmp_path / "two", seed=2, name=NEW, taught=["gallbladder"])
    assert fresh_organs(adopt(a_store, NEW, taught).card) == frozenset()
