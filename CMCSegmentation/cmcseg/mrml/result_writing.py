"""A result put beside its scan, in steps.

All that takes time comes first. Then, in one step, the scan is looked at once more and the organs
are written, so that they never land in a scan that was changed meanwhile; surfaces follow.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import slicer
import vtk

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.steps import Steps
from cmcseg.mrml.credit import credit_model, credit_reader
from cmcseg.mrml.geometry import Place, from_world, place_of, to_world
from cmcseg.mrml.labelmap_text import packed
from cmcseg.mrml.result_nodes import (
    DISAGREEMENT,
    DOUBT,
    FOUND,
    MADE,
    TABLE,
    known_result,
    move_beside,
    new_segmentation,
    put_map,
    scan_node,
    segmentation_of,
)
from cmcseg.mrml.segments import labels_of, layer_of, put_layer
from cmcseg.mrml.surfaces import has_surfaces, make_surfaces
from cmcseg.mrml.voxels import image_in_steps, numbers_of, percent_of
from cmcseg.mrml.warp import warped, warped_labels
from cmcseg.session.i18n import _
from cmcseg.session.ports import Finding

Checkpoint = Callable[[slicer.vtkMRMLSegmentationNode], None]


def write_finding(
    scene: slicer.vtkMRMLScene, key: str, finding: Finding, checkpoint: Checkpoint
) -> Steps[str]:
    """Put a result beside its scan; ID of the segmentation.

    Args:
        scene: where it lies.
        key: of the scan.
        finding: on the grid that the scan was read on.
        checkpoint: called right before an earlier segmentation is written to.

    Raises:
        BadInput: when the scan is gone, or changed its voxels or its warp meanwhile.
    """
    node = scan_node(scene, key)
    place = place_of(node)
    _check(node, place, finding.labels.grid)
    labels = finding.labels.array
    if place.warped:
        there, back = to_world(node), from_world(node)
        labels = yield from warped_labels(labels, place.world, place.local, there, back)
    maps = {DOUBT: finding.doubt, DISAGREEMENT: finding.disagreement}
    percent = {}
    for role, volume in maps.items():
        if volume is not None:
            percent[role] = yield from _percent_of(volume.array, node, place)
    text = yield from packed(labels)
    layer = yield from layer_of(labels, place.local)
    node = scan_node(scene, key)  # it may have gone, or moved, while this waited for its turn
    _check_unmoved(node, place)
    result = segmentation_of(node)
    if result:
        checkpoint(result)
    else:
        result = new_segmentation(node)
    move_beside(result, node)
    result.SetAttribute(FOUND, text)
    result.SetAttribute(MADE, json.dumps(finding.made))
    result.SetAttribute(TABLE, json.dumps(asdict(finding.labels.table)))
    shown = has_surfaces(result)
    put_layer(result, layer, finding.labels.table)
    credit_model(result, [label.name for label in finding.labels.table], finding.made)
    for role, image in percent.items():
        put_map(node, result, role, image)
    for role in maps.keys() - percent.keys():
        if stale := result.GetNodeReference(role):  # of an earlier run with both scans
            scene.RemoveNode(stale)
    if shown:
        yield from make_surfaces(result)
    return result.GetID()


def write_organs(
    scene: slicer.vtkMRMLScene, key: str, masks: dict[str, np.ndarray], checkpoint: Checkpoint
) -> Steps[str]:
    """Replace organs beside a scan; ID of the segmentation.

    Args:
        scene, key, checkpoint: as above.
        masks: bool by name of the organ, on the grid that the scan was read on.

    Raises:
        BadInput: when the scan or its segmentation is gone, or it was moved meanwhile.
    """
    node = scan_node(scene, key)
    result, table = known_result(node)
    place = place_of(node)
    local = {}
    for organ, mask in masks.items():
        if mask.shape != place.world.shape:
            sentence = _("{name} was changed meanwhile; segment it again.")
            raise BadInput(sentence.format(name=node.GetName()))
        local[table.named(organ).value] = mask
        if place.warped:
            there, back = to_world(node), from_world(node)
            array = mask.view(np.uint8)
            array = yield from warped_labels(array, place.world, place.local, there, back)
            local[table.named(organ).value] = array > 0
    array = yield from labels_of(result, place.local, table)
    for k in range(array.shape[2]):
        plane = array[:, :, k]
        for value, mask in local.items():
            plane[(plane == value) & ~mask[:, :, k]] = 0
        for value, mask in local.items():
            plane[mask[:, :, k]] = value
        yield
    layer = yield from layer_of(array, place.local)
    _check_unmoved(scan_node(scene, key), place)
    checkpoint(result)
    shown = has_surfaces(result)
    put_layer(result, layer, table)
    credit_reader(result, masks)
    if shown:
        yield from make_surfaces(result)
    return result.GetID()


def _percent_of(
    share: np.ndarray, node: slicer.vtkMRMLVolumeNode, place: Place
) -> Steps[vtk.vtkImageData]:
    image = yield from percent_of(share)
    if not place.warped:
        return image
    there, back = to_world(node), from_world(node)
    array = yield from warped(numbers_of(image), place.world, place.local, there, back, fill=0)
    return (yield from image_in_steps(array))


def _check(node: slicer.vtkMRMLVolumeNode, place: Place, grid: Grid) -> None:
    """A rigid transform keeps the voxels; anything else that happened to the scan does not."""
    if grid.shape != place.world.shape or (place.warped and not grid.agrees_with(place.world)):
        raise BadInput(_changed(node))


def _check_unmoved(node: slicer.vtkMRMLVolumeNode, place: Place) -> None:
    """What was prepared for one geometry is not written into another."""
    now = place_of(node)
    same = now.local.agrees_with(place.local) and now.warped == place.warped
    if not same or (place.warped and not now.world.agrees_with(place.world)):
        raise BadInput(_changed(node))


def _changed(node: slicer.vtkMRMLVolumeNode) -> str:
    sentence = _("{name} was changed while it was being segmented; segment it again.")
    return sentence.format(name=node.GetName())
