"""Run inside a released Slicer: the module opens and shows its panel. Ends with 0, or 1 and why.

make slicer SLICER=/path/to/Slicer
"""

import sys
import traceback

import slicer


def opened():
    slicer.util.selectModule("CMCSegmentation")
    slicer.app.processEvents()
    widget = slicer.util.getModuleWidget("CMCSegmentation")
    assert widget.parent.isVisible(), "The panel of CMC Segmentation is not shown."
    slicer.mrmlScene.Clear(0)
    slicer.app.processEvents()


try:
    opened()
    sys.stdout.write(f"CMC Segmentation opens in Slicer {slicer.app.applicationVersion}\n")
    slicer.util.exit(0)
except BaseException:
    traceback.print_exc()
    slicer.util.exit(1)
