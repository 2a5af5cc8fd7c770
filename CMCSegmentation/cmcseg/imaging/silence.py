"""No library prints what comes from a header: it may be the patient's name."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import SimpleITK as sitk

# They quote what they find odd, and without a handler of anybody's Python prints it.
for _library in ("pydicom", "highdicom"):
    logging.getLogger(_library).addHandler(logging.NullHandler())
    logging.getLogger(_library).propagate = False


@contextmanager
def silent() -> Iterator[None]:
    """Keep warnings of pydicom, highdicom and ITK from screen and logs; errors are raised."""
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)
