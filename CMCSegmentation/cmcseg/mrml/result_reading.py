"""What lies beside a scan, read in steps: organs as they are drawn, and what the model found."""

from __future__ import annotations

import json

import numpy as np
import slicer

from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelMap, LabelTable
from cmcseg.core.steps import Steps
from cmcseg.core.volume import Volume
from cmcseg.mrml.geometry import Place, from_world, place_of, to_world
from cmcseg.mrml.labelmap_text import unpacked
from cmcseg.mrml.result_nodes import DISAGREEMENT, DOUBT, FOUND, MADE, known_result
from cmcseg.mrml.segments import labels_of
from cmcseg.mrml.voxels import share_of, voxels
from cmcseg.mrml.warp import warped, warped_labels
from cmcseg.session.i18n import _
from cmcseg.session.ports import Finding


def read_drawn(node: slicer.vtkMRMLVolumeNode) -> Steps[LabelMap]:
    """The organs beside a scan as the user sees them now, in the world.

    Raises:
        BadInput: when there is no result.
    """
    result, table = known_result(node)
    place = place_of(node)
    array = yield from labels_of(result, place.local, table)
    return (yield from _in_world(array, node, place, table))


def read_finding(node: slicer.vtkMRMLVolumeNode) -> Steps[Finding]:
    """What an earlier run put beside a scan, and its organs as they are drawn now.

    Raises:
        BadInput: when there is no result, or its doubt was deleted.
    """
    result, table = known_result(node)
    place = place_of(node)
    found = drawn = yield from read_drawn(node)
    if text := result.GetAttribute(FOUND):
        own = yield from unpacked(text, place.local.shape)
        found = yield from _in_world(own, node, place, table)
    maps = {}
    for role in (DOUBT, DISAGREEMENT):
        volume = result.GetNodeReference(role)
        if volume is not None:
            maps[role] = yield from _share_in_world(voxels(volume), node, place)
    if DOUBT not in maps:
        sentence = _("The doubt of {name} was deleted; segment it again.")
        raise BadInput(sentence.format(name=node.GetName()))
    return Finding(
        labels=found,
        drawn=drawn,
        doubt=maps[DOUBT],
        disagreement=maps.get(DISAGREEMENT),
        made=json.loads(result.GetAttribute(MADE)),
    )


def _in_world(
    array: np.ndarray, node: slicer.vtkMRMLVolumeNode, place: Place, table: LabelTable
) -> Steps[LabelMap]:
    if place.warped:
        there, back = from_world(node), to_world(node)
        array = yield from warped_labels(array, place.local, place.world, there, back)
    return LabelMap(array=array, grid=place.world, table=table)


def _share_in_world(
    percent: np.ndarray, node: slicer.vtkMRMLVolumeNode, place: Place
) -> Steps[Volume]:
    if place.warped:
        there, back = from_world(node), to_world(node)
        percent = yield from warped(percent, place.local, place.world, there, back, fill=0)
    array = yield from share_of(percent)
    return Volume(array=array, grid=place.world)
