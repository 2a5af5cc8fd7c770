"""CMCSeg: robust multimodal segmentation of misaligned scan pairs.

import cmcseg
result = cmcseg.segment({"ct": array}, "abdomen-ct-mr", spacing=(0.8, 0.8, 2), axes="LPS")
cmcseg.train("cohort.json", "run", "best", steps=2000)
cmcseg.Queue("queue").add(...)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers, to whom what __getattr__ gives is anything
    from cmcseg.api.corrected import Queue
    from cmcseg.api.segmenting import Segmentation, segment
    from cmcseg.api.training import train

__version__ = "0.1.0"
# Imported when first asked for: torch takes seconds, and Slicer may not have it.
_OFFERED = {
    "segment": "cmcseg.api.segmenting",
    "Segmentation": "cmcseg.api.segmenting",
    "train": "cmcseg.api.training",
    "Queue": "cmcseg.api.corrected",
}
__all__ = ["Queue", "Segmentation", "segment", "train"]


def __getattr__(name: str) -> Any:
    """The functions and classes of the Python interface."""
    if name not in _OFFERED:
        raise AttributeError(f"cmcseg has no {name}; it offers {', '.join(_OFFERED)}.")
    return getattr(import_module(_OFFERED[name]), name)


def __dir__() -> list[str]:
    """What is offered, for completion in notebooks."""
    return [*globals(), *_OFFERED]
