"""Whatever comes, the panel shows one clear sentence and loses nothing."""

import os
import signal
import time

import numpy as np
import pytest


def refused(desk):
    """The sentence on the panel; Segment is disabled and says the same."""
    desk.quiet()
    assert not desk.ui.segmentButton.isEnabled()
    return desk.ui.hintLabel.text


def test_no_volume_chosen(a_desk):
    for node in a_desk.nodes.values():
        a_desk.scene.RemoveNode(node)
    a_desk.quiet()
    assert not a_desk.ui.segmentButton.isEnabled()
    assert "Choose a scan: CT or MR." in a_desk.ui.segmentButton.toolTip


def test_the_same_volume_twice(a_desk):
    a_desk.panel.segment.set_scan("mr", a_desk.nodes["ct"].GetID())
    assert refused(a_desk) == ("The same scan is chosen as CT and as MR; choose two scans, or one.")
    a_desk.panel.segment.set_scan("mr", a_desk.nodes["mr"].GetID())
    a_desk.quiet()
    assert a_desk.ui.segmentButton.isEnabled()
    assert a_desk.ui.hintLabel.text == ""


def test_a_vector_volume(a_desk):
    import slicer
    import vtk

    image = vtk.vtkImageData()
    image.SetDimensions(8, 8, 8)
    image.AllocateScalars(vtk.VTK_FLOAT, 3)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "flow")
    node.SetAndObserveImageData(image)
    a_desk.panel.segment.set_scan("mr", node.GetID())
    assert refused(a_desk) == (
        "flow holds 3 numbers per voxel (colour, or a vector); choose a scan with one."
    )


def test_a_frame_of_a_sequence(a_desk):
    import slicer

    for kind in (slicer.vtkMRMLSequenceNode, slicer.vtkMRMLSequenceBrowserNode):
        a_desk.scene.RegisterNodeClass(kind())
    node = a_desk.nodes["mr"]
    sequence = a_desk.scene.AddNewNodeByClass("vtkMRMLSequenceNode", "beats")
    sequence.SetDataNodeAtValue(node, "0")
    browser = a_desk.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.AddSynchronizedSequenceNode(sequence)
    browser.AddProxyNode(node, sequence, False)
    node.Modified()
    a_desk.quiet()
    assert list(a_desk.panel.segment.chosen) == ["ct"], "it is not chosen by itself"
    a_desk.panel.segment.set_scan("mr", node.GetID())
    assert refused(a_desk) == (
        "MR is the frame of a sequence that is shown just now; copy the frame into a volume of "
        "its own first."
    )


def test_roles_swapped_is_only_a_hint(a_desk):
    a_desk.ui.swapButton.click()
    a_desk.quiet()
    assert a_desk.ui.segmentButton.isEnabled()
    assert "swap" in a_desk.ui.hintLabel.text.lower()
    a_desk.ui.swapButton.click()
    a_desk.quiet()
    assert a_desk.ui.hintLabel.text == ""


def test_no_overlap(a_desk):
    a_desk.worker.apart = (
        "The MR does not overlap the CT (centres 812 mm apart). Are they the same patient?"
    )
    away = np.array(a_desk.grid.affine)
    away[:3, 3] += 812
    from cmcseg.mrml.geometry import to_vtk

    a_desk.nodes["mr"].SetIJKToRASMatrix(to_vtk(away))
    assert refused(a_desk) == a_desk.worker.apart


def test_a_forced_alignment_may_bridge_any_distance(a_desk):
    test_no_overlap(a_desk)
    a_desk.ui.alignCombo.setCurrentIndex(a_desk.ui.alignCombo.findText("always (rigid)"))
    a_desk.quiet()
    assert a_desk.ui.segmentButton.isEnabled()


def test_no_model(a_panel, a_worker, until):
    from inline_runner import InlineRunner

    a_worker.cards = []
    panel = a_panel(InlineRunner(a_worker))
    until(lambda: not panel.runner.busy)
    assert not panel.ui.segmentButton.isEnabled()
    assert "Choose a model; when there is none, import one." in panel.ui.segmentButton.toolTip
    assert panel.ui.importButton.isEnabled()


def test_a_volume_deleted_while_running(a_desk):
    a_desk.segmented()
    before = {node.GetID() for node in a_desk.scene.GetNodesByClass("vtkMRMLSegmentationNode")}
    a_desk.worker.during = lambda: a_desk.scene.RemoveNode(a_desk.nodes["mr"])
    a_desk.ui.segmentButton.click()
    a_desk.quiet()
    assert a_desk.ui.messageLabel.text == (
        "The MR scan was deleted while it was being segmented; nothing else was changed. Choose "
        "a scan and segment again."
    )
    after = {node.GetID() for node in a_desk.scene.GetNodesByClass("vtkMRMLSegmentationNode")}
    assert before <= after
    assert list(a_desk.panel.segment.chosen) == ["ct"]
    a_desk.worker.during = None
    a_desk.segmented()
    assert a_desk.ui.messageLabel.text == ""


def test_the_scene_closed_while_running(a_desk):
    a_desk.worker.during = lambda: a_desk.scene.Clear(0)
    a_desk.ui.segmentButton.click()
    a_desk.quiet()
    assert a_desk.ui.messageLabel.text == (
        "The scene was closed while its scans were being segmented; load the scans and segment "
        "again."
    )
    assert a_desk.panel.segment.chosen == {}
    assert not a_desk.ui.reviewSection.isEnabled()
    a_desk.worker.during = None
    a_desk.add("CT", "CT")
    a_desk.until(lambda: a_desk.panel.segment.chosen)
    a_desk.segmented()


@pytest.mark.parametrize(
    ("missing", "found"),
    [
        ("torch", ("PyTorch", "not installed")),
        ("monai", ("Packages", "missing or too old: monai>=1.6")),
    ],
)
def test_a_package_that_is_not_installed(a_panel, until, monkeypatch, missing, found):
    from cmcseg.desktop import environment, install

    version = environment.version
    for module in (environment, install):
        monkeypatch.setattr(module, "version", lambda n: "" if n == missing else version(n))
    ui = a_panel().ui
    assert ui.messageLabel.text == "Something is not installed yet; see Installation."
    assert ui.installSection.collapsed is False
    assert ui.installButton.isEnabled()
    until(lambda: lines(ui))
    assert found in lines(ui)
    assert not ui.segmentButton.isEnabled()


def lines(ui):
    """What the page of the installation says."""
    import qt

    words = [label.text for label in ui.checksHost.findChildren(qt.QLabel)]
    return list(zip(words[::2], words[1::2], strict=True))


def test_a_worker_that_is_killed_is_told_with_its_log_and_replaced(a_real_desk, until):
    panel, ui = a_real_desk, a_real_desk.ui
    os.kill(panel.runner.pid, signal.SIGSTOP)  # else it may be done before it is killed
    ui.segmentButton.click()
    waited = time.monotonic() + 0.5
    until(lambda: time.monotonic() > waited)
    assert panel.segment.stage.value == "segmenting"
    os.kill(panel.runner.pid, signal.SIGKILL)
    until(lambda: ui.messageLabel.text)
    sentence, _, link = ui.messageLabel.text.partition(" <a ")
    assert sentence == (
        "The worker was killed from outside, as happens when memory runs out; close other "
        "programs and try again."
    )
    assert link.startswith('href="file:///')
    assert len(panel.segment.chosen) == 2
    assert ui.segmentButton.isEnabled()
    ui.segmentButton.click()
    until(lambda: panel.segment.result is not None)
    assert ui.messageLabel.text == ""


@pytest.mark.parametrize("how", ["killed", "cancelled"])
def test_a_fine_tuning_that_ends_early_is_told_and_another_can_start(a_real_desk, until, how):
    panel, ui = a_real_desk, a_real_desk.ui
    until(ui.fineTuneButton.isEnabled)
    ui.fineTuneButton.click()
    until(lambda: panel.learn.curve)
    assert not ui.segmentButton.isEnabled()
    worker = panel.runner.pid
    if how == "killed":
        os.kill(worker, signal.SIGKILL)
        until(lambda: ui.messageLabel.text)
        assert ui.messageLabel.text.startswith("The worker was killed from outside, ")
    else:
        ui.cancelLearnButton.click()
    until(lambda: panel.learn.stage.value == "idle")
    assert ui.learnBar.isHidden()
    assert ui.fineTuneButton.isEnabled()
    ui.segmentButton.click()
    until(lambda: panel.segment.result is not None)
    assert panel.runner.pid != worker


def test_a_full_disk(a_real_desk, until, monkeypatch):
    import cmcseg.session.worker_process as worker_process

    def full(message, path):
        raise OSError(28, "No space left on device")

    panel, ui = a_real_desk, a_real_desk.ui
    with monkeypatch.context() as patch:
        patch.setattr(worker_process, "write_message", full)
        ui.segmentButton.click()
        until(lambda: ui.messageLabel.text)
    assert "(No space left on device); make room there and try again." in ui.messageLabel.text
    ui.segmentButton.click()
    until(lambda: panel.segment.result is not None)
