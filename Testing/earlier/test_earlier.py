"""What earlier programs left on a disk still opens; ``make.py`` says how the files were made."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import Store
from cmcseg.bundle.verdict import read_verdict
from cmcseg.bundle.versions import adopt, history, rollback
from cmcseg.core.steps import finish
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.pseudonyms import known_pair
from queued import a_draft

NAME = "abdomen-ct-mr"


@pytest.fixture
def left(tmp_path):
    """A copy of the files; what is opened may be changed by that."""
    return Path(shutil.copytree(Path(__file__).parent / "files", tmp_path / "left"))


@pytest.fixture
def a_store(left):
    return Store(shipped=left / "none", user=left / "models")


def test_a_model_and_its_versions_open_and_go_on(left, a_store):
    versions = history(a_store, NAME)
    assert [(v.card.version, v.in_use, v.damage) for v in versions] == [
        ("0.1.0", False, ""),
        ("0.1.1", True, ""),
    ]
    assert load_bundle(a_store.find(NAME)).card.history[-1]["learned_from"] == ["a", "b"]
    assert adopt(a_store, NAME, left / "run").card.version == "0.1.2"
    assert rollback(a_store, NAME).name == versions[1].name


def test_a_verdict_is_read_and_its_seal_holds(left):
    assert read_verdict(left / "run")["verdict"] == "adopt"


def test_a_queue_opens_and_takes_more(left):
    ledger = Ledger(left / "queue")
    first, second = ledger.entries()
    assert ledger.verify() == {}
    assert (first.id, first.who, first.notes) == ("p0123456789ab.r1", "JW", "the rim")
    assert second.id == "p0123456789ab.r2"
    assert known_pair("Nobody 12", left / "queue-key") == first.pair
    assert ledger.add(a_draft(2, pair=first.pair)).revision == 3


def test_a_scene_goes_on_where_it_was(left, tmp_path):
    slicer = pytest.importorskip("slicer")
    from cmcseg.mrml.scene import MrmlScene
    from mrml_scene import Host, balls, box, centres

    host = Host()
    scene = MrmlScene(host.scene)
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(host.scene)
    remote.AddDataIOToScene()
    remote.GetCacheManager().SetRemoteCacheDirectory(str(tmp_path))
    assert host.scene.ReadFromMRB(str(left / "scene.mrb"), True)
    (scan,) = scene.scans()
    found = balls(centres(box((12, 11, 10), (12.0, 12.0, 14.0))))
    drawn = np.where(np.arange(10) == 5, found * (found != 1), found)
    kept = finish(scene.restoring(scan.key))
    assert (kept.labels.array == found).all()
    assert (kept.drawn.array == drawn).all()
    assert (finish(scene.reading_labels(scan.key)).array == drawn).all()
    assert kept.made["model"] == NAME
    assert np.allclose(kept.doubt.array, 0.25, atol=0.005)
    scene.close()
    host.close()


def test_a_draft_of_the_browser_opens(left):
    pytest.importorskip("trame")
    from cmcseg.web.drafts import Drafts
    from cmcseg.web.folder import Folder

    prediction, drawn = Drafts(Folder(left / "browser")).open("case 1")
    assert (prediction.model, prediction.sha256) == (NAME, "ab")
    assert (drawn["ct"].array == prediction.labels["ct"].array).all()
