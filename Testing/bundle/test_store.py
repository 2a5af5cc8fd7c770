"""Models are found, taken over, handed on and removed, and a shipped one stays."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cmcseg.bundle import store as module
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import (
    Store,
    default_store,
    shipped_folder,
    task_card,
    task_names,
    user_folder,
)
from cmcseg.bundle.verify import CARD, METADATA, SUMS, WEIGHTS, read_card, read_folder, sums
from cmcseg.bundle.version_line import home_of
from cmcseg.core.errors import BadInput
from tiny import tiny_bundle, tiny_card, tiny_state


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A sound model that no test may change."""
    return tiny_bundle(tmp_path_factory.mktemp("whole") / "model")


@pytest.fixture
def a_model(whole, tmp_path) -> Path:
    """A model that is in no store yet."""
    return Path(shutil.copytree(whole, tmp_path / "elsewhere"))


@pytest.fixture
def a_store(tmp_path) -> Store:
    """A shipped heart model and no model of the user's."""
    tiny_bundle(tmp_path / "shipped" / "heart-bssfp-lge", "heart")
    return Store(shipped=tmp_path / "shipped", user=tmp_path / "user")


def named(folder: Path, name: str, **changes) -> Path:
    card = replace(tiny_card(), name=name, **changes)
    save_bundle(tiny_state(card), card, folder)
    return folder


def refusal(run, *args) -> str:
    with pytest.raises(BadInput) as caught:
        run(*args)
    return str(caught.value)


# Finding


def test_names_are_those_of_both_folders_once_and_in_order(a_store):
    named(a_store.user / "zebra", "zebra")
    named(a_store.user / "ape", "ape")
    named(a_store.user / "heart-bssfp-lge", "heart-bssfp-lge")
    assert a_store.names() == ("ape", "heart-bssfp-lge", "zebra")


def test_a_store_without_folders_is_empty(tmp_path):
    store = Store(shipped=tmp_path / "a", user=tmp_path / "b")
    assert store.names() == ()
    assert refusal(store.find, "x") == "There is no model 'x', nor any other."


def test_what_is_no_model_has_no_name(a_store):
    (a_store.user / "notes").mkdir(parents=True)
    named(a_store.user / ".draft", "draft")
    (a_store.user / "file.txt").write_text("x")
    assert a_store.names() == ("heart-bssfp-lge",)


def test_a_users_model_comes_before_the_shipped_one(a_store):
    shipped = a_store.find("heart-bssfp-lge")
    assert shipped == a_store.shipped / "heart-bssfp-lge"
    named(a_store.user / "heart-bssfp-lge", "heart-bssfp-lge")
    assert a_store.find("heart-bssfp-lge") == a_store.user / "heart-bssfp-lge"


def test_a_folder_is_found_by_its_path(a_store, a_model):
    assert a_store.find(a_model) == a_model
    assert a_store.find(str(a_model)) == a_model


def test_the_closest_name_is_offered(a_store):
    named(a_store.user / "abdomen-ct-mr", "abdomen-ct-mr")
    assert refusal(a_store.find, "abdomen") == (
        "There is no model 'abdomen'; did you mean abdomen-ct-mr? "
        "There are: abdomen-ct-mr, heart-bssfp-lge."
    )
    assert refusal(a_store.find, "xyz") == (
        "There is no model 'xyz'. There are: abdomen-ct-mr, heart-bssfp-lge."
    )


def test_a_folder_that_is_no_model_is_told_apart_from_a_wrong_name(a_store, tmp_path):
    assert refusal(a_store.find, tmp_path) == f"{tmp_path} is no model: it has no card.json."


def test_a_card_is_read_by_name(a_store):
    assert a_store.card("heart-bssfp-lge") == read_card(a_store.shipped / "heart-bssfp-lge")


# Importing


def test_an_imported_folder_loads_and_says_the_same(a_store, a_model):
    folder = a_store.import_(a_model)
    assert folder == a_store.user / "abdomen-ct-mr"
    assert a_store.names() == ("abdomen-ct-mr", "heart-bssfp-lge")
    assert read_folder(folder) == read_folder(a_model)
    assert load_bundle(folder).card == read_card(a_model)


def test_a_model_goes_out_and_comes_back_unchanged(a_store, tmp_path):
    archive = a_store.export("heart-bssfp-lge", tmp_path / "heart.zip")
    other = Store(shipped=tmp_path / "none", user=tmp_path / "other")
    assert read_folder(other.import_(archive)) == read_folder(a_store.find("heart-bssfp-lge"))


def test_an_import_leaves_nothing_but_the_model(a_store, a_model):
    a_store.import_(a_model)
    assert sorted(p.name for p in a_store.user.iterdir()) == [".versions", "abdomen-ct-mr"]
    assert [p.name for p in (a_store.user / ".versions").iterdir()] == [".abdomen-ct-mr.lock"]


def test_a_name_that_is_taken_is_told_with_both_versions(a_store, a_model, tmp_path):
    a_store.import_(a_model)
    newer = named(tmp_path / "newer", "abdomen-ct-mr", version="0.2.0")
    assert refusal(a_store.import_, newer) == (
        "There is a model abdomen-ct-mr already (version 0.1.0, this one is 0.2.0); "
        "remove it first."
    )
    assert a_store.card("abdomen-ct-mr").version == "0.1.0"


def test_a_shipped_name_cannot_be_taken(a_store, tmp_path):
    twin = named(tmp_path / "twin", "heart-bssfp-lge")
    assert refusal(a_store.import_, twin) == (
        "There is a model heart-bssfp-lge already (version 0.1.0, this one is 0.1.0); "
        "it cannot be replaced."
    )


def test_names_that_differ_in_case_only_collide(a_store, tmp_path):
    twin = named(tmp_path / "twin", "Heart-bSSFP-LGE")
    assert refusal(a_store.import_, twin).startswith("There is a model heart-bssfp-lge already")


def test_a_source_that_is_not_there_is_told(a_store, tmp_path):
    assert refusal(a_store.import_, tmp_path / "x.zip") == (
        f"{tmp_path / 'x.zip'} is not there; give a model's folder or zip archive."
    )


def test_a_file_that_is_no_archive_is_told(a_store, tmp_path):
    (tmp_path / "scan.nii").write_bytes(b"x" * 400)
    assert refusal(a_store.import_, tmp_path / "scan.nii") == (
        f"{tmp_path / 'scan.nii'} is neither a folder nor a zip archive."
    )


def test_a_folder_that_is_no_model_is_told(a_store, tmp_path):
    assert refusal(a_store.import_, tmp_path) == f"{tmp_path} is no model: it has no {WEIGHTS}."


@pytest.mark.parametrize("extra", ["setup.py", "configs/inference.json"])
def test_a_folder_with_more_than_a_model_is_refused(a_store, a_model, extra):
    (a_model / extra).write_text("{}")
    assert refusal(a_store.import_, a_model) == (
        f"{extra} in {a_model} is no part of a model; take it out."
    )
    assert not a_store.user.exists()


def test_what_a_file_browser_left_in_the_folder_is_overlooked(a_store, a_model):
    (a_model / ".DS_Store").write_bytes(b"x")
    folder = a_store.import_(a_model)
    assert not (folder / ".DS_Store").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("name", [CARD, "configs"])
def test_links_in_a_folder_are_refused(a_store, a_model, tmp_path, name):
    shutil.move(a_model / name, tmp_path / "away")
    (a_model / name).symlink_to(tmp_path / "away")
    assert refusal(a_store.import_, a_model) == (
        f"{name} in {a_model} is a link; copy the file itself to its place."
    )
    assert not a_store.user.exists()


def test_an_altered_model_is_not_imported(a_store, a_model):
    with (a_model / METADATA).open("a") as handle:
        handle.write(" ")
    assert refusal(a_store.import_, a_model).startswith(f"{METADATA} in {a_model} was altered")
    assert not a_store.user.exists()


def test_a_model_that_would_not_load_is_not_imported(a_store, a_model):
    text = (a_model / CARD).read_text().replace('"residual"', '"mamba"')
    (a_model / CARD).write_text(text)
    (a_model / SUMS).write_bytes(sums(read_folder(a_model)))
    assert refusal(a_store.import_, a_model).startswith(f"The network of {a_model} cannot be built")
    assert not a_store.user.exists()


# Exporting


def test_two_exports_of_a_model_are_equal(a_store, tmp_path):
    one = a_store.export("heart-bssfp-lge", tmp_path / "one.zip")
    two = a_store.export("heart-bssfp-lge", tmp_path / "two.zip")
    assert one.read_bytes() == two.read_bytes()


def test_an_export_does_not_overwrite(a_store, tmp_path):
    (tmp_path / "one.zip").write_bytes(b"precious")
    assert refusal(a_store.export, "heart-bssfp-lge", tmp_path / "one.zip") == (
        f"{tmp_path / 'one.zip'} is there already; give another name."
    )
    assert (tmp_path / "one.zip").read_bytes() == b"precious"


def test_an_altered_model_is_not_exported(a_store, tmp_path):
    with (a_store.shipped / "heart-bssfp-lge" / CARD).open("a") as handle:
        handle.write(" ")
    assert "card.json" in refusal(a_store.export, "heart-bssfp-lge", tmp_path / "one.zip")
    assert not (tmp_path / "one.zip").exists()


def test_an_export_into_a_folder_that_is_not_there_is_told(a_store, tmp_path):
    out = tmp_path / "nowhere" / "one.zip"
    assert refusal(a_store.export, "heart-bssfp-lge", out) == (
        f"{out} cannot be written (No such file or directory); choose a folder that exists, has "
        "room and may be written to."
    )


# Removing


def test_a_users_model_can_be_removed(a_store, a_model):
    a_store.import_(a_model)
    a_store.remove("abdomen-ct-mr")
    assert a_store.names() == ("heart-bssfp-lge",)
    assert [p.name for p in a_store.user.iterdir()] == [".versions"]


def test_a_shipped_model_stays(a_store):
    assert refusal(a_store.remove, "heart-bssfp-lge") == (
        "The model heart-bssfp-lge came with the program and cannot be removed."
    )
    assert a_store.names() == ("heart-bssfp-lge",)


def test_removing_a_users_twin_brings_the_shipped_model_back(a_store):
    named(a_store.user / "heart-bssfp-lge", "heart-bssfp-lge")
    a_store.remove("heart-bssfp-lge")
    assert a_store.find("heart-bssfp-lge") == a_store.shipped / "heart-bssfp-lge"


@pytest.mark.parametrize("name", ["x", "../shipped/heart-bssfp-lge", "", "."])
def test_only_names_can_be_removed(a_store, name):
    assert refusal(a_store.remove, name) == f"There is no model {name!r}, nor any other."
    assert a_store.names() == ("heart-bssfp-lge",)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_removing_a_linked_model_removes_the_link_only(a_store, a_model):
    a_store.user.mkdir()
    (a_store.user / "linked").symlink_to(a_model, target_is_directory=True)
    a_store.remove("linked")
    assert a_store.names() == ("heart-bssfp-lge",)
    assert (a_model / CARD).is_file()


def test_versions_stay_with_a_model_that_cannot_go(a_store, a_model, monkeypatch):
    a_store.import_(a_model)
    home = home_of(a_store.user, "abdomen-ct-mr")
    home.mkdir()
    (home / "line.json").write_text('{"versions": ["base"], "in_use": 0}')

    def refusing(_home):
        raise BadInput("no")

    for name, works in (("set_aside", refusing), ("hide_folder", refusing)):
        monkeypatch.setattr(module, name, works)
        assert refusal(a_store.remove, "abdomen-ct-mr") == "no"
        assert a_store.find("abdomen-ct-mr").is_dir()
        assert (home / "line.json").is_file()


def test_versions_of_a_model_that_was_deleted_by_hand_outlive_an_import_that_fails(
    a_store, a_model, monkeypatch
):
    home = home_of(a_store.user, "abdomen-ct-mr")
    home.mkdir(parents=True)

    def full(*_):
        raise BadInput("full")

    monkeypatch.setattr(module, "write_folder", full)
    assert refusal(a_store.import_, a_model) == "full"
    assert home.is_dir()


# Where things lie


def test_shipped_models_and_tasks_lie_beside_the_package():
    assert shipped_folder().parts[-3:] == ("CMCSegmentation", "Resources", "Models")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the path is Linux's")
def test_a_users_models_lie_where_the_system_keeps_such_things(monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert user_folder() == Path("~/.local/share/cmcseg/models").expanduser()
    assert default_store() == Store(shipped=shipped_folder(), user=user_folder())


@pytest.mark.parametrize(
    ("task", "roles"), [("abdomen", ("ct", "mr")), ("heart", ("bssfp", "lge"))]
)
def test_a_task_is_a_card_without_weights(task, roles):
    card = task_card(task)
    assert card.roles == roles
    assert card.sha256 == ""
    assert task in task_names()


@pytest.mark.parametrize(
    ("name", "guess"), [("abdomin", "; did you mean abdomen?"), ("../Models/x", "")]
)
def test_an_unknown_task_is_told(name, guess):
    start = f"There is no task {name!r}{guess or '.'} There are: "
    assert refusal(task_card, name) == f"{start}{', '.join(task_names())}."
