import pytest
import slicer
from cmcseg.core.errors import BadInput
from cmcseg.mrml.scene import MrmlScene
from cmcseg.session.batch import Batch, pairs_of
from inline_runner import InlineRunner
from mrml_scene import Host, add_volume, ball_scan, box
from session_parts import CARD, Worker


@pytest.fixture
def a_ward():
    """Three patients: a pair, a single CT, a pair."""
    host, worker = Host(), Worker()
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(host.scene)
    other = box((40, 44, 30), (3.5, 3.0, 5.0))
    for number, modalities in enumerate((("CT", "MR"), ("CT",), ("MR", "CT"))):
        patient = tree.CreateSubjectItem(tree.GetSceneItemID(), f"patient {number}")
        study = tree.CreateStudyItem(patient, "study")
        for modality in modalities:
            grid = box() if modality == "CT" else other
            array = ball_scan(grid) + (0 if modality == "CT" else 5000)
            node = add_volume(
                host.scene, array, grid.affine, f"{modality} {number}", modality=modality
            )
            tree.SetItemParent(tree.GetItemByDataNode(node), study)
    scene = MrmlScene(host.scene)
    scene.host, scene.worker, scene.runner = host, worker, InlineRunner(worker)
    yield scene
    scene.close()
    host.close()


def names(scene, pairs):
    infos = {scan.key: scan.name for scan in scene.scans()}
    return [{role: infos[key] for role, key in pair.items()} for pair in pairs]


def test_pairs_never_mix_patients(a_ward):
    assert names(a_ward, pairs_of(a_ward.scans(), CARD)) == [
        {"ct": "CT 0", "mr": "MR 0"},
        {"ct": "CT 1"},
        {"ct": "CT 2", "mr": "MR 2"},
    ]


def test_all_pairs_get_their_results(a_ward):
    batch, seen, told = Batch(a_ward, a_ward.runner), [], []
    batch.progressed.connect(seen.append)
    batch.finished.connect(told.append)
    batch.start(pairs_of(a_ward.scans(), CARD), CARD)
    a_ward.runner.finish()
    (items,) = told
    assert [len(item.result.segmentations) for item in items] == [2, 1, 2]
    assert a_ward.host.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 5
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)
    assert seen[-1].stage.startswith("3 of 3: ")


def test_a_pair_that_fails_does_not_stop_the_others(a_ward):
    def trip():
        if len([m for m in a_ward.worker.asked if m.verb == "segment"]) == 1:
            raise BadInput("The MR does not overlap the CT.")

    a_ward.worker.during = trip
    batch = Batch(a_ward, a_ward.runner)
    batch.start(pairs_of(a_ward.scans(), CARD), CARD)
    a_ward.runner.finish()
    assert [item.trouble for item in batch.items] == ["The MR does not overlap the CT.", "", ""]


def test_cancel_keeps_what_is_done(a_ward):
    batch, told = Batch(a_ward, a_ward.runner), []
    batch.cancelled.connect(told.append)

    def stop():
        if len([m for m in a_ward.worker.asked if m.verb == "segment"]) == 2:
            batch.cancel()

    a_ward.worker.during = stop
    batch.start(pairs_of(a_ward.scans(), CARD), CARD)
    a_ward.runner.finish()
    assert [[item.trouble for item in items] for items in told] == [[""]]
    assert a_ward.host.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2


def test_a_scene_closed_in_between_ends_it(a_ward):
    a_ward.worker.during = lambda: a_ward.host.scene.Clear(0)
    batch = Batch(a_ward, a_ward.runner)
    batch.start(pairs_of(a_ward.scans(), CARD), CARD)
    a_ward.runner.finish()
    assert [item.result for item in batch.items] == [None]
    assert batch.items[0].trouble.startswith("The scene was closed")


def test_nothing_to_do_is_told(a_ward):
    with pytest.raises(BadInput, match=r"^No scan suits the model Tiny; load scans, or choose the"):
        Batch(a_ward, a_ward.runner).start([], CARD)
