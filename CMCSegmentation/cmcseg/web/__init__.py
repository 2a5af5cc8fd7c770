"""The browser app: the sessions of the Slicer module on trame-slicer's MRML scene and views."""
