"""The organs as they are drawn in the scene, read and written in steps of some milliseconds."""

from collections.abc import Mapping

import numpy as np

from cmcseg.core.labelmap import LabelMap
from cmcseg.core.steps import Steps
from cmcseg.session.ports import Scene


def reading_drawn(scene: Scene, scans: Mapping[str, str]) -> Steps[dict[str, LabelMap]]:
    """Label maps by role, of the scans that lie in the scene by role."""
    found = {}
    for role, key in scans.items():
        found[role] = yield from scene.reading_labels(key)
    return found


def writing_drawn(scene: Scene, masks: Mapping[str, dict[str, np.ndarray]]) -> Steps[str]:
    """Replace organs, by the key of the scan and by name; returns the key of a segmentation."""
    last = ""
    for key, organs in masks.items():
        last = yield from scene.writing_organs(key, organs)
    return last
