"""Versions: one switch forward, one back, and a model that always loads."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from cmcseg.bundle import version_line
from cmcseg.bundle import versions as module
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import Store
from cmcseg.bundle.version_line import VersionLine, home_of, locked, read_line, write_line
from cmcseg.bundle.versions import adopt, history, prune, rollback
from cmcseg.core.errors import BadInput
from fine_tuned import NAME, a_run
from tiny import tiny_card, tiny_state


@pytest.fixture
def a_store(tmp_path):
    save_bundle(tiny_state(tiny_card()), tiny_card(), tmp_path / "shipped" / NAME)
    return Store(shipped=tmp_path / "shipped", user=tmp_path / "user")


def edited(run, **changes):
    path = run / "verdict.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def weights(store):
    return (store.find(NAME) / "model.safetensors").read_bytes()


def test_adopting_switches_and_rolling_back_is_identical_to_the_bit(a_store, tmp_path):
    before = weights(a_store)
    run = a_run(a_store, tmp_path / "run")
    version = adopt(a_store, NAME, run)
    assert weights(a_store) == (run / "candidate" / "model.safetensors").read_bytes() != before
    assert version.card.version == "0.1.1"
    record = load_bundle(a_store.find(NAME)).card.history[-1]
    assert record["learned_from"] == ["a", "b"]
    assert record["scans"] == {}  # as in verdicts of before
    rollback(a_store, NAME)
    assert weights(a_store) == before
    assert [v.in_use for v in history(a_store, NAME)] == [True, False]


def test_every_version_stays_and_each_knows_its_parent(a_store, tmp_path):
    for seed in (1, 2, 3):
        adopt(a_store, NAME, a_run(a_store, tmp_path / f"run{seed}", seed))
    versions = history(a_store, NAME)
    assert [v.card.version for v in versions] == ["0.1.0", "0.1.1", "0.1.2", "0.1.3"]
    for older, newer in pairwise(versions):
        assert newer.card.parent == older.card.sha256
    for wanted in ("0.1.2", "0.1.1", "0.1.0"):
        assert rollback(a_store, NAME).card.version == wanted
    with pytest.raises(BadInput, match="There is no version of abdomen-ct-mr before the one"):
        rollback(a_store, NAME)


def test_any_version_can_be_gone_to_by_its_name_a_later_one_too(a_store, tmp_path):
    for seed in (1, 2, 3):
        adopt(a_store, NAME, a_run(a_store, tmp_path / f"run{seed}", seed))
    names = {v.card.version: v.name for v in history(a_store, NAME)}
    assert rollback(a_store, NAME, names["0.1.1"]).card.version == "0.1.1"
    assert rollback(a_store, NAME, names["0.1.3"]).card.version == "0.1.3"
    assert [v.in_use for v in history(a_store, NAME)] == [False, False, False, True]
    with pytest.raises(BadInput, match="There is no such version of abdomen-ct-mr"):
        rollback(a_store, NAME, "../../etc")


def test_after_a_rollback_another_line_may_begin(a_store, tmp_path):
    adopt(a_store, NAME, a_run(a_store, tmp_path / "one", 1))
    rollback(a_store, NAME)
    adopt(a_store, NAME, a_run(a_store, tmp_path / "two", 2))
    assert len(history(a_store, NAME)) == 3
    assert rollback(a_store, NAME).name == "base"


@pytest.mark.parametrize("change", [-0.2, -0.01])
def test_a_verdict_against_it_needs_a_reason_that_is_kept(a_store, tmp_path, change):
    run = a_run(a_store, tmp_path / "run", change=change, reason="The new model is worse.")
    with pytest.raises(BadInput, match=r"does not speak for the new model \(The new model is wor"):
        adopt(a_store, NAME, run)
    with pytest.raises(BadInput, match="Give a reason"):
        adopt(a_store, NAME, run, overrule="   ")
    version = adopt(a_store, NAME, run, overrule="only the liver matters here")
    assert version.card.history[-1]["overruled_because"] == "only the liver matters here"


def test_a_change_record_says_for_how_long_it_learned(a_store, tmp_path):
    run = a_run(a_store, tmp_path / "run")
    (run / "plan.json").write_text(json.dumps({"minutes": 10.0, "seed": 3, "files": []}))
    record = adopt(a_store, NAME, run).to_dict()["change"]
    assert record["settings"] == {"minutes": 10.0, "seed": 3}
    assert record["learned_from"] == ["a", "b"]
    assert record["compared_on"] == [f"c{k}" for k in range(7)]


def test_adopting_the_same_weights_again_keeps_what_was_said_the_first_time(a_store, tmp_path):
    run = a_run(a_store, tmp_path / "run", change=-0.2)
    for reason in ("only the liver matters", "we thought again"):
        adopt(a_store, NAME, run, overrule=reason)
        rollback(a_store, NAME)
    said = [v.card.history[-1]["overruled_because"] for v in history(a_store, NAME)[1:]]
    assert said == ["only the liver matters", "we thought again"]


def test_a_step_back_is_to_the_version_that_was_in_use_before(a_store, tmp_path):
    first = a_run(a_store, tmp_path / "first", 1)
    adopt(a_store, NAME, first)
    rollback(a_store, NAME)
    again = adopt(a_store, NAME, first)  # the same weights twice
    adopt(a_store, NAME, a_run(a_store, tmp_path / "second", 2))
    assert rollback(a_store, NAME).name == again.name
    assert rollback(a_store, NAME).name == "base"


def test_a_verdict_about_other_weights_is_refused(a_store, tmp_path):
    run = a_run(a_store, tmp_path / "run")
    made = save_bundle(tiny_state(tiny_card(), 9), tiny_card(), run / "candidate", replace=True)
    assert made.sha256
    with pytest.raises(BadInput, match="does not belong to its candidate"):
        adopt(a_store, NAME, run)


def test_a_verdict_that_was_turned_by_hand_is_noticed_even_with_a_reason(a_store, tmp_path):
    run = a_run(a_store, tmp_path / "run", change=-0.2)
    edited(run, verdict="adopt")
    for reason in ("", "I know better"):
        with pytest.raises(BadInput, match="was changed after the comparison; fine-tune again in"):
            adopt(a_store, NAME, run, overrule=reason)
    assert len(history(a_store, NAME)) == 1


def test_a_fine_tuning_that_made_no_model_says_why(a_store, tmp_path):
    run = a_run(a_store, tmp_path / "run", change=-0.2, reason="No pair was left.")
    shutil.rmtree(run / "candidate")
    with pytest.raises(BadInput, match=r"^The fine-tuning made no new model\. No pair was left\.$"):
        adopt(a_store, NAME, run, overrule="x")


def test_a_candidate_of_an_older_version_is_refused(a_store, tmp_path):
    old = a_run(a_store, tmp_path / "old", 1)
    adopt(a_store, NAME, a_run(a_store, tmp_path / "new", 2))
    with pytest.raises(BadInput, match="was made from another version of abdomen-ct-mr than the"):
        adopt(a_store, NAME, old)


def test_a_folder_without_a_verdict_is_refused(a_store, tmp_path):
    with pytest.raises(BadInput, match="holds no finished fine-tuning"):
        adopt(a_store, NAME, tmp_path)


def spoil(store, version):
    path = store.user / ".versions" / NAME / version.name / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def test_a_damaged_version_in_use_can_be_left(a_store, tmp_path):
    _, second, third = three_versions(a_store, tmp_path)
    spoil(a_store, third)
    assert rollback(a_store, NAME).name == second.name
    assert load_bundle(a_store.find(NAME)).card == second.card


def test_nobody_goes_back_to_a_damaged_version(a_store, tmp_path):
    first, second, _ = three_versions(a_store, tmp_path)
    spoil(a_store, second)
    assert rollback(a_store, NAME).name == first.name
    (a_store.shipped / NAME / "model.safetensors").write_bytes(b"")
    with pytest.raises(BadInput, match="Every version of abdomen-ct-mr before the one in use is"):
        rollback(a_store, NAME)
    assert load_bundle(a_store.find(NAME)).card == first.card


@pytest.mark.parametrize("file", ["model.safetensors", "card.json", "SHA256SUMS"])
def test_a_damaged_version_is_named_and_hides_none_of_the_others(a_store, tmp_path, file):
    first, second, third = three_versions(a_store, tmp_path)
    (a_store.user / ".versions" / NAME / second.name / file).write_bytes(b"{}")
    found = history(a_store, NAME)
    assert [v.name for v in found] == ["base", first.name, second.name, third.name]
    assert [bool(v.damage) for v in found] == [False, False, True, False]
    told = found[2].to_dict()
    assert second.name in told["damage"]
    assert told["in_use"] is False
    json.dumps(told)
    assert {v.name for v in prune(a_store, NAME)} == {first.name, second.name}
    assert [v.name for v in history(a_store, NAME)] == ["base", third.name]


def test_a_version_whose_folder_is_gone_blocks_nothing(a_store, tmp_path):
    first, second, third = three_versions(a_store, tmp_path)
    home = a_store.user / ".versions" / NAME
    shutil.rmtree(home / second.name)
    assert "it has no card.json" in history(a_store, NAME)[2].damage
    assert rollback(a_store, NAME).name == first.name
    shutil.rmtree(home / third.name)
    adopt(a_store, NAME, a_run(a_store, tmp_path / "next", 5))
    assert [bool(v.damage) for v in history(a_store, NAME)] == [False, False, True, True, False]
    prune(a_store, NAME)
    assert len(list(home.iterdir())) == 2


def test_a_number_is_given_once_even_after_a_step_back_or_a_pruning(a_store, tmp_path):
    first = adopt(a_store, NAME, a_run(a_store, tmp_path / "one", 1))
    rollback(a_store, NAME)
    second = adopt(a_store, NAME, a_run(a_store, tmp_path / "two", 2))
    rollback(a_store, NAME)
    prune(a_store, NAME)
    third = adopt(a_store, NAME, a_run(a_store, tmp_path / "three", 3))
    assert [v.card.version for v in (first, second, third)] == ["0.1.1", "0.1.2", "0.1.3"]


def test_a_line_of_an_earlier_program_keeps_its_numbers_too(a_store, tmp_path):
    adopt(a_store, NAME, a_run(a_store, tmp_path / "one", 1))
    rollback(a_store, NAME)
    path = a_store.user / ".versions" / NAME / "line.json"
    line = json.loads(path.read_text())
    del line["given"]
    path.write_text(json.dumps(line))
    assert adopt(a_store, NAME, a_run(a_store, tmp_path / "two", 2)).card.version == "0.1.2"


def test_of_two_programs_that_adopt_at_once_one_is_told_and_nothing_is_lost(a_store, tmp_path):
    runs = [a_run(a_store, tmp_path / f"run{seed}", seed) for seed in (1, 2)]

    def told(run):
        try:
            return adopt(a_store, NAME, run).name
        except BadInput as refusal:
            return str(refusal)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(told, runs))
    (refused,) = [answer for answer in answers if "made from another version" in answer]
    (adopted,) = [answer for answer in answers if answer != refused]
    assert [version.name for version in history(a_store, NAME)] == ["base", adopted]


def test_a_line_that_somebody_else_has_changed_is_not_written_over(a_store, tmp_path):
    home = home_of(a_store.user, NAME)
    before = read_line(home)
    adopt(a_store, NAME, a_run(a_store, tmp_path / "run"))
    with pytest.raises(BadInput, match="Another program has just changed the versions of abdomen"):
        write_line(home, before, VersionLine())
    assert len(history(a_store, NAME)) == 2


def test_a_lock_that_somebody_holds_for_long_is_told(a_store, monkeypatch):
    monkeypatch.setattr(version_line, "WAIT_SECONDS", 0.05)
    home = home_of(a_store.user, NAME)
    with (
        locked(home),
        pytest.raises(BadInput, match="Another program is changing the versions of abdomen-ct-mr"),
        locked(home),
    ):
        pass


def test_adopting_and_going_back_read_only_the_weights_they_need(a_store, tmp_path, monkeypatch):
    _, second, _ = three_versions(a_store, tmp_path)
    read = []
    whole = module.read_folder
    monkeypatch.setattr(
        module, "read_folder", lambda folder: (read.append(folder), whole(folder))[1]
    )
    adopt(a_store, NAME, a_run(a_store, tmp_path / "next", 4))
    assert read == []
    assert rollback(a_store, NAME).name != second.name
    assert len(read) == 2  # the one in use, and the one that it came from


def three_versions(store, tmp_path):
    return [adopt(store, NAME, a_run(store, tmp_path / f"run{k}", k)) for k in (1, 2, 3)]


@pytest.mark.parametrize("back", [0, 1])
def test_pruning_keeps_the_first_version_and_the_one_in_use(a_store, tmp_path, back):
    base, versions = weights(a_store), three_versions(a_store, tmp_path)
    for _ in range(back):
        rollback(a_store, NAME)
    used, name = weights(a_store), versions[2 - back].name
    assert {v.name for v in prune(a_store, NAME)} == {v.name for v in versions} - {name}
    assert weights(a_store) == used
    assert [(v.name, v.in_use) for v in history(a_store, NAME)] == [("base", False), (name, True)]
    home = a_store.user / ".versions" / NAME
    assert {path.name for path in home.iterdir()} == {"line.json", name}
    rollback(a_store, NAME)  # its parent is gone
    assert weights(a_store) == base


def test_where_the_first_version_is_in_use_all_others_can_go(a_store, tmp_path):
    three_versions(a_store, tmp_path)
    for _ in range(3):
        rollback(a_store, NAME)
    assert len(prune(a_store, NAME)) == 3
    assert [(v.name, v.in_use) for v in history(a_store, NAME)] == [("base", True)]
    assert prune(a_store, NAME) == []


def test_a_version_after_a_pruning_finds_its_way(a_store, tmp_path):
    three_versions(a_store, tmp_path)
    prune(a_store, NAME)
    adopt(a_store, NAME, a_run(a_store, tmp_path / "next", 4))
    assert [v.card.version for v in history(a_store, NAME)] == ["0.1.0", "0.1.3", "0.1.4"]
    assert rollback(a_store, NAME).card.version == "0.1.3"


def test_a_line_that_leads_elsewhere_is_refused(a_store, tmp_path):
    adopt(a_store, NAME, a_run(a_store, tmp_path / "run"))
    line = a_store.user / ".versions" / NAME / "line.json"
    line.write_text(json.dumps({"versions": ["base", "../../../etc"], "in_use": 1}))
    with pytest.raises(BadInput, match="is damaged"):
        a_store.find(NAME)


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_model_that_comes_under_a_removed_name_does_not_meet_its_versions(tmp_path, by_hand):
    store = Store(shipped=tmp_path / "shipped", user=tmp_path / "user")
    for seed in (0, 7):
        save_bundle(tiny_state(tiny_card(), seed), tiny_card(), tmp_path / f"model{seed}")
    store.import_(tmp_path / "model0")
    adopted = adopt(store, NAME, a_run(store, tmp_path / "run"))
    if by_hand:
        shutil.rmtree(store.user / NAME)
    else:
        store.remove(NAME)
    store.import_(tmp_path / "model7")
    wanted = (tmp_path / "model7" / "model.safetensors").read_bytes()
    assert weights(store) == wanted
    assert [version.name for version in history(store, NAME)] == ["base"]
    aside = next(path for path in (store.user / ".versions").iterdir() if path.is_dir())
    assert (aside / adopted.name / "card.json").is_file()  # nothing was deleted unasked
    assert store.names() == (NAME,)
