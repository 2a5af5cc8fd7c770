"""The panel of desktop Slicer: lays out the sessions' choices and emits the user's."""
