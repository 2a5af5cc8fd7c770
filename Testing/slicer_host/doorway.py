"""The module file as Slicer opens it: its sample data, its scripts, its self-test, its reload."""

import hashlib
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

WORKER = [sys.executable, str(Path(__file__).resolve().parent / "card_worker.py")]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def a_module(a_host, until):
    """The opened module; ``a_module()`` is its widget of now."""
    import slicer

    before = a_host.scene.HasObserver(slicer.vtkMRMLScene.NodeAddedEvent)
    slicer.modules.sampleDataSources.clear()
    a_host.open_module()
    yield lambda: slicer.modules.CMCSegmentationWidget
    widget = slicer.modules.CMCSegmentationWidget
    worker = widget.panel.runner.pid if widget.panel else 0
    widget.cleanup()
    until(lambda: not worker or not alive(worker))
    assert widget.Observations == []
    assert a_host.scene.HasObserver(slicer.vtkMRMLScene.NodeAddedEvent) == before
    a_host.scene.Clear(0)


def test_models_are_there_after_opening(a_module, until):
    until(lambda: a_module().panel.segment.models.cards)
    a_module().enter()
    assert a_module().panel.segment.card.name == "abdomen-ct-mr"
    a_module().exit()


def test_a_reload_leaves_no_process_and_no_observer_and_works(a_host, a_module, until):
    until(lambda: a_module().panel.segment.models.cards and not a_module().panel.runner.busy)
    old, worker = a_module(), a_module().panel.runner.pid
    kind = type(old.panel)
    assert alive(worker)
    old.onReload()
    new = a_module()
    assert new is not old
    assert type(new.panel) is not kind, "the package is taken over anew, not this file alone"
    assert old.panel is None
    assert old.Observations == []
    until(lambda: not alive(worker))
    until(lambda: new.panel.segment.models.cards)
    kept = old.ui.segmentButton  # the old widgets may live on for a while, unheard
    kept.click()
    assert new.panel.segment.stage.value == "no scans"


def test_three_reloads_leave_one_panel_and_one_editor(a_host, a_module, until):
    import slicer

    import bench

    for _ in range(3):
        a_module().onReload()
        a_host.app.processEvents()
    representation = slicer.modules.cmcsegmentation.widgetRepresentation()
    assert representation.layout().count() == 1
    assert len(representation.findChildren(bench.SegmentEditor)) == 1


def test_a_reload_while_the_module_is_shown_goes_on_showing_it(a_host, a_module, until):
    import slicer

    representation = slicer.modules.cmcsegmentation.widgetRepresentation()
    representation.isEntered = True
    a_module().enter()
    a_module().onReload()
    assert a_module().panel._review._entered, "Slicer itself calls enter() at a change of module"
    representation.isEntered = False


def test_closing_the_scene_keeps_the_panel_alive(a_host, a_module, until):
    until(lambda: a_module().panel.segment.models.cards)
    a_module().enter()
    a_host.scene.Clear(0)
    assert a_module().choices is not None
    assert a_module().panel.segment.chosen == {}


def test_a_new_scene_is_left_alone_until_the_module_is_shown(a_host, a_module, until):
    until(lambda: a_module().panel.segment.models.cards)
    a_module().enter()
    a_module().exit()
    a_host.scene.Clear(0)
    assert a_module().choices is None
    a_module().enter()
    assert a_module().choices is not None


def test_images_are_opened_as_volumes_wherever_they_are_opened(a_host):
    import types

    import slicer

    import bench
    import CMCSegmentation

    starting = bench.Starting()
    slicer.app.startupCompleted = starting.startupCompleted
    module = CMCSegmentation.CMCSegmentation(types.SimpleNamespace())
    assert bench.default_reader([]) == "VolumeFile"
    assert bench.default_reader(["Segmentations"]) == "SegmentationFile", "the host knows the trap"
    assert bench.default_reader(module.parent.dependencies) == "VolumeFile"


def test_the_layout_is_known_from_the_start(a_host, a_module):
    import slicer
    from cmcseg.desktop.layout import DESCRIPTIONS

    node = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    for number, text in DESCRIPTIONS.items():
        assert node.IsLayoutDescription(number)
        assert node.GetLayoutDescription(number) == text


def test_whatever_slicer_took_down_before_the_worker_ends(a_host, a_module, until, monkeypatch):
    until(lambda: a_module().panel.segment.models.cards)
    panel = a_module().panel
    worker = panel.runner.pid
    assert alive(worker)
    monkeypatch.setattr(panel._review._editor, "removeViewObservations", None)
    with pytest.raises(TypeError):
        a_module().cleanup()
    until(lambda: not alive(worker))


def test_a_widget_without_a_parent_is_set_up_once(a_host, until):
    import CMCSegmentation

    widget = CMCSegmentation.CMCSegmentationWidget()
    assert widget.panel is not None
    assert len(widget.Observations) == 3
    widget.cleanup()
    assert widget.Observations == []


def test_synthetic_pairs_stand_among_the_sample_data(a_module):
    import slicer

    (sources,) = slicer.modules.sampleDataSources.values()
    assert [source.sampleName for source in sources] == ["CMCSegAbdomen", "CMCSegHeart"]
    assert all(Path(source.thumbnailFileName).is_file() for source in sources)
    for source in sources:
        for uri, checksum in zip(source.uris, source.checksums, strict=True):
            data = Path(url2pathname(urlsplit(uri).path)).read_bytes()
            assert checksum == f"SHA256:{hashlib.sha256(data).hexdigest()}"


def test_a_script_gets_a_sample_pair_before_anything_is_installed(a_module):
    import SampleData
    import slicer

    nodes = SampleData.downloadSamples("CMCSegHeart")
    assert [node.GetName() for node in nodes] == ["Phantom bSSFP", "Phantom LGE"]
    assert all(node.GetImageData().GetScalarTypeAsString() == "short" for node in nodes)
    slicer.mrmlScene.Clear(0)


def test_a_sample_that_was_changed_is_not_loaded(a_module, tmp_path):
    import shutil

    import SampleData
    import slicer
    from cmcseg.desktop import sample

    import CMCSegmentation

    folder = tmp_path / "SampleData"
    shutil.copytree(CMCSegmentation._sampleData(), folder)
    with (folder / "CMCSegHeart_lge.nii.gz").open("ab") as file:
        file.write(b"one byte more")
    slicer.modules.sampleDataSources.clear()
    sample.register(folder, tmp_path / "no picture")
    assert [n.GetName() for n in SampleData.downloadSamples("CMCSegHeart")] == ["Phantom bSSFP"]
    slicer.modules.sampleDataSources.clear()
    slicer.mrmlScene.Clear(0)


def test_waiting_has_an_end(a_host):
    from cmcseg.core.errors import CMCSegError
    from cmcseg.desktop.interpreter import wait

    with pytest.raises(CMCSegError, match=r"^There was no answer within 0\.05 s; the work was"):
        wait(lambda: False, timeout=0.05)


def test_the_self_test_segments_a_phantom_pair(a_host):
    import slicer

    import bench
    import CMCSegmentation

    test = CMCSegmentation.CMCSegmentationTest()
    test.runTest()
    assert bench.STATUS[-1] == "Test passed"
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2
    volume = slicer.mrmlScene.GetFirstNodeByName("Phantom CT")
    assert Path(volume.GetStorageNode().GetFileName()).is_file()
    a_host.scene.Clear(0)


def test_the_self_test_is_skipped_where_nothing_is_installed(a_host, monkeypatch):
    """As CTest runs it: by the names of its methods."""
    import unittest

    from cmcseg.desktop import install

    import bench
    import CMCSegmentation

    monkeypatch.setattr(install, "ready", lambda _: False)
    suite = unittest.TestLoader().loadTestsFromTestCase(CMCSegmentation.CMCSegmentationTest)
    result = unittest.TestResult()
    suite.run(result)
    assert result.testsRun == len(result.skipped) == 1
    assert result.skipped[0][1] == "The packages are not installed (see Installation)."
    CMCSegmentation.CMCSegmentationTest().runTest()
    assert bench.STATUS[-1].startswith("Not tested: The packages are not installed")


def test_a_scene_with_a_choice_of_a_later_version_opens(a_host, monkeypatch):
    import types

    from cmcseg.desktop import parameters

    kept = {"align": "elastic", "device": "cpu", "minutes": "7"}

    class Strict(parameters.Choices):
        def __init__(self, node):
            if kept.get("align") == "elastic":
                raise ValueError("Found 'elastic' in parameter node but it is not a name")
            super().__init__(node)

    monkeypatch.setattr(parameters, "Choices", Strict)
    node = types.SimpleNamespace(UnsetParameter=lambda name: kept.pop(name, None))
    assert parameters.choices_in(node).align.name == "auto"
    assert kept == {"minutes": "7"}


def _tag(segment, name):
    import vtk

    value = vtk.reference("")
    segment.GetTag(name, value)
    return str(value)


def test_a_script_segments_every_pair_of_the_scene(a_host, monkeypatch, tmp_path):
    from cmcseg.desktop import headless
    from cmcseg.session.process_runner import ProcessRunner
    from mrml_scene import add_volume, ball_scan, box

    import CMCSegmentation

    monkeypatch.setattr(headless, "ProcessRunner", lambda _: ProcessRunner(WORKER, logs=tmp_path))
    grid = box((24, 22, 20), (6.0, 6.0, 7.0))
    for name in ("CT", "MR"):
        add_volume(a_host.scene, ball_scan(grid), grid.affine, name, modality=name)
    (item,) = CMCSegmentation.CMCSegmentationLogic().segmentScene("tiny", align="none")
    assert item.trouble == ""
    assert set(item.scans) == {"ct", "mr"}
    assert len(item.result.segmentations) == 2
    a_host.scene.Clear(0)


def test_a_script_segments_a_list_of_dicom_studies(a_host, monkeypatch, tmp_path):
    import types

    import slicer
    from cmcseg.core.errors import CMCSegError
    from cmcseg.desktop import headless
    from cmcseg.session.process_runner import ProcessRunner
    from mrml_scene import add_volume, ball_scan, box

    import CMCSegmentation

    grid = box((24, 22, 20), (6.0, 6.0, 7.0))

    def load(series):
        """As DICOMLib does: a list in, IDs of the nodes out."""
        assert isinstance(series, list)
        names = [uid.rpartition(".")[2] for uid in series]
        made = [
            add_volume(a_host.scene, ball_scan(grid), grid.affine, f"{uid} {name}", modality=name)
            for uid, name in zip(series, names, strict=True)
        ]
        return [node.GetID() for node in made]

    library = types.ModuleType("DICOMLib")
    library.DICOMUtils = types.SimpleNamespace(loadSeriesByUID=load)
    monkeypatch.setitem(sys.modules, "DICOMLib", library)
    known = {"1.2": ("1.2.CT", "1.2.MR"), "1.3": ("1.3.CT",)}
    database = types.SimpleNamespace(seriesForStudy=lambda study: known.get(study, ()))
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    monkeypatch.setattr(headless, "ProcessRunner", lambda _: ProcessRunner(WORKER, logs=tmp_path))
    written = []

    class Plugin:
        """Slicer's own writer, as far as we lean on it."""

        def examineForExport(self, item):
            return [types.SimpleNamespace(subjectHierarchyItemID=item)] if item else []

        def export(self, exportables):
            """The file's name tells the second, and nothing else."""
            (exportable,) = exportables
            path = Path(exportable.directory) / "subject_hierarchy_export.SEG2026-11-29_101112.dcm"
            assert not path.exists(), "one would be written over the other"
            path.write_bytes(b"SEG")
            written.append(exportable)
            return ""

    database.databaseDirectory = str(tmp_path / "database")
    monkeypatch.setattr(
        slicer.modules, "dicomPlugins", {"DICOMSegmentationPlugin": Plugin}, raising=False
    )
    bystander = add_volume(a_host.scene, ball_scan(grid), grid.affine, "CT", modality="CT")
    logic = CMCSegmentation.CMCSegmentationLogic()
    items = logic.segmentStudies(["1.2", "1.3"], "tiny", align="none")
    assert [list(item.scans) for item in items] == [["ct", "mr"], ["ct"]]
    assert [item.trouble for item in items] == ["", ""]
    assert bystander.GetID() not in [key for item in items for key in item.scans.values()]
    assert logic.keepInDatabase(items) == len(written) == 3
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_host.scene)
    names = [tree.GetItemDataNode(each.subjectHierarchyItemID).GetName() for each in written]
    assert names == ["1.2.CT CT organs", "1.2.MR MR organs", "1.3.CT CT organs"]
    assert {Path(each.directory).parent for each in written} == {tmp_path / "database" / "CMCSeg"}
    drawn = [tree.GetItemDataNode(each.subjectHierarchyItemID) for each in written]
    segments = [node.GetSegmentation().GetNthSegment(0) for node in drawn]
    assert {_tag(segment, "DICOM.SegmentAlgorithmType") for segment in segments} == {"AUTOMATIC"}
    monkeypatch.setattr(slicer.modules, "dicomPlugins", {})
    with pytest.raises(CMCSegError, match="This Slicer writes no DICOM SEG"):
        logic.keepInDatabase(items)
    with pytest.raises(CMCSegError) as refusal:
        logic.segmentStudies(["1.2", "7.7"], "tiny")
    assert str(refusal.value) == (
        "There is no study 7.7 in Slicer's DICOM database; import it first."
    )
    a_host.scene.Clear(0)


@pytest.mark.parametrize(
    ("roles", "model", "sentence"),
    [
        ({}, "abdomen-ct-mr", "Choose a scan: CT or MR."),
        ({}, "no-such-model", "There is no model 'no-such-model'; there are: abdomen-ct-mr, "),
        ({"pet": None}, "abdomen-ct-mr", "The model abdomen-ct-mr has no role 'pet'; its roles "),
    ],
)
def test_a_script_is_told_in_one_sentence(a_host, roles, model, sentence):
    from cmcseg.core.errors import CMCSegError

    import CMCSegmentation

    with pytest.raises(CMCSegError) as refusal:
        CMCSegmentation.CMCSegmentationLogic().segment(roles, model=model)
    assert str(refusal.value).startswith(sentence)
