"""The user's choices, kept in the scene so that a saved one opens as it was left.

Slicer fills a combo box from the members of an Enum, in their order, and asks each for its
``label``; the scene keeps the member's name. It also sets the limits of a spin box, to what
``WithinRange`` says or else to none at all.
"""

from enum import Enum
from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScriptedModuleNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from cmcseg.session.setting_words import align_words, device_words, memory_words


class Align(Enum):
    """How to align the scans first; see ``core.settings.SegmentSettings``."""

    auto = "auto"
    none = "none"
    rigid = "rigid"

    def label(self) -> str:
        """What the user reads."""
        return align_words()[self.name]


class Device(Enum):
    """Where the network runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"

    def label(self) -> str:
        """What the user reads."""
        return device_words()[self.name]


class OutOfMemory(Enum):
    """What to do when memory runs out."""

    smaller = "smaller"
    stop = "stop"

    def label(self) -> str:
        """What the user reads."""
        return memory_words()[self.name]


@parameterNodeWrapper
class Choices:
    """What stands on the panel.

    Attributes:
        model: name of the model.
        firstScan, secondScan: scans of the model's roles, in the card's order.
        device, align, overlap, outOfMemory: see ``core.settings.SegmentSettings``.
        minutes: budget of a fine-tuning.
    """

    model: str = ""
    firstScan: vtkMRMLScalarVolumeNode
    secondScan: vtkMRMLScalarVolumeNode
    device: Device = Device.auto
    align: Align = Align.auto
    overlap: Annotated[float, WithinRange(0.0, 0.9)] = 0.1
    outOfMemory: OutOfMemory = OutOfMemory.smaller
    minutes: Annotated[int, WithinRange(1, 1440)] = 10


def choices_in(node: vtkMRMLScriptedModuleNode) -> Choices:
    """The choices that a node of the scene holds.

    A later version may have saved a choice that is not known here; then those of the boxes begin
    anew, as the module would not open otherwise.
    """
    try:
        return Choices(node)
    except ValueError:
        for name in ("align", "device", "outOfMemory"):
            node.UnsetParameter(name)
        return Choices(node)
