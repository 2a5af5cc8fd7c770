"""What somebody puts into the folder of models without asking: told, or passed over alone."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cmcseg.bundle import store as module
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import Store
from cmcseg.bundle.verify import CARD
from cmcseg.cli import main
from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.worker.model_cache import ModelCache
from cmcseg.worker.verbs import models
from tiny import tiny_bundle, tiny_card, tiny_state

SHIPPED = "heart-bssfp-lge"


@pytest.fixture
def a_store(tmp_path, monkeypatch) -> Store:
    """A shipped heart model, and a model of the user's."""
    tiny_bundle(tmp_path / "shipped" / SHIPPED, "heart")
    store = Store(shipped=tmp_path / "shipped", user=tmp_path / "user")
    put(store, "mine")
    monkeypatch.setattr(module, "default_store", lambda: store)
    return store


def put(store: Store, name: str) -> Path:
    card = replace(tiny_card(), name=name)
    save_bundle(tiny_state(card), card, store.user / name)
    return store.user / name


def heard(store: Store) -> dict:
    """What the windows are told of the models."""
    return models(
        Message(verb="models"), ModelCache(store=store, folder=store.user), lambda _: None
    ).values


def test_one_that_hides_a_shipped_model_is_told_wherever_models_are_listed(a_store, capsys):
    assert heard(a_store)["damaged"] == []
    put(a_store, SHIPPED)
    (told,) = heard(a_store)["damaged"]
    assert told == (
        f"The model {SHIPPED} in {a_store.user / SHIPPED} takes the place of the one that came "
        f"with the program; if that is not meant, say 'cmcseg models remove {SHIPPED}'."
    )
    main(["models", "list"])
    assert told in capsys.readouterr().out.replace("\n", "")
    main(["models", "remove", SHIPPED])
    assert heard(a_store)["damaged"] == []
    assert a_store.find(SHIPPED) == a_store.shipped / SHIPPED


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("place", ["loop", f"loop/{CARD}", SHIPPED, f"{SHIPPED}/{CARD}"])
def test_a_link_that_points_at_itself_hides_no_model(a_store, place, capsys):
    link = a_store.user / place
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(link)
    assert [card["name"] for card in heard(a_store)["cards"]] == [SHIPPED, "mine"]
    assert heard(a_store)["own"] == ["mine"]
    assert a_store.find(SHIPPED) == a_store.shipped / SHIPPED
    with pytest.raises(BadInput, match="There is no model 'loop'"):
        a_store.find("loop")
    main(["models", "list"])
    assert capsys.readouterr().out.count("mine 0.1.0") == 1


def test_a_damaged_one_hides_no_other(a_store, capsys):
    card = put(a_store, "hurt") / CARD
    card.write_text(card.read_text().replace("liver", "river"))
    assert [card["name"] for card in heard(a_store)["cards"]] == [SHIPPED, "mine"]
    (told,) = heard(a_store)["damaged"]
    assert "hurt" in told
    with pytest.raises(SystemExit, match="2"):
        main(["models", "list"])
    out, err = capsys.readouterr()
    assert "mine" in out
    assert SHIPPED in out
    assert "hurt" in err
    with pytest.raises(SystemExit, match="2"):
        main(["models", "list", "--json"])
    assert [card["name"] for card in json.loads(capsys.readouterr().out)] == [SHIPPED, "mine"]
