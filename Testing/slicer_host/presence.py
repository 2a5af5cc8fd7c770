"""Nothing of Slicer differs by our presence but what the user asked for."""

import logging
import os
import signal
import sys
import warnings
from pathlib import Path

import numpy as np


def facts_of_the_process():
    """What any code of the process could meet changed."""
    return {
        "environment": {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
        "hooks": (sys.excepthook, sys.stdout, sys.stderr),
        "log": (logging.getLogger().level, list(logging.getLogger().handlers)),
        "signals": [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)],
        "numbers": np.geterr(),
        "folder": Path.cwd(),
        "warnings": list(warnings.filters),
    }


def facts_of_the_views(host):
    """How the user's own views stand, but for the place that was jumped to; and the layout."""
    import slicer

    found = {
        "layout": slicer.app.layoutManager().layoutLogic().GetLayoutNode().GetViewArrangement()
    }
    for tag in ("Red", "Green", "Yellow"):
        view = host.scene.GetSingletonNode(tag, "vtkMRMLSliceNode")
        layers = host.scene.GetSingletonNode(tag, "vtkMRMLSliceCompositeNode")
        matrix = view.GetSliceToRAS()
        found[tag] = {
            "turn": [matrix.GetElement(row, column) for row in range(3) for column in range(3)],
            "field": view.GetFieldOfView(),
            "group": view.GetViewGroup(),
            "orientation": view.GetOrientation(),
            "links": (layers.GetLinkedControl(), layers.GetHotLinkedControl()),
            "shown": layers.GetBackgroundVolumeID(),
        }
    return found


def facts_of_the_scene(host, volumes):
    """Colours, what new nodes look like, and the user's own volumes."""
    import slicer

    scene = host.scene
    colours = [
        scene.GetNthNodeByClass(n, "vtkMRMLColorNode")
        for n in range(scene.GetNumberOfNodesByClass("vtkMRMLColorNode"))
    ]
    found = {
        "colours": {
            node.GetName(): node.GetNumberOfColors()
            for node in colours
            if not node.GetName().startswith("CMCSeg")
        },
        "by default": [
            scene.GetDefaultNodeByClass(name) is None
            for name in ("vtkMRMLSliceNode", "vtkMRMLSegmentationDisplayNode", "vtkMRMLViewNode")
        ],
        "mouse": [
            scene.GetFirstNodeByClass(name) and scene.GetFirstNodeByClass(name).GetID()
            for name in ("vtkMRMLInteractionNode", "vtkMRMLSelectionNode")
        ],
        "readers": sorted(slicer.modules.sampleDataSources),
    }
    for node in volumes:
        display = node.GetDisplayNode()
        found[node.GetName()] = (
            node.GetParentTransformNode(),
            node.GetImageData().GetMTime(),
            display and (display.GetWindow(), display.GetLevel(), display.GetColorNodeID()),
        )
    return found


def shortcuts_elsewhere(window, ours):
    """Keys that live outside our page and answer."""
    import qt

    return [
        key.parent().objectName
        for key in window.findChildren(qt.QShortcut)
        if key.isEnabled() and not ours.isAncestorOf(key.parent())
    ]


def test_a_module_that_was_used_and_left_leaves_slicer_as_it_was(a_host, a_panel, a_worker, until):
    import slicer
    from inline_runner import InlineRunner
    from mrml_scene import add_volume, ball_scan, box

    manager = slicer.app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    until(lambda: a_host.scene.GetSingletonNode("Yellow", "vtkMRMLSliceCompositeNode"))
    a_host.app.processEvents()
    grid = box((24, 22, 20), (6.0, 6.0, 7.0))
    volumes = [
        add_volume(a_host.scene, ball_scan(grid), grid.affine, name, modality=name)
        for name in ("CT", "MR")
    ]
    slicer.util.setSliceViewerLayers(background=volumes[0])  # as loading them does
    process = facts_of_the_process()
    views = facts_of_the_views(a_host)
    scene = facts_of_the_scene(a_host, volumes)

    panel = a_panel(InlineRunner(a_worker))
    panel.enter()
    until(lambda: len(panel.segment.chosen) == 2 and not panel.runner.busy)
    panel.ui.segmentButton.click()
    until(lambda: panel.segment.result is not None and not panel.runner.busy)
    panel.ui.nextButton.click()
    until(lambda: not panel.runner.busy)
    panel.ui.viewsCheck.setChecked(False)
    until(lambda: not panel.runner.busy)
    panel.leave()
    a_host.app.processEvents()

    assert facts_of_the_process() == process
    after = facts_of_the_views(a_host)
    assert {k: v for k, v in after.items() if v != views[k]} == {}
    assert facts_of_the_scene(a_host, volumes) == scene
    assert shortcuts_elsewhere(a_host.window, panel.ui.page) == []
