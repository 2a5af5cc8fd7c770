"""A patient is erased from a queue, and what cannot be erased is said."""

import json
import stat

import pytest
from cmcseg.core.errors import BadInput
from cmcseg.queue.forget import forget, traces
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.pseudonyms import key_beside, pair_for
from queued import a_draft

ANN, BOB = "Ann Example 1970", "bob"


@pytest.fixture
def a_queue(tmp_path):
    """Two patients; the first with revisions, a removed one, a run, a draft and a kept doubt."""
    queue = Ledger(tmp_path / "queue")
    key = key_beside(queue.folder)
    queue.ann, queue.bob = (pair_for(name, key, queue.fresh_pair) for name in (ANN, BOB))
    for seed, pair in enumerate((queue.ann, queue.ann, queue.ann, queue.bob)):
        queue.add(a_draft(seed, pair=pair))
    queue.remove(f"{queue.ann}.r1")
    (queue.folder / "entries" / f"{queue.ann}.r2" / "ct.nii.gz").write_bytes(b"damaged")
    queue.verify()
    draft = queue.folder / "tmp" / f"{queue.ann}-0123456789abcdef"
    draft.mkdir()
    (queue.folder / "tmp" / "draft-of-now").mkdir()
    (queue.folder / "doubts").mkdir()
    (queue.folder / "doubts" / "ab.json").write_text("{}")
    for name, pair in (("of-ann", queue.ann), ("of-bob", queue.bob)):
        (queue.folder / "runs" / name / "cache").mkdir(parents=True)
        plan = {"learn": [pair], "check": []}
        (queue.folder / "runs" / name / "plan.json").write_text(json.dumps(plan))
    return queue


def named(queue):
    return [p.relative_to(queue.folder).as_posix() for p in queue.folder.rglob("*")]


def test_nothing_of_the_patient_is_left_but_a_number_that_must_not_come_again(a_queue):
    key = key_beside(a_queue.folder)
    found = traces(a_queue, ANN, key)
    assert len(named(a_queue)) > 20
    forget(found)
    left = {name for name in named(a_queue) if a_queue.ann in name}
    assert left == {f"given/{a_queue.ann}.r{n}" for n in (1, 2, 3)}
    gone = ("runs/of-ann", "doubts/", f"tmp/{a_queue.ann}")
    assert not any(name.startswith(gone) for name in named(a_queue))
    texts = [p.read_text() for p in a_queue.folder.rglob("*.json")]
    assert not any(a_queue.ann in text for text in texts)
    with pytest.raises(BadInput, match="knows no subject"):
        traces(a_queue, ANN, key)
    assert pair_for(ANN, key, a_queue.fresh_pair) != a_queue.ann


def test_the_same_scans_under_another_name_go_with_it(a_queue):
    key = key_beside(a_queue.folder)
    other = pair_for("A. Example", key, a_queue.fresh_pair)
    again = a_queue.add(a_draft(1, pair=other))
    assert again.pair == a_queue.ann
    found = traces(a_queue, "A. Example", key)
    assert set(found.pairs) == {a_queue.ann, other}
    forget(found)
    assert [entry.pair for entry in a_queue.entries()] == [a_queue.bob]
    assert len(list(key.iterdir())) == 1


def test_everybody_else_stays(a_queue):
    key = key_beside(a_queue.folder)
    forget(traces(a_queue, ANN, key))
    assert [entry.id for entry in a_queue.entries()] == [f"{a_queue.bob}.r1"]
    assert (a_queue.folder / "runs" / "of-bob" / "cache").is_dir()
    assert (a_queue.folder / "tmp" / "draft-of-now").is_dir()
    assert pair_for(BOB, key, a_queue.fresh_pair) == a_queue.bob


def test_where_the_key_is_lost_the_number_does(a_queue):
    found = traces(a_queue, a_queue.ann, a_queue.folder / "no key")
    assert sum(path.name.startswith(f"{a_queue.ann}.r") for path in found.folders) == 3
    assert found.keys == ()


@pytest.mark.parametrize("subject", ["carl", "../entries", "p0", "", "*"])
def test_a_stranger_is_told_and_nothing_erased(a_queue, subject):
    before = named(a_queue)
    with pytest.raises(BadInput):
        traces(a_queue, subject, key_beside(a_queue.folder))
    assert named(a_queue) == before


def test_queue_and_key_are_closed_to_other_accounts(a_queue):
    paths = [a_queue.folder, key_beside(a_queue.folder)]
    kept = [p for folder in paths for p in (folder, *folder.rglob("*"))]
    ours = [p for p in kept if not {"runs", "doubts"} & set(p.parts)]
    assert len(ours) > 20
    assert [
        p for p in ours if stat.S_IMODE(p.stat().st_mode) & 0o077 and "tmp" not in p.parts
    ] == []


def test_one_that_was_open_is_closed_by_verify(a_queue):
    for path in (a_queue.folder, *a_queue.folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    a_queue.verify()
    modes = [stat.S_IMODE(p.stat().st_mode) for p in a_queue.folder.rglob("*")]
    assert not any(mode & 0o077 for mode in modes)
