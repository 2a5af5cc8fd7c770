"""``cmcseg models prune`` deletes nothing unless it is told twice."""

import json
from dataclasses import replace

import pytest
from cmcseg.bundle import store as stores
from cmcseg.bundle import versions as module
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import Store
from cmcseg.bundle.version_line import VersionLine, read_line, write_line
from cmcseg.cli import main
from tiny import tiny_bundle, tiny_card, tiny_state

NAME = "abdomen-ct-mr"


@pytest.fixture
def a_store(tmp_path, monkeypatch):
    """A shipped model and two adopted versions, the second of them in use."""
    tiny_bundle(tmp_path / "shipped" / NAME)
    store = Store(shipped=tmp_path / "shipped", user=tmp_path / "user")
    home = store.user / ".versions" / NAME
    names = ["1" * 16, "2" * 16]
    for seed, name in enumerate(names, 1):
        used = store.card(NAME)
        card = replace(tiny_card(), parent=used.sha256, version=f"0.1.{seed}")
        save_bundle(tiny_state(card, seed), card, home / name)
        line = VersionLine(versions=("base", *names[:seed]), in_use=seed)
        write_line(home, read_line(home), line)
    monkeypatch.setattr(stores, "default_store", lambda: store)
    return store


def test_nothing_is_deleted_without_a_yes(a_store, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["models", "prune", NAME])
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert "This would delete 0.1.1 (" in told
    assert "say --yes if that is meant." in told
    assert len(module.history(a_store, NAME)) == 3


def test_with_a_yes_old_versions_go_and_the_one_in_use_stays(a_store, capsys):
    used = a_store.find(NAME)
    main(["models", "prune", NAME, "--yes", "--json"])
    assert [version["version"] for version in json.loads(capsys.readouterr().out)] == ["0.1.1"]
    assert a_store.find(NAME) == used
    assert [v.name for v in module.history(a_store, NAME)] == ["base", "2" * 16]
    main(["models", "prune", NAME])  # nothing is left to ask about
    assert "Deleted 0 old versions" in capsys.readouterr().out


def test_a_damaged_version_is_listed_as_such_and_can_be_pruned(a_store, capsys):
    (a_store.user / ".versions" / NAME / ("1" * 16) / "card.json").write_text("{}")
    main(["models", "history", NAME])
    told = capsys.readouterr().out
    assert "damaged" in told
    assert "0.1.2" in told
    main(["models", "history", NAME, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [bool(version["damage"]) for version in found] == [False, True, False]
    with pytest.raises(SystemExit):
        main(["models", "prune", NAME])
    assert "This would delete the damaged 1111111111111111 for good" in capsys.readouterr().err
    main(["models", "prune", NAME, "--yes"])
    assert [v.name for v in module.history(a_store, NAME)] == ["base", "2" * 16]
