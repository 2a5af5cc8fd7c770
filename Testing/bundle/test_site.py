"""A fine-tuned model beside the one in use, under the name of a site."""

from dataclasses import replace

import pytest
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.site import adopt_beside
from cmcseg.bundle.store import Store
from cmcseg.bundle.untaught import is_untaught, untaught
from cmcseg.bundle.versions import adopt, history, rollback
from cmcseg.core.errors import BadInput
from fine_tuned import NAME, a_run
from tiny import tiny_card, tiny_state

SCANS = {"ct": {"count": 2}}


@pytest.fixture
def a_store(tmp_path):
    save_bundle(tiny_state(tiny_card()), tiny_card(), tmp_path / "shipped" / NAME)
    return Store(shipped=tmp_path / "shipped", user=tmp_path / "user")


def test_it_is_a_model_of_its_own_and_the_one_in_use_stays(a_store, tmp_path):
    before = (a_store.find(NAME) / "model.safetensors").read_bytes()
    run = a_run(a_store, tmp_path / "run", scans=SCANS)
    card = adopt_beside(a_store, NAME, run, " Dijon ")
    assert a_store.names() == (NAME, f"{NAME}-dijon")
    assert a_store.own() == (f"{NAME}-dijon",)
    assert card.title == "Abdomen CT + MR, Dijon"
    assert card.parent == a_store.card(NAME).sha256
    record = card.history[-1]
    assert (record["beside"], record["site"], record["scans"]) == (NAME, "Dijon", SCANS)
    made = (run / "candidate" / "model.safetensors").read_bytes()
    assert (a_store.find(card.name) / "model.safetensors").read_bytes() == made
    assert (a_store.find(NAME) / "model.safetensors").read_bytes() == before
    assert len(history(a_store, NAME)) == 1


def test_a_model_that_had_learned_nothing_says_what_its_site_taught_it(a_store, tmp_path):
    card = untaught(replace(tiny_card(), name="begun"))
    save_bundle(tiny_state(card), card, tmp_path / "user" / "begun")
    card = adopt_beside(a_store, "begun", a_run(a_store, tmp_path / "run", name="begun"), "Dijon")
    assert (card.title, is_untaught(card)) == ("Abdomen CT + MR, Dijon", False)
    assert card.trained_on == "2 corrected pairs."


def test_learning_on_going_back_and_exporting_are_those_of_any_model(a_store, tmp_path):
    name = adopt_beside(a_store, NAME, a_run(a_store, tmp_path / "one"), "Dijon").name
    version = adopt(a_store, name, a_run(a_store, tmp_path / "two", 2, name=name))
    assert version.card.version == "0.1.2"
    assert [r["learned_from"] for r in version.card.history] == [["a", "b"]] * 2
    assert rollback(a_store, name).card.sha256 == version.card.parent
    archive = a_store.export(name, tmp_path / "dijon.zip")
    a_store.remove(name)
    assert a_store.names() == (NAME,)
    assert load_bundle(a_store.import_(archive)).card.name == name


def test_a_verdict_against_it_asks_for_a_reason_as_ever(a_store, tmp_path):
    run = a_run(a_store, tmp_path / "run", change=-0.2)
    with pytest.raises(BadInput, match="The comparison does not speak for the new model"):
        adopt_beside(a_store, NAME, run, "Dijon")
    card = adopt_beside(a_store, NAME, run, "Dijon", overrule="our own scans look better")
    assert card.history[-1]["overruled_because"] == "our own scans look better"


@pytest.mark.parametrize(
    ("site", "told"),
    [
        ("", "Say for which site the model is kept"),
        (" \n ", "Say for which site the model is kept"),
        ("東京", "A site cannot be called '東京'"),
        ("<b>Dijon</b>", "A site cannot be called"),
        ("a\x00b", "A site cannot be called"),
        ("D" * 41, "A site cannot be called"),
        ("---", "A site cannot be called"),
        ("D" * 40, ""),
        ("CHU Besançon (2)", ""),
    ],
)
def test_an_odd_name_is_one_sentence_and_nothing_is_made(a_store, tmp_path, site, told):
    run = a_run(a_store, tmp_path / "run")
    if told:
        with pytest.raises(BadInput, match=told):
            adopt_beside(a_store, NAME, run, site)
        assert a_store.names() == (NAME,)
    else:
        assert adopt_beside(a_store, NAME, run, site).title.endswith(site)


def test_a_name_that_is_taken_is_refused_in_any_spelling(a_store, tmp_path):
    run = a_run(a_store, tmp_path / "run")
    adopt_beside(a_store, NAME, run, "Besançon")
    with pytest.raises(BadInput, match="a model abdomen-ct-mr-besancon already; give the site"):
        adopt_beside(a_store, NAME, run, "BESANCON")
