import json
from dataclasses import replace

import numpy as np
import pytest
import slicer
import vtk
from cmcseg.core.errors import BadInput
from cmcseg.core.steps import finish
from cmcseg.core.volume import Volume
from cmcseg.mrml import scans
from cmcseg.mrml.geometry import to_vtk
from cmcseg.mrml.scene import MrmlScene
from cmcseg.session.ports import Finding
from mrml_scene import (
    TABLE,
    Host,
    add_rotation,
    add_volume,
    ball_scan,
    balls,
    box,
    centres,
    dice,
    organs,
)
from slicer.util import arrayFromVolume


@pytest.fixture
def a_host():
    host = Host()
    yield host
    host.close()


@pytest.fixture
def a_scene(a_host):
    scene = MrmlScene(a_host.scene)
    yield scene
    scene.close()


@pytest.fixture
def a_scan(a_host):
    grid = box()
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_host.scene)
    node = add_volume(a_host.scene, ball_scan(grid), grid.affine, "CT venous", modality="CT")
    study = tree.CreateStudyItem(tree.GetSceneItemID(), "study")
    tree.SetItemParent(tree.GetItemByDataNode(node), study)
    return node


def finding(grid, array=None, doubt=0.25):
    array = balls(centres(box())) if array is None else array
    volume = Volume(array=np.full(grid.shape, doubt, np.float32), grid=grid)
    made = {"model": "tiny", "version": "0.1.0", "sha256": "ab", "alignment": None}
    return Finding(labels=organs(array, grid), doubt=volume, disagreement=volume, made=made)


def written(scene, node, **more):
    key = finish(scene.writing(node.GetID(), finding(scene.grid(node.GetID()), **more)))
    return node.GetScene().GetNodeByID(key)


def test_a_result_carries_names_colours_terminology_geometry_and_its_source(a_scene, a_scan):
    node = written(a_scene, a_scan)
    assert node.GetName() == "CT venous organs"
    kidney = node.GetSegmentation().GetSegment("left kidney")
    assert kidney.GetName() == "left kidney"
    assert np.allclose(kidney.GetColor(), TABLE.named("left kidney").rgb)
    assert kidney.GetTerminology() == (
        "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical Structure~"
        "SCT^64033007^Kidney~SCT^7771000^Left~Anatomic codes - DICOM master list~^^~^^"
    )
    role = node.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReferenceID(role) == a_scan.GetID()
    assert json.loads(node.GetAttribute("CMCSeg.made"))["model"] == "tiny"


def test_a_dicom_seg_says_that_a_model_drew_and_which_and_where_a_reader_corrected(a_scene, a_scan):
    """Slicer exports a segment without these tags as drawn by hand."""
    segmentation = written(a_scene, a_scan).GetSegmentation()
    own = segmentation.AddEmptySegment("lesion", "lesion")
    mask = np.zeros(finish(a_scene.reading_labels(a_scan.GetID())).array.shape, bool)
    mask[5:9, 5:9, 5:9] = True
    finish(a_scene.writing_organs(a_scan.GetID(), {"left kidney": mask}))
    said = {}
    for key in ("liver", "left kidney", own):
        kind, name = vtk.reference(""), vtk.reference("")
        segmentation.GetSegment(key).GetTag("DICOM.SegmentAlgorithmType", kind)
        segmentation.GetSegment(key).GetTag("DICOM.SegmentAlgorithmName", name)
        said[key] = str(kind), str(name)
    assert said == {
        "liver": ("AUTOMATIC", "tiny 0.1.0"),
        "left kidney": ("SEMIAUTOMATIC", "tiny 0.1.0"),
        "lesion": ("", ""),
    }


def test_a_result_lies_under_the_study_and_the_transform_of_its_scan(a_scene, a_host, a_scan):
    turned = add_rotation(a_host.scene)
    a_scan.SetAndObserveTransformNodeID(turned.GetID())
    node = written(a_scene, a_scan)
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_host.scene)
    doubt = a_host.scene.GetNodeByID(a_scene.doubt(a_scan.GetID()))
    for made in (node, doubt):
        assert made.GetTransformNodeID() == turned.GetID()
        parent = tree.GetItemParent(tree.GetItemByDataNode(made))
        assert tree.GetItemName(parent) == "study"


def test_a_second_result_updates_the_first_and_can_be_undone(a_scene, a_scan):
    first = written(a_scene, a_scan)
    empty = np.zeros(box().shape, np.uint8)
    second = written(a_scene, a_scan, array=empty)
    assert second.GetID() == first.GetID()
    assert not finish(a_scene.reading_labels(a_scan.GetID())).array.any()
    assert a_scene.undo(a_scan.GetID())
    back = finish(a_scene.reading_labels(a_scan.GetID())).array
    assert (back == balls(centres(box()))).all()
    assert a_scene.redo(a_scan.GetID())
    assert not finish(a_scene.reading_labels(a_scan.GetID())).array.any()


def test_the_hosts_editor_is_asked_for_its_checkpoint_once_and_before_the_write(a_host, a_scan):
    seen = []

    def checkpoint(node):
        key = a_scan.GetID()
        seen.append((node.GetID(), int(finish(scene.reading_labels(key)).array.max())))

    scene = MrmlScene(a_host.scene, checkpoint)
    node = written(scene, a_scan)
    assert seen == []  # there was nothing to lose
    written(scene, a_scan, array=np.zeros(box().shape, np.uint8))
    assert seen == [(node.GetID(), 2)]


def test_a_segment_of_the_users_own_survives_an_update(a_scene, a_scan):
    node = written(a_scene, a_scan)
    segmentation = node.GetSegmentation()
    mine = slicer.vtkSegment()
    mine.SetName("cyst")
    mine.SetLabelValue(9)
    shared = segmentation.GetSegment("liver").GetRepresentation("Binary labelmap")
    arrayed = finish(a_scene.reading_labels(a_scan.GetID())).array  # before
    from vtk.util import numpy_support

    numbers = numpy_support.vtk_to_numpy(shared.GetPointData().GetScalars())
    numbers[:50] = 9  # drawn into the organs' own layer, as Slicer's editor does
    mine.AddRepresentation("Binary labelmap", shared)
    assert segmentation.AddSegment(mine, "cyst")
    written(a_scene, a_scan, array=np.zeros(box().shape, np.uint8))
    cyst = segmentation.GetSegment("cyst")
    kept = cyst.GetRepresentation("Binary labelmap")
    kept = numpy_support.vtk_to_numpy(kept.GetPointData().GetScalars())
    assert (kept == cyst.GetLabelValue()).sum() == 50
    assert set(np.unique(kept)) == {0, 9}
    assert arrayed.any()


def test_edits_made_in_finer_voxels_come_back_on_the_scans_grid(a_scene, a_scan):
    node = written(a_scene, a_scan)
    fine = box((96, 88, 80), (1.5, 1.5, 1.75))
    from cmcseg.mrml.segments import put_labels

    list(put_labels(node, balls(centres(fine)), fine, TABLE))
    back = finish(a_scene.reading_labels(a_scan.GetID())).array
    for value in (1, 2):
        assert dice(back, balls(centres(box())), value) > 0.93


def test_one_organ_is_replaced_and_the_others_stay(a_scene, a_scan):
    written(a_scene, a_scan)
    before = finish(a_scene.reading_labels(a_scan.GetID())).array
    mask = np.zeros(before.shape, bool)
    mask[5:9, 5:9, 5:9] = True
    finish(a_scene.writing_organs(a_scan.GetID(), {"left kidney": mask}))
    after = finish(a_scene.reading_labels(a_scan.GetID())).array
    assert ((after == 2) == mask).all()
    assert ((after == 1) == (before == 1)).all()


def test_doubt_is_a_volume_in_colours_of_its_own(a_scene, a_host, a_scan):
    written(a_scene, a_scan)
    node = a_host.scene.GetNodeByID(a_scene.doubt(a_scan.GetID()))
    assert node.GetName() == "CT venous doubt (%)"
    assert (arrayFromVolume(node) == 25).all()
    display = node.GetDisplayNode()
    assert display.GetColorNode().GetName() == "CMCSeg doubt"
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 100)
    other = a_host.scene.GetNodeByID(a_scene.disagreement(a_scan.GetID()))
    assert other.GetDisplayNode().GetColorNode() is display.GetColorNode()


def test_our_own_maps_are_not_offered_as_scans(a_scene, a_scan):
    written(a_scene, a_scan)
    assert [scan.key for scan in a_scene.scans()] == [a_scan.GetID()]
    assert a_scene.scans()[0].modality == "CT"


def test_the_scans_display_is_left_as_it_was(a_scene, a_scan):
    a_scan.CreateDefaultDisplayNodes()
    a_scan.GetDisplayNode().AutoWindowLevelOff()
    a_scan.GetDisplayNode().SetWindowLevel(400, 40)
    written(a_scene, a_scan)
    assert a_scan.GetDisplayNode().GetWindow() == 400
    assert a_scan.GetDisplayNode().GetLevel() == 40


def test_a_saved_scene_goes_on_where_it_was(a_host, a_scan, tmp_path):
    scene = MrmlScene(a_host.scene)
    written(scene, a_scan)
    bundle = tmp_path / "scene.mrb"
    assert a_host.scene.WriteToMRB(str(bundle))
    a_host.scene.Clear(0)
    assert scene.scans() == ()
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(a_host.scene)
    remote.AddDataIOToScene()
    remote.GetCacheManager().SetRemoteCacheDirectory(str(tmp_path))
    assert a_host.scene.ReadFromMRB(str(bundle), True)
    (again,) = scene.scans()
    assert again.name == "CT venous"
    labels = finish(scene.reading_labels(again.key))
    assert (labels.array == balls(centres(box()))).all()
    assert labels.table == TABLE
    node = a_host.scene.GetNodeByID(scene.segmentation(again.key))
    rewritten = written(
        scene, a_host.scene.GetNodeByID(again.key), array=np.zeros(box().shape, np.uint8)
    )
    assert rewritten.GetID() == node.GetID()
    assert json.loads(node.GetAttribute("CMCSeg.table"))["labels"][0]["name"] == "liver"
    doubt = a_host.scene.GetNodeByID(scene.doubt(again.key))
    assert doubt.GetDisplayNode().GetColorNode().GetName() == "CMCSeg doubt"


def test_a_scan_that_changed_its_voxels_meanwhile_is_told(a_scene, a_host, a_scan):
    result = finding(a_scene.grid(a_scan.GetID()))
    other = add_volume(a_host.scene, np.arange(1000).reshape(10, 10, 10), np.eye(4), "small")
    words = r"^small was changed while it was being segmented; segment it again\.$"
    with pytest.raises(BadInput, match=words):
        finish(a_scene.writing(other.GetID(), result))


def test_a_scan_that_is_gone_is_told(a_scene, a_host, a_scan):
    key = a_scan.GetID()
    a_host.scene.RemoveNode(a_scan)
    with pytest.raises(BadInput, match=r"^The scan is no longer in the scene; choose another\.$"):
        finish(a_scene.reading(key))


def test_a_scan_without_a_result_is_told(a_scene, a_scan):
    words = r"^CT venous has no result in this scene; segment it first\.$"
    with pytest.raises(BadInput, match=words):
        finish(a_scene.reading_labels(a_scan.GetID()))


def test_a_volume_that_cannot_be_segmented_says_why(a_scene, a_host):
    def refusal(node):
        (info,) = [scan for scan in a_scene.scans() if scan.key == node.GetID()]
        return info.refusal

    scene = a_host.scene
    colour = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
    from cmcseg.mrml.warp import image_of

    colour.SetAndObserveImageData(image_of(np.zeros((4, 4, 4, 3), np.uint8)))
    assert refusal(colour) == (
        "photo holds 3 numbers per voxel (colour, or a vector); choose a scan with one."
    )
    flat = add_volume(scene, np.arange(16.0).reshape(4, 4, 1), np.eye(4), "flat")
    assert refusal(flat) == "flat is a single slice; choose a scan with several."
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    assert refusal(empty) == "empty holds no image; load it again."
    even = add_volume(scene, np.full((4, 4, 4), 7), np.eye(4), "even")
    assert refusal(even) == (
        "even holds the same number (7) in every voxel, so there is nothing to see; load the "
        "scan again."
    )
    holes = np.arange(64.0).reshape(4, 4, 4)
    holes[0, 0, 0] = np.inf
    assert refusal(add_volume(scene, holes, np.eye(4), "holes")) == (
        "holes holds NaN or infinity; replace them, for example by the value of air."
    )


def test_a_frame_of_a_sequence_says_why(a_scene, a_host):
    scene = a_host.scene
    for kind in (slicer.vtkMRMLSequenceNode, slicer.vtkMRMLSequenceBrowserNode):
        scene.RegisterNodeClass(kind())
    shown = add_volume(scene, np.arange(64.0).reshape(4, 4, 4), np.eye(4), "beat")
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "beats")
    sequence.SetDataNodeAtValue(shown, "0")
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.AddSynchronizedSequenceNode(sequence)
    browser.AddProxyNode(shown, sequence, False)
    (info,) = [scan for scan in a_scene.scans() if scan.name == "beat"]
    assert info.refusal == (
        "beat is the frame of a sequence that is shown just now; copy the frame into a volume of "
        "its own first."
    )
    with pytest.raises(BadInput, match=r"^beats is a sequence of volumes; choose a single volume"):
        finish(a_scene.reading(sequence.GetID()))


def test_comings_and_goings_are_told(a_scene, a_host):
    heard = []
    a_scene.changed.connect(lambda: heard.append("changed"))
    a_scene.removed.connect(heard.append)
    a_scene.closed.connect(lambda: heard.append("closed"))
    node = add_volume(a_host.scene, np.zeros((3, 3, 3)), np.eye(4))
    key = node.GetID()
    a_host.scene.RemoveNode(node)
    assert (heard[0], heard[-2:]) == ("changed", [key, "changed"])
    a_host.scene.Clear(0)
    assert "closed" in heard
    a_scene.close()
    heard.clear()
    add_volume(a_host.scene, np.zeros((3, 3, 3)), np.eye(4))
    assert heard == []


def test_jumping_centres_the_slice_views(a_scene, a_host):
    view = slicer.vtkMRMLSliceNode()
    view.SetLayoutName("Red")
    a_host.scene.AddNode(view)
    a_scene.jump(np.array([12.0, -7.0, 31.0]))
    matrix = view.GetSliceToRAS()
    assert [matrix.GetElement(row, 3) for row in range(3)] == [12.0, -7.0, 31.0]


def test_a_new_name_and_a_new_place_are_told(a_scene, a_host, a_scan):
    heard = []
    a_scene.changed.connect(lambda: heard.append(1))
    a_scan.SetName("CT arterial")
    assert heard
    turned = add_rotation(a_host.scene)
    a_scan.SetAndObserveTransformNodeID(turned.GetID())
    heard.clear()
    turned.SetMatrixTransformToParent(to_vtk(np.eye(4)))
    assert heard


def test_surfaces_that_are_shown_follow_the_new_result(a_scene, a_scan):
    node = written(a_scene, a_scan)
    segmentation = node.GetSegmentation()
    assert segmentation.CreateRepresentation("Closed surface")
    before = segmentation.GetSegment("liver").GetRepresentation("Closed surface").GetBounds()
    moved = np.roll(balls(centres(box())), 4, axis=2)
    written(a_scene, a_scan, array=moved)
    after = segmentation.GetSegment("liver").GetRepresentation("Closed surface").GetBounds()
    assert after[5] - before[5] == pytest.approx(4 * 3.5, abs=1.0)


def test_a_renamed_organ_is_still_the_same_organ(a_scene, a_scan):
    node = written(a_scene, a_scan)
    node.GetSegmentation().GetSegment("liver").SetName("Leber")
    written(a_scene, a_scan, array=np.zeros(box().shape, np.uint8))
    assert node.GetSegmentation().GetNumberOfSegments() == 2
    assert node.GetSegmentation().GetSegment("liver").GetName() == "Leber"


def test_a_disagreement_of_an_earlier_run_does_not_outlive_it(a_scene, a_scan):
    written(a_scene, a_scan)
    assert a_scene.disagreement(a_scan.GetID())
    alone = replace(finding(a_scene.grid(a_scan.GetID())), disagreement=None)
    finish(a_scene.writing(a_scan.GetID(), alone))
    assert a_scene.disagreement(a_scan.GetID()) == ""
    assert a_scene.doubt(a_scan.GetID())


def test_what_the_subject_hierarchy_says_of_a_scan_is_heard_at_once(a_scene, a_host, a_scan):
    told = []
    assert [info.modality for info in a_scene.scans()] == ["CT"]
    a_scene.changed.connect(lambda: told.append(True))
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_host.scene)
    tree.SetItemAttribute(tree.GetItemByDataNode(a_scan), "DICOM.Modality", "MR")
    assert told
    assert [info.modality for info in a_scene.scans()] == ["MR"]


def test_a_stroke_which_the_subject_hierarchy_hears_of_has_no_voxel_of_a_scan_looked_at_anew(
    a_scene, a_scan, monkeypatch
):
    looked_at = []
    monkeypatch.setattr(scans, "dark_end", lambda node: looked_at.append(node) or 5.0)
    written(a_scene, a_scan)
    before = a_scene.scans()
    told = []
    a_scene.changed.connect(lambda: told.append("changed"))
    segmentation = a_scan.GetScene().GetNodeByID(a_scene.segmentation(a_scan.GetID()))
    segmentation.GetSegmentation().GetNthSegment(0).SetColor(1, 0, 0)
    segmentation.Modified()
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scan.GetScene())
    tree.InvokeEvent(tree.SubjectHierarchyItemModifiedEvent)
    assert told
    assert a_scene.scans() == before
    assert len(looked_at) == 1
    arrayFromVolume(a_scan)[0] += 1
    a_scan.GetImageData().Modified()
    a_scene.scans()
    assert len(looked_at) == 2


def written_after_a_change(a_scene, a_scan, at):
    """Whether a result was written although its scan changed after so many steps."""
    steps = a_scene.writing(a_scan.GetID(), finding(a_scene.grid(a_scan.GetID())))
    for _ in range(at):
        next(steps)
    if a_scene.segmentation(a_scan.GetID()):
        return True
    a_scan.SetSpacing(1, 1, 1)
    with pytest.raises(BadInput, match="was changed while it was being segmented"):
        finish(steps)
    assert a_scene.segmentation(a_scan.GetID()) == ""
    return False


def test_a_scan_that_changes_before_the_last_step_is_told_and_nothing_is_written(a_scene, a_scan):
    key, spacing = a_scan.GetID(), a_scan.GetSpacing()
    count = sum(1 for _ in a_scene.writing(key, finding(a_scene.grid(key))))
    scene = a_scan.GetScene()
    scene.RemoveNode(scene.GetNodeByID(a_scene.segmentation(key)))
    assert count > 10
    for at in (1, count // 2, count - 1):
        assert not written_after_a_change(a_scene, a_scan, at)
        a_scan.SetSpacing(*spacing)
