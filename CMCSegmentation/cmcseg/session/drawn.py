"""The organs as they are drawn in the scene, read and written in steps of some milliseconds."""

from collections.abc import Iterator, Mapping

import numpy as np

from cmcseg.core.labelmap import LabelMap
from cmcseg.session.ports import Scene


def reading_drawn(scene: Scene, scans: Mapping[str, str]) -> Iterator[dict[str, LabelMap] | None]:
    """Label maps by role, of the scans that lie in the scene by role; at last all of them."""
    found = {}
    for role, key in scans.items():
        for labels in scene.reading_labels(key):
            if labels is None:
                yield None
            else:
                found[role] = labels
    yield found


def writing_drawn(scene: Scene, masks: Mapping[str, dict[str, np.ndarray]]) -> Iterator[str | None]:
    """Replace organs, by the key of the scan and by name; at last the key of a segmentation."""
    last = ""
    for key, organs in masks.items():
        for done in scene.writing_organs(key, organs):
            if done is None:
                yield None
            else:
                last = done
    yield last
