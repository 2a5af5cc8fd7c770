"""MRML, the data model of 3D Slicer; the same in the desktop program and in the browser."""
