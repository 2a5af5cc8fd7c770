"""What the old and the new model find on one pair, side by side in the scene."""

import slicer

from cmcseg.core.messages import Message
from cmcseg.desktop.layout import COMPARE_ONE, COMPARE_TWO, NEW, OLD, OwnLayout
from cmcseg.mrml.compared import put_compared_organs, put_compared_scan, remove_compared


class ModelComparison:
    """Each scan twice, with the old organs on the left and the new ones on the right."""

    def __init__(self) -> None:
        self._layout = OwnLayout()

    @property
    def shown(self) -> bool:
        """Whether something is compared just now."""
        return self._layout.shown

    def show(self, answer: Message) -> None:
        """Show a pair and label maps "old ROLE" and "new ROLE"; the last pair's go."""
        scene = slicer.mrmlScene
        remove_compared(scene)
        case = answer.values["case"]
        scans = [
            put_compared_scan(scene, f"{case} {role}", volume)
            for role, volume in answer.volumes.items()
        ][:2]
        views = {}
        for n, scan in enumerate(scans):
            views |= {OLD[n]: scan.GetID(), NEW[n]: scan.GetID()}
        self._layout.show(COMPARE_ONE if len(scans) == 1 else COMPARE_TWO, views)
        for n, (role, scan) in enumerate(zip(answer.volumes, scans, strict=False)):
            for which, tags in (("old", OLD), ("new", NEW)):
                labels = answer.label_maps.get(f"{which} {role}")
                if labels is not None:
                    node = put_compared_organs(scene, f"{case} {role} {which}", labels, scan)
                    view = slicer.app.layoutManager().sliceWidget(tags[n]).mrmlSliceNode()
                    node.GetDisplayNode().AddViewNodeID(view.GetID())

    def put_away(self) -> None:
        """Take what was compared out of the scene; the user's views come back."""
        remove_compared(slicer.mrmlScene)
        self._layout.restore()
